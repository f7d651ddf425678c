import { hash, randomBytes } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { checkInteger, checkKeys, show } from '../config/check.js';
import { CacheopsError } from '../config/error.js';
import type { Serializer } from '../config/options.js';
import { checkSerializer, serializerKey } from '../config/serializer.js';
import { CacheMiss, type TimedCache } from './cache.js';
import { decodeFile, encodeFile } from './file_format.js';
import { SingleFlight } from './single_flight.js';
import { decodeValue, encodeValue } from './value.js';

export interface FileCacheOptions {
  /** where the files are; made when first needed. Nothing else should be in it. */
  directory: string;
  /** how long a value may be used where a call does not say, in seconds. Default: 3600 */
  timeout?: number;
  /** what the files may take up, in bytes; the oldest make room. Each process that writes may exceed it by a tenth. Default: 256 MiB */
  maxSize?: number;
  /** how values are written; files of another are not read. Default: the structured clone algorithm of `node:v8` */
  serializer?: Serializer;
}

/** What {@link FileCache.clean} has found. */
export interface CleanReport {
  readonly removed: number;
  readonly kept: number;
  /** of those that were kept */
  readonly bytes: number;
}

/**
 * Values by key in files, for a time, shared by all processes of this machine that use the same directory.
 *
 * A file appears all at once (it is written beside and renamed), carries a checksum, and has the time of its end as
 * its time of modification, so that it is known to be over without being read. Its name is a digest of the key, so
 * that no key leads out of the directory.
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
const ENTRY = /^[0-9a-f]{62}$/;
const FOLDER = /^[0-9a-f]{2}$/;
const TEMPORARY = /^\.[0-9a-f]{24}\.tmp$/;
/** A file that was begun longer ago than this, in milliseconds, has nobody who will finish it. */
const ABANDONED = 3_600_000;

export class FileCache implements TimedCache {
  readonly directory: string;
  readonly #timeout: number;
  readonly #maxSize: number;
  readonly #serializer: Serializer | undefined;
  readonly #format: string;
  readonly #flights = new SingleFlight();
  /** by key: how often it was deleted here while somebody computed it */
  readonly #deletions = new Map<string, number>();
  /** bytes that were written since the files were last looked through; the first time, that is due at once */
  #written = Number.POSITIVE_INFINITY;
  #making: Promise<unknown> | undefined;

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

  async get<T = unknown>(key: string): Promise<T> {
    const found = await this.#find(key);
    if (!found) {
      throw new CacheMiss(key);
    }
    return found.value as T;
  }

  async set(key: string, value: unknown, options: { timeout?: number } = {}): Promise<void> {
    const timeout = this.#timeoutOf(options);
    await this.#write(key, encodeValue(value, this.#serializer), timeout);
  }

