import { hash, randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { checkInteger, checkKeys, show } from '../config/check.js';
import { CacheopsError } from '../config/error.js';
import type { Serializer } from '../config/options.js';
import { checkSerializer, serializerKey } from '../config/serializer.js';
import { CacheMiss, findOrCompute, type TimedCache } from '../orm/computed/timed_cache.js';
import type { ValueVariant } from '../orm/computed/timed_values.js';
import { decodeValue, encodeValue } from '../orm/computed/value_codec.js';
import { currentScope } from '../orm/context/scope.js';
import { SingleFlight } from '../orm/reads/single_flight.js';
import { decodeFile, encodeFile, isOwnFile, MAGIC_SIZE } from './file_format.js';

export interface FileCacheOptions {
  /** the folder of the files, which is made when first needed. Nothing else should be in it. */
  directory: string;
  /** how long a value may be used if a call gives no timeout, in seconds. Default: 3600 */
  timeout?: number;
  /** the size of all files, in bytes; the oldest are deleted. Each process that writes may exceed it by a tenth. Default: 256 MiB */
  maxSize?: number;
  /** encodes values; files of another serializer are not read. Default: the structured clone algorithm of `node:v8` */
  serializer?: Serializer;
}

/** The outcome of {@link FileCache.clean}. */
export interface CleanReport {
  readonly removed: number;
  readonly kept: number;
  /** size of the kept files */
  readonly bytes: number;
}

/**
 * Values by key that expire, in files, shared by all processes of this machine that use the same directory.
 *
 * A file appears atomically (it is written under another name and renamed), has a checksum, and its time of modification
 * is the time when it expires, so that expired files need not be read. Its name is a digest of the key, so that no key
 * leads out of the directory. Only regular files of this process's user are read; only that user may access the files and
 * folders that are made.
 *
 * It fails open: a file that cannot be read is a miss, and a value that cannot be written (a full disk, missing rights)
 * is not stored. A warning of the process (`CacheopsWarning`) reports the first failure of each kind. A file that cannot
 * be deleted is an error.
 *
 * ```ts
 * const cache = fileCache({ directory: '/var/cache/shop', timeout: 600 });
 * await cache.set('rates', { EUR: 1.08 });
 * await cache.get('rates'); // or a CacheMiss is thrown
 * ```
 *
 * @throws CacheopsError at once if an option is wrong
 */
export function fileCache(options: FileCacheOptions): FileCache {
  return new FileCache(options);
}

const OPTIONS = ['directory', 'timeout', 'maxSize', 'serializer'];
const ENTRY = /^[0-9a-f]{62}(-[0-9a-f]{32})?$/;
const FOLDER = /^[0-9a-f]{2}$/;
const TEMPORARY = /^\.[0-9a-f]{24}\.tmp$/;
/** A temporary file that is older than this, in milliseconds, was abandoned by its process. */
const ABANDONED = 3_600_000;
/** Does not follow links, and does not wait for a FIFO or a device. (Windows has neither flag.) */
const READ = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0);
/** The file does not exist. */
const ABSENT: ReadonlySet<unknown> = new Set(['ENOENT', 'ENOTDIR']);
const MADE_OF_FILE = 'a value in a file, whose deletion cannot be observed';

export class FileCache implements TimedCache {
  readonly directory: string;
  readonly #timeout: number;
  readonly #maxSize: number;
  readonly #serializer: Serializer | undefined;
  readonly #format: string;
  readonly #flights = new SingleFlight();
  /** computations of this process; a key may have several, by its variants */
  readonly #running = new Set<{ readonly key: string; isOutdated: boolean }>();
  /** bytes that were written since the last scan of the files; infinite, so that the first write scans them */
  #written = Number.POSITIVE_INFINITY;
  #making: Promise<unknown> | undefined;
  /** kinds of errors that were reported */
  readonly #warned = new Set<string>();

  /** @throws CacheopsError */
  constructor(options: FileCacheOptions) {
    checkKeys(options as unknown, OPTIONS, 'fileCache()');
    const { directory, timeout = 3600, maxSize = 256 * 2 ** 20, serializer } = options;
    if (typeof directory !== 'string' || directory === '') {
      throw new CacheopsError(
        `fileCache(): directory: ${show(directory)} is no path. Give that of a folder.`,
      );
    }
    if (!Number.isSafeInteger(maxSize) || maxSize < 1) {
      throw new CacheopsError(
        `fileCache(): maxSize: ${show(maxSize)} is not a whole number of bytes. Give one from 1.`,
      );
    }
    this.directory = resolve(directory);
    this.#timeout = checkInteger(timeout, 1, 'fileCache(): timeout', 'seconds');
    this.#maxSize = maxSize;
    this.#serializer = checkSerializer(serializer, 'fileCache(): ');
    this.#format = serializerKey(this.#serializer);
  }

  /** @param variant @internal */
  async get<T = unknown>(key: string, variant?: ValueVariant): Promise<T> {
    currentScope().computation?.enter()?.(MADE_OF_FILE);
    const found = await this.#find(this.#slotOf(key, variant));
    if (!found) {
      throw new CacheMiss(key);
    }
    return found.value as T;
  }

