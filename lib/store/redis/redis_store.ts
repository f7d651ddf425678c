import type { Scheme } from '../../values/scheme.js';
import { Keys, rootOf } from '../keys.js';
import { joinLeases } from '../leases.js';
import { limitsFrom, milliseconds, type TableLimits } from '../limits.js';
import type { EntryAddress, Found, Lease, Quarantine, Seal, Store, TableChange, Writer } from '../store.js';
import { StoreError } from '../store_error.js';
import { token } from '../token.js';
import { touchedBy } from '../touched.js';
import {
  type MarkAnswer,
  type OtherEpoch,
  parseLease,
  parseMark,
  parseSchemes,
  parseTrail,
} from './answers.js';
import {
  type Asker,
  dropCall,
  leaseCall,
  liftCall,
  markCall,
  resealCall,
  schemesCall,
  settleCall,
  trailCall,
} from './calls.js';
import { isCluster, keyPrefixOf, type RedisSource } from './client.js';
import { Connection, MISPLACED, type Session } from './connection.js';
import { type Contents, contentsOf, ownKeys } from './contents.js';
import { distinct } from './distinct.js';
import { type Decoded, type Drift, decodeEntry, encodeEntry } from './entry.js';
import { found, foundMany, foundWith, type TrailAnswer } from './found.js';
import { type KnownSchemes, NO_SCHEMES } from './schemes.js';
import { type Call, run } from './scripts.js';

export interface RedisStoreOptions extends Partial<TableLimits> {
  /** begins every key, followed by a marker. Default: `'cacheops:'` */
  readonly prefix?: string;
  /** timeout for a connection or an answer, in milliseconds. Default: 250 */
  readonly commandTimeout?: number;
  /**
   * the server is a node of a Redis Cluster
   *
   * @internal
   */
  readonly inCluster?: boolean;
}

/** The answer of a node. */
export interface Fetched {
  readonly epoch: string;
  readonly replies: readonly (Buffer | null)[];
}

/** How often a mark is sent again because new schemes were registered, before it touches everything. */
const MARK_ATTEMPTS = 4;

/**
 * Keeps everything in Redis, for all processes that use the same server, database and prefix.
 *
 * Losing data is safe. Whatever is missing is a miss. Stamps of another epoch (of another server process, or of this
 * one before it became master) are not valid, so that neither old data from disk nor a replica that lagged when it was
 * promoted causes stale results. No connection is used before the server's epoch is known.
 *
 * It connects on first use.
 */
export class RedisStore implements Store {
  readonly #keys: Keys;
  readonly #limits: TableLimits;
  readonly #connection: Connection;
  readonly #knownSchemes = new Map<string, KnownSchemes>();
  readonly #atWork = new Set<Promise<unknown>>();
  #closed = false;

  /**
   * @param source URL, options of ioredis, or a client that provides the options and is not used itself
   * @throws Error for a client of a Redis Cluster, which needs a `ClusterStore`
   * @throws RangeError if the prefix cannot be used
   */
  constructor(source: RedisSource, options: RedisStoreOptions = {}) {
    this.#keys = new Keys(rootOf(keyPrefixOf(source) + (options.prefix ?? 'cacheops:')));
    this.#limits = limitsFrom(options);
    if (isCluster(source)) {
      throw new Error('A RedisStore is for a single server. Use a ClusterStore for a Redis Cluster.');
    }
    this.#connection = new Connection(source, options.commandTimeout ?? 250, options.inCluster);
  }