  async delete(key: string): Promise<void> {
    const deletions = this.#deletions.get(key);
    if (deletions !== undefined) {
      this.#deletions.set(key, deletions + 1);
    }
    await rm(this.#pathOf(key).file, { force: true });
  }

  /** What is deleted meanwhile by another process is stored all the same. */
  async through<T>(key: string, compute: () => Promise<T>, options: { timeout?: number } = {}): Promise<T> {
    const timeout = this.#timeoutOf(options);
    let found = await this.#find(key);
    const underWay = found ? undefined : this.#flights.underWay(key);
    if (underWay) {
      await underWay;
      // not what another has computed: that may have been deleted meanwhile
      found = await this.#find(key);
    }
    if (found) {
      return found.value as T;
    }
    const payload = await this.#flights.run(key, async () => {
      const before = this.#deletions.get(key) ?? 0;
      this.#deletions.set(key, before);
      try {
        const made = encodeValue(await compute(), this.#serializer);
        if (this.#deletions.get(key) === before) {
          await this.#write(key, made, timeout);
        }
        return made;
      } finally {
        this.#deletions.delete(key);
      }
    });
    return decodeValue(payload, this.#serializer) as T;
  }

  /** Removes what is over, and what was begun and never finished. */
  async clean(): Promise<CleanReport> {
    return this.#lookThrough(Number.POSITIVE_INFINITY);
  }

  /** Removes everything that this cache, or another on the same directory, has stored. */
  async clear(): Promise<void> {
    for await (const { path } of this.#files()) {
      await rm(path, { force: true });
    }
    this.#written = Number.POSITIVE_INFINITY;
  }

  async #find(key: string): Promise<{ readonly value: unknown } | undefined> {
    let handle: FileHandle;
    try {
      handle = await open(this.#pathOf(key).file, 'r');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        return undefined;
      }
      throw error;
    }
    try {
      // of the file that is open: by now the name may be another's
      if ((await handle.stat()).mtimeMs <= Date.now()) {
        return undefined;
      }
      const payload = decodeFile(this.#label(key), await handle.readFile());
      return payload && { value: decodeValue(payload, this.#serializer) };
    } catch {
      return undefined; // whatever it is, it is nothing that was stored
    } finally {
      await handle.close();
    }
  }

  async #write(key: string, payload: Uint8Array, timeout: number): Promise<void> {
    const { folder, file } = this.#pathOf(key);
    const content = encodeFile(this.#label(key), payload);
    if (content.byteLength > this.#maxSize) {
      await rm(file, { force: true });
      return;
    }
    await mkdir(folder, { recursive: true });
    const temporary = join(folder, `.${randomBytes(12).toString('hex')}.tmp`);
    try {
      await writeFile(temporary, content, { flag: 'wx' });
      const end = new Date(Date.now() + timeout * 1000);
      await utimes(temporary, end, end);
      await rename(temporary, file);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    this.#written += content.byteLength;
    if (this.#written > this.#maxSize / 10) {
      await this.#makeRoom();
    }
  }

  async #makeRoom(): Promise<void> {
    this.#making ??= this.#lookThrough(this.#maxSize).finally(() => {
      this.#making = undefined;
    });
    await this.#making;
  }

  async #lookThrough(maxSize: number): Promise<CleanReport> {
    this.#written = 0;
    const kept: { path: string; size: number; since: number }[] = [];
    let bytes = 0;
    let removed = 0;
    for await (const { path, temporary } of this.#files()) {
      const found = await stat(path).catch(() => undefined);
      if (!found) {
        continue;
      }
      const isOver = temporary ? found.ctimeMs < Date.now() - ABANDONED : found.mtimeMs <= Date.now();
      if (isOver) {
        await rm(path, { force: true });
        removed++;
      } else {
        kept.push({ path, size: found.size, since: found.ctimeMs });
        bytes += found.size;
      }
    }
    kept.sort((a, b) => a.since - b.since);
    while (bytes > maxSize) {
      const oldest = kept.shift()!;
      await rm(oldest.path, { force: true });
      bytes -= oldest.size;
      removed++;
    }
    return { removed, kept: kept.length, bytes };
  }

  /** Its own, by their names: whatever else is in the directory is left alone. */
  async *#files(): AsyncGenerator<{ path: string; temporary: boolean }> {
    for (const folder of await namesIn(this.directory)) {
      if (!FOLDER.test(folder)) {
        continue;
      }
      for (const name of await namesIn(join(this.directory, folder))) {
        const temporary = TEMPORARY.test(name);
        if (temporary || ENTRY.test(name)) {
          yield { path: join(this.directory, folder, name), temporary };
        }
      }
    }
  }

  #pathOf(key: string): { folder: string; file: string } {
    // as UTF-16, since half a surrogate pair has no UTF-8
    const digest = hash('sha256', Buffer.from(key, 'utf16le'), 'hex');
    const folder = join(this.directory, digest.slice(0, 2));
    return { folder, file: join(folder, digest.slice(2)) };
  }

  /** What a file says it is. By whatever serializer it was written, it has the same path, so that it can be deleted. */
  #label(key: string): string {
    return `${this.#format}:${key}`;
  }

  #timeoutOf({ timeout = this.#timeout }: { timeout?: number }): number {
    return checkInteger(timeout, 1, 'timeout', 'seconds');
  }
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      return [];
    }
    throw error;
  }
}