  /**
   * The value is copied at once.
   *
   * @param pending @internal the variant, or a reason why nothing must be stored
   * @throws the error of the file system, if an older value can be neither replaced nor removed
   */
  async set(
    key: string,
    value: unknown,
    options: { timeout?: number } = {},
    pending?: ValueVariant | Promise<ValueVariant | string>,
  ): Promise<void> {
    currentScope().computation?.noteWrite();
    const timeout = this.#timeoutOf(options);
    const payload = encodeValue(value, this.#serializer);
    const variant = await pending;
    if (typeof variant === 'string') {
      return;
    }
    this.#outdate(key);
    const slot = this.#slotOf(key, variant);
    if (!(await this.#write(slot, payload, timeout))) {
      await remove(slot.file);
    }
  }

  /** @throws the error of the file system, if it cannot be removed */
  async delete(key: string): Promise<void> {
    currentScope().computation?.noteWrite();
    this.#outdate(key);
    const { folder, name, file } = this.#slotOf(key);
    await remove(file);
    for (const other of await namesIn(folder)) {
      if (other.startsWith(`${name}-`)) {
        await remove(join(folder, other));
      }
    }
  }

  /**
   * If another process deletes the key meanwhile, the value is still stored.
   *
   * @param variant @internal
   */
  async through<T>(
    key: string,
    compute: () => Promise<T>,
    options: { timeout?: number } = {},
    variant?: ValueVariant,
  ): Promise<T> {
    currentScope().computation?.enter()?.(MADE_OF_FILE);
    const timeout = this.#timeoutOf(options);
    const slot = this.#slotOf(key, variant);
    const result = await findOrCompute(
      this.#flights,
      slot.file,
      () => this.#find(slot),
      async () => {
        const computation = { key, isOutdated: false };
        this.#running.add(computation);
        try {
          const encoded = encodeValue(await compute(), this.#serializer);
          const isWritten = !computation.isOutdated && (await this.#write(slot, encoded, timeout));
          if (isWritten && computation.isOutdated) {
            await remove(slot.file).catch(error => this.#warn('write', error));
          }
          return encoded;
        } finally {
          this.#running.delete(computation);
        }
      },
    );
    return ('found' in result ? result.found.value : decodeValue(result.computed, this.#serializer)) as T;
  }

  /** Values that are being computed must not be stored any more. */
  #outdate(key: string): void {
    for (const computation of this.#running) {
      computation.isOutdated ||= computation.key === key;
    }
  }

  /** Deletes expired files and abandoned temporary files. */
  async clean(): Promise<CleanReport> {
    return this.#lookThrough(Number.POSITIVE_INFINITY);
  }

  /** Deletes all files that this cache, or another on the same directory, has stored. */
  async clear(): Promise<void> {
    for await (const { path, temporary } of this.#files()) {
      await removeOwn(path, temporary);
    }
    this.#written = Number.POSITIVE_INFINITY;
  }

  async #find({ folder, file, label }: Slot): Promise<{ readonly value: unknown } | undefined> {
    let handle: FileHandle | undefined;
    try {
      if (!isOwn(await lstat(folder))) {
        return undefined;
      }
      handle = await open(file, READ);
      // of the open file, because the name may refer to another file by now
      const found = await handle.stat();
      if (!found.isFile() || !isOwn(found) || found.size > this.#maxSize || found.mtimeMs <= Date.now()) {
        return undefined;
      }
      const payload = decodeFile(label, await readStart(handle, found.size));
      return payload && { value: decodeValue(payload, this.#serializer) };
    } catch (error) {
      // any failure is a miss
      this.#warn('read', error);
      return undefined;
    } finally {
      await handle?.close();
    }
  }

  /** @returns whether it is stored: a value that cannot be stored is still returned to the caller */
  async #write({ folder, file, label }: Slot, payload: Uint8Array, timeout: number): Promise<boolean> {
    const content = encodeFile(label, payload);
    if (content.byteLength > this.#maxSize) {
      await remove(file).catch(error => this.#warn('write', error));
      return false;
    }
    const temporary = join(folder, `.${randomBytes(12).toString('hex')}.tmp`);
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      if (!isOwn(await lstat(folder))) {
        throw new CacheopsError(`${folder} is no folder of this process's user.`);
      }
      const handle = await open(temporary, 'wx', 0o600);
      try {
        await handle.writeFile(content);
        const end = new Date(Date.now() + timeout * 1000);
        await handle.utimes(end, end);
      } finally {
        await handle.close();
      }
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true }).catch(() => undefined);
      this.#warn('write', error);
      return false;
    }
    this.#written += content.byteLength;
    if (this.#written > this.#maxSize / 10) {
      await this.#makeRoom().catch(error => this.#warn('clean', error));
    }
    return true;
  }

  /** Reports the first error of each kind, but not that a file to read does not exist. */
  #warn(operation: string, error: unknown): void {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const kind = `${operation} ${code}`;
    if ((operation === 'read' && ABSENT.has(code)) || this.#warned.has(kind)) {
      return;
    }
    this.#warned.add(kind);
    process.emitWarning(`fileCache(): ${operation} in ${this.directory} has failed: ${message}`, {
      type: 'CacheopsWarning',
      code: 'CACHEOPS_FILE_CACHE',
    });
  }

  async #makeRoom(): Promise<void> {
    this.#making ??= this.#lookThrough(this.#maxSize).finally(() => {
      this.#making = undefined;
    });
    await this.#making;
  }