  async read(address: EntryAddress): Promise<Found | undefined> {
    let session: Session | undefined;
    try {
      this.#check();
      session = this.#connection.session ?? (await this.#connection.open());
      const keys = this.#keys.ofAddress(address);
      const replies = await session.wait(session.client.mgetBuffer(keys as string[]));
      if (this.#connection.session !== session || replies?.length !== keys.length) {
        return undefined;
      }
      if (!isOfEpoch(session.epoch, address, replies)) {
        return undefined;
      }
      const entry = decodeEntry(keys[0]!, replies, address);
      return (
        entry && (entry.drifts.length > 0 ? await this.#catchUp(session, keys[0]!, entry) : found(entry))
      );
    } catch (error) {
      throw this.#failure('read', error, session);
    }
  }

  /** One command reads everything, so at one moment; keys that entries share are read once. */
  async readMany(addresses: readonly EntryAddress[]): Promise<(Found | undefined)[]> {
    return this.#do('read', async session => {
      const { keys, places } = distinct(addresses.map(address => this.#keys.ofAddress(address)));
      const replies = keys.length > 0 ? await session.wait(session.client.mgetBuffer(keys)) : [];
      if (this.#connection.session !== session || replies?.length !== keys.length) {
        return addresses.map(() => undefined);
      }
      const entries = addresses.map((address, i) => {
        const own = places[i]!.map(place => replies[place]!);
        return isOfEpoch(session.epoch, address, own)
          ? decodeEntry(keys[places[i]![0]!]!, own, address)
          : undefined;
      });
      const calls = entries.flatMap(entry => entry?.drifts.map(drift => trailCall(this.#keys, drift)) ?? []);
      const trails = (await run(session, calls)).map(parseTrail);
      return this.#connection.session === session
        ? foundMany(
            entries,
            places.map(([place]) => keys[place!]!),
            trails,
          )
        : addresses.map(() => undefined);
    });
  }

  /**
   * Asks for the row deltas since an entry was sealed. The other stamps equalled the seal when they were read, which
   * was after this read began.
   */
  async #catchUp(session: Session, entryKey: string, entry: Decoded): Promise<Found | undefined> {
    const calls = entry.drifts.map(drift => trailCall(this.#keys, drift));
    const replies = await run(session, calls);
    return this.#connection.session === session
      ? foundWith(entryKey, entry, replies.map(parseTrail))
      : undefined;
  }

  /**
   * The values of these keys, which are in one slot, and their epoch; `undefined` if the epoch is not certain.
   *
   * @internal
   */
  fetch(keys: readonly string[]): Promise<Fetched | undefined> {
    return this.#do('read', async session => {
      const sent = performance.now();
      const replies = await session.wait(session.client.mgetBuffer(keys as string[]));
      return (await this.#connection.isStill(session, sent)) && replies?.length === keys.length
        ? { epoch: session.epoch, replies }
        : undefined;
    });
  }

  /** @internal */
  trail(drift: Drift): Promise<TrailAnswer | undefined> {
    return this.#do('read', async session => {
      const sent = performance.now();
      const [reply] = await run(session, [trailCall(this.#keys, drift)]);
      return (await this.#connection.isStill(session, sent)) ? parseTrail(reply) : undefined;
    });
  }

  /**
   * The nodes of its cluster and their slots.
   *
   * @internal
   */
  slots(): Promise<unknown> {
    return this.#do('read', ({ client, wait }) => wait(client.call('CLUSTER', 'SLOTS')));
  }

  reseal({ key }: EntryAddress, { moved, seal }: Found): Promise<void> {
    return this.#do('reseal', async session => {
      if (moved.length > 0) {
        const heads = Buffer.from(seal, 'latin1');
        const half = heads.length / 2;
        const call = resealCall(this.#keys.entry(key), heads.subarray(0, half), heads.subarray(half));
        await run(session, [call]);
      }
    });
  }

  lease(address: EntryAddress, ttl: number): Promise<Lease> {
    return this.#do('lease', async session => {
      const leases = await this.#ask(session, parseLease, asker =>
        address.tables.map(table => leaseCall(this.#keys, asker, table, milliseconds(ttl), this.#limits)),
      );
      this.#forgetOutdated(address);
      return joinLeases(address.tables, leases);
    });
  }

  /** A lease may have registered schemes that the writers of this process do not know yet. */
  #forgetOutdated({ tables }: EntryAddress): void {
    for (const { table, dependencies } of tables) {
      const known = this.#knownSchemes.get(table)?.schemes;
      if (known && dependencies.some(({ scheme }) => !known.some(({ id }) => id === scheme.id))) {
        this.#knownSchemes.delete(table);
      }
    }
  }

  fill({ key }: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    const entryKey = this.#keys.entry(key);
    // encoded synchronously, because the caller may reuse the payload's buffer when this returns
    const entry = encodeEntry(entryKey, seal, payload);
    return this.#do('fill', async ({ client, wait }) => {
      await wait(client.set(entryKey, entry, 'PX', milliseconds(timeout)));
    });
  }

  mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    return this.#do('mark', async session => {
      let left = changes;
      for (let attempt = 1; left.length > 0; attempt++) {
        const isLast = attempt === MARK_ATTEMPTS;
        const answers = await this.#ask(session, parseMark, asker =>
          left.map(change => this.#markCall(asker, writer, change, isLast)),
        );
        left = left.filter(({ table }, i) => this.#learn(table, answers[i]!));
      }
    });
  }

  async schemes(table: string): Promise<readonly Scheme[]> {
    let known = this.#knownSchemes.get(table);
    if (!known) {
      known = await this.#do('schemes', async session => {
        const [reply] = await run(session, [schemesCall(this.#keys, table)]);
        return parseSchemes(reply);
      });
      // a mark may have received newer schemes meanwhile
      known = this.#knownSchemes.get(table) ?? known;
      this.#knownSchemes.set(table, known);
    }
    return known.schemes;
  }

  settle(writerId: string, tables: readonly string[]): Promise<void> {
    return this.#do('settle', async session => {
      await run(
        session,
        tables.map(table => settleCall(this.#keys, table, writerId)),
      );
    });
  }

  lift({ table, nonce }: Quarantine): Promise<void> {
    return this.#do('lift', async session => {
      await run(session, [liftCall(this.#keys, table, nonce)]);
    });
  }

  drop(tables: readonly string[]): Promise<void> {
    return this.#do('drop', async session => {
      await run(
        session,
        tables.map(table => dropCall(this.#keys, table)),
      );
    });
  }

  clear(kept: readonly string[] = []): Promise<void> {
    const stays = this.#keys.filterOf(kept);
    return this.#do('clear', async ({ client, wait }) => {
      for await (const keys of ownKeys({ client, wait }, this.#keys.root)) {
        // one by one, because in a cluster they are in several slots
        const pipeline = client.pipeline();
        for (const key of keys) {
          if (!stays(key.toString())) {
            pipeline.unlink(key);
          }
        }
        const failed = (await wait(pipeline.exec()))?.find(([error]) => error);
        if (failed) {
          throw failed[0];
        }
      }
      // the last answer is in its place only if all were
      const id = token();
      if ((await wait(client.echo(id))) !== id) {
        throw new Error(MISPLACED);
      }
    });
  }

  /**
   * Counts the keys under this prefix.
   *
   * @param progress called from time to time with the number of keys found so far
   */
  contents(progress: (keys: number) => void = () => {}): Promise<Contents> {
    return this.#do('contents', ({ client, wait }) =>
      contentsOf({ client, wait }, this.#keys.root, progress),
    );
  }

  /** Waits for pending calls. A client given as the source stays open. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#atWork);
    await this.#connection.close();
  }

  #check(): void {
    if (this.#closed) {
      throw new Error('it is closed.');
    }
  }

  async #do<T>(operation: string, work: (session: Session) => Promise<T>): Promise<T> {
    const working = this.#inSession(operation, work);
    this.#atWork.add(working);
    try {
      return await working;
    } finally {
      this.#atWork.delete(working);
    }
  }

  async #inSession<T>(operation: string, work: (session: Session) => Promise<T>): Promise<T> {
    let session: Session | undefined;
    try {
      this.#check();
      // sent before this returns if there is a connection, so that a read that follows a fill finds it
      session = this.#connection.session ?? (await this.#connection.open());
      return await work(session);
    } catch (error) {
      throw this.#failure(operation, error, session);
    }
  }

  #failure(operation: string, error: unknown, session: Session | undefined): StoreError {
    if (session) {
      this.#connection.complain(session, error);
    }
    return new StoreError(operation, error);
  }

  /** Runs scripts that depend on the epoch, and again if the epoch of the session is outdated. */
  async #ask<T extends { readonly kind: string }>(
    session: Session,
    parse: (reply: unknown) => T | OtherEpoch,
    calls: (asker: Asker) => readonly Call[],
  ): Promise<T[]> {
    const ask = async (asked: Session, sure: boolean) =>
      (await run(asked, calls({ epoch: asked.epoch, sure }))).map(parse);

    const answers = await ask(session, false);
    if (answers.every(isOfSameEpoch)) {
      return answers;
    }
    const again = await ask(await this.#connection.confirm(session), true);
    if (again.every(isOfSameEpoch)) {
      return again;
    }
    throw new Error('Redis rejects an epoch that it has just confirmed.');
  }

  #markCall(asker: Asker, writer: Writer, change: TableChange, everything: boolean): Call {
    const { version, schemes, isOdd } = this.#knownSchemes.get(change.table) ?? NO_SCHEMES;
    const touched = everything || isOdd ? undefined : touchedBy(change, schemes, this.#limits.maxTouched);
    return markCall(this.#keys, asker, change.table, writer, touched, isOdd ? undefined : version);
  }

  /** Must the mark be sent again, because there were unknown schemes? */
  #learn(table: string, answer: MarkAnswer): boolean {
    if (answer.kind === 'schemes') {
      this.#knownSchemes.set(table, answer);
    } else if (this.#knownSchemes.get(table)?.isOdd) {
      this.#knownSchemes.delete(table); // the registry has been replaced
    }
    return answer.kind === 'schemes';
  }
}

function isOfSameEpoch<T extends { readonly kind: string }>(answer: T | OtherEpoch): answer is T {
  return answer.kind !== 'epoch';
}

/** Do the stamps of all tables carry the epoch of the server? */
function isOfEpoch(epoch: string, { tables }: EntryAddress, replies: readonly (Buffer | null)[]): boolean {
  let at = 1;
  for (const { dependencies } of tables) {
    const stamp = replies[at];
    if (!stamp || stamp.toString('latin1', 0, epoch.length) !== epoch) {
      return false;
    }
    at += 1 + dependencies.length;
  }
  return true;
}