  async #lookThrough(maxSize: number): Promise<CleanReport> {
    this.#written = 0;
    const kept: { path: string; temporary: boolean; size: number; since: number }[] = [];
    let bytes = 0;
    let removed = 0;
    for await (const { path, temporary } of this.#files()) {
      const found = await lstat(path).catch(() => undefined);
      if (!found?.isFile()) {
        continue;
      }
      const isOver = temporary ? found.ctimeMs < Date.now() - ABANDONED : found.mtimeMs <= Date.now();
      if (isOver) {
        removed += Number(await removeOwn(path, temporary));
      } else {
        kept.push({ path, temporary, size: found.size, since: found.ctimeMs });
        bytes += found.size;
      }
    }
    kept.sort((a, b) => a.since - b.since);
    let left = kept.length;
    for (const { path, temporary, size } of kept) {
      if (bytes <= maxSize) {
        break;
      }
      if (await removeOwn(path, temporary)) {
        bytes -= size;
        removed++;
        left--;
      }
    }
    return { removed, kept: left, bytes };
  }

  /** Its own files, by their names. Other files in the directory are ignored, and no link is followed. */
  async *#files(): AsyncGenerator<{ path: string; temporary: boolean }> {
    for (const name of await namesIn(this.directory)) {
      const folder = join(this.directory, name);
      if (!FOLDER.test(name) || !(await lstat(folder).catch(absent))?.isDirectory()) {
        continue;
      }
      for (const file of await namesIn(folder)) {
        const temporary = TEMPORARY.test(file);
        if (temporary || ENTRY.test(file)) {
          yield { path: join(folder, file), temporary };
        }
      }
    }
  }

  /** Variants of a key are in one folder, and their names have the same beginning. */
  #slotOf(key: string, variant?: ValueVariant): Slot {
    // as UTF-16, because a lone surrogate has no UTF-8
    const digest = hash('sha256', Buffer.from(key, 'utf16le'), 'hex');
    const folder = join(this.directory, digest.slice(0, 2));
    const name = digest.slice(2);
    const suffix = variant ? `-${hash('sha256', variant.text, 'hex').slice(0, 32)}` : '';
    // the path does not depend on the serializer, so that files of any serializer can be deleted
    const label = JSON.stringify([this.#format, key, variant?.text ?? null]);
    return { folder, name, file: join(folder, name + suffix), label };
  }

  #timeoutOf({ timeout = this.#timeout }: { timeout?: number }): number {
    return checkInteger(timeout, 1, 'timeout', 'seconds');
  }
}

/** The place of a value. */
interface Slot {
  readonly folder: string;
  /** the beginning of the names of all its variants */
  readonly name: string;
  readonly file: string;
  /** the identity that is written into the file */
  readonly label: string;
}

/** A file or folder of this process's user, and no link. */
function isOwn(found: Stats): boolean {
  const isOfThisUser = process.geteuid === undefined || found.uid === process.geteuid();
  return isOfThisUser && (found.isFile() || found.isDirectory());
}

function absent(error: NodeJS.ErrnoException): undefined {
  // a path through a link to itself leads to no file
  if (!ABSENT.has(error.code) && error.code !== 'ELOOP') {
    throw error;
  }
}

/** Reads no more than the size at the beginning, even if the file grows. */
async function readStart(handle: FileHandle, size: number): Promise<Buffer> {
  const content = Buffer.allocUnsafe(size);
  let at = 0;
  for (let read = size; at < size && read > 0; at += read) {
    read = (await handle.read(content, at, size - at, at)).bytesRead;
  }
  return content.subarray(0, at);
}

/** @throws the error of the file system; not if there is nothing */
async function remove(path: string): Promise<void> {
  const found = await lstat(path).catch(absent);
  // a folder in the place of a file holds no value
  if (found && !found.isDirectory()) {
    await rm(path, { force: true });
  }
}

/** Removes a file if it is one that a cache has written: other programs name files by digests as well. */
async function removeOwn(path: string, temporary: boolean): Promise<boolean> {
  if (!(temporary || (await isOwnContent(path)))) {
    return false;
  }
  await remove(path);
  return true;
}

async function isOwnContent(path: string): Promise<boolean> {
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, READ);
    return (await handle.stat()).isFile() && isOwnFile(await readStart(handle, MAGIC_SIZE));
  } catch {
    return false;
  } finally {
    await handle?.close();
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (ABSENT.has(code)) {
      return [];
    }
    throw error;
  }
}
