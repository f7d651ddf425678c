import type { Scheme, TableDependencies } from '../../values/scheme.js';
import { idOf, Keys, rootOf } from '../keys.js';
import { mergeLeases } from '../leases.js';
import { limitsFrom } from '../limits.js';
import type { EntryAddress, Found, Lease, Quarantine, Seal, Store, TableChange, Writer } from '../store.js';
import { StoreError } from '../store_error.js';
import { distinct } from './distinct.js';
import { type Drift, decodeEntry } from './entry.js';
import { found, foundMany, foundWith, type TrailAnswer } from './found.js';
import { type Fetched, RedisStore, type RedisStoreOptions } from './redis_store.js';
import { slotOf } from './slot.js';
import type { RedisClient, RedisConnection } from './source.js';
import { addressOf, isElsewhere, type NodeAddress, parseSlots, placeOf, type Topology } from './topology.js';

/**
 * Keeps everything in a Redis Cluster. All keys of one table are in one slot, so on one node, which is used like a
 * single server with an epoch of its own. The slot of an entry depends on its key.
 *
 * An entry and its stamps are read from several nodes, not at one moment, but all of them after the read began: a
 * transaction that committed before has changed its stamps before.
 *
 * **A slot that moves** takes its stamps and registries along, which carry the epoch of the old node. They are not
 * valid on the new node: entries are misses, and the first request replaces the registry by one in quarantine. While
 * the slot moves, the old node answers `ASK` or `TRYAGAIN` unless it has all keys of a command. So a script runs on all
 * of its keys or not at all, and a mark cannot miss a stamp that has moved already. If the slot moves back, so do the
 * writes made meanwhile; a mark among them has deleted the table's stamp.
 *
 * **A failover** promotes a replica, which has another epoch. A master that is demoted and promoted again keeps its
 * connections, so a node is asked for its epoch again when that may have happened.
 */
export class ClusterStore implements Store {
  readonly #keys: Keys;
  readonly #options: RedisStoreOptions;
  readonly #seeds: readonly NodeAddress[];
  readonly #connection: RedisConnection;
  readonly #nodes = new Map<NodeAddress, RedisStore>();
  #topology: Topology | undefined;
  #learning: Promise<Topology> | undefined;
  #closed = false;

  /** @param source provides the nodes and options; it is not used itself */
  constructor(source: RedisClient, options: RedisStoreOptions = {}) {
    const { startupNodes, options: given } = source as unknown as Insides;
    const { keyPrefix = '', ...connection } = { ...given.redisOptions, ...keyPrefixOf(given) };
    const prefix = keyPrefix + (options.prefix ?? 'cacheops:');
    limitsFrom(options);
    this.#keys = new Keys(rootOf(prefix));
    this.#options = { ...options, prefix, inCluster: true };
    this.#seeds = startupNodes.map(seedOf);
    this.#connection = connection;
  }

  async read(address: EntryAddress): Promise<Found | undefined> {
    const keys = this.#keys.ofAddress(address);
    const entryKey = keys[0]!;
    const parts = partsOf(keys, address);
    const fetched = await Promise.all(
      parts.map(part => this.#on(part[0]!, 'read', node => node.fetch(part))),
    );
    const replies: (Buffer | null)[] = [];
    for (const [i, part] of fetched.entries()) {
      if (!part || (i > 0 && !isOfEpoch(part))) {
        return undefined;
      }
      replies.push(...part.replies);
    }
    const entry = decodeEntry(entryKey, replies, address);
    if (!entry || entry.drifts.length === 0) {
      return entry && found(entry);
    }
    return foundWith(entryKey, entry, await Promise.all(entry.drifts.map(drift => this.#trail(drift))));
  }

  /**
   * Reads the entries first and the stamps second. Neither are read at one moment, but a deleted stamp never returns.
   * So all entries existed when the first stamp was read, and the stamps of their seals existed until the last one was
   * read. In the other order, an entry that was filled after a write could be combined with a stamp read before that
   * write.
   */
  async readMany(addresses: readonly EntryAddress[]): Promise<(Found | undefined)[]> {
    const lists = addresses.map(address => this.#keys.ofAddress(address));
    const entries = await this.#fetchMany(lists.map(([entryKey]) => [entryKey!]));
    const parts = addresses.map((address, i) => partsOf(lists[i]!, address).slice(1));
    const stamps = await this.#fetchMany(parts.flat());
    let at = 0;
    const decoded = addresses.map((address, i) => {
      const tables = stamps.slice(at, at + parts[i]!.length);
      at += parts[i]!.length;
      const entry = entries[i];
      return entry && tables.every(table => table && isOfEpoch(table))
        ? decodeEntry(lists[i]![0]!, [...entry.replies, ...tables.flatMap(table => table!.replies)], address)
        : undefined;
    });
    const drifts = decoded.flatMap(entry => entry?.drifts ?? []);
    const trails = await Promise.all(drifts.map(drift => this.#trail(drift)));
    return foundMany(
      decoded,
      lists.map(([entryKey]) => entryKey!),
      trails,
    );
  }

  /** @param lists of keys, each of one slot. Each slot is asked once */
  async #fetchMany(lists: readonly (readonly string[])[]): Promise<(Fetched | undefined)[]> {
    const fetched: (Fetched | undefined)[] = [];
    const bySlot = Map.groupBy(lists.keys(), i => slotOf(lists[i]![0]!));
    await Promise.all(
      Array.from(bySlot.values(), async indices => {
        const { keys, places } = distinct(indices.map(i => lists[i]!));
        const all = await this.#on(keys[0]!, 'read', node => node.fetch(keys));
        for (const [n, i] of indices.entries()) {
          fetched[i] = all && { ...all, replies: places[n]!.map(place => all.replies[place]!) };
        }
      }),
    );
    return lists.map((_, i) => fetched[i]);
  }

  #trail(drift: Drift): Promise<TrailAnswer | undefined> {
    const key = this.#keys.of(drift.table).dependencies + idOf(drift.dependency);
    return this.#on(key, 'read', node => node.trail(drift));
  }

  reseal(address: EntryAddress, foundEntry: Found): Promise<void> {
    return this.#on(this.#keys.entry(address.key), 'reseal', node => node.reseal(address, foundEntry));
  }

  async lease(address: EntryAddress, ttl: number): Promise<Lease> {
    const take = (each: TableDependencies) =>
      this.#onTable(each.table, 'lease', node => node.lease({ key: address.key, tables: [each] }, ttl));
    const leases = await Promise.all(address.tables.slice(0, -1).map(take));
    return mergeLeases([...leases, ...(await Promise.all(address.tables.slice(-1).map(take)))]);
  }

  fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    const kept = Uint8Array.from(payload); // the caller may reuse its buffer when this returns
    return this.#on(this.#keys.entry(address.key), 'fill', node => node.fill(address, seal, kept, timeout));
  }

  async mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    await all(changes, change => this.#onTable(change.table, 'mark', node => node.mark(writer, [change])));
  }

  schemes(table: string): Promise<readonly Scheme[]> {
    return this.#onTable(table, 'schemes', node => node.schemes(table));
  }

  async settle(writerId: string, tables: readonly string[]): Promise<void> {
    await all(tables, table => this.#onTable(table, 'settle', node => node.settle(writerId, [table])));
  }

  lift(quarantine: Quarantine): Promise<void> {
    return this.#onTable(quarantine.table, 'lift', node => node.lift(quarantine));
  }

  async drop(tables: readonly string[]): Promise<void> {
    await all(tables, table => this.#onTable(table, 'drop', node => node.drop([table])));
  }

  async clear(kept?: readonly string[]): Promise<void> {
    const topology = await this.#learn('clear');
    const places = new Set(topology.filter(place => place !== undefined));
    await all([...places], place => this.#node(place).clear(kept));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#learning?.catch(() => {});
    await Promise.all(Array.from(this.#nodes.values(), node => node.close()));
  }

  #onTable<T>(table: string, operation: string, work: (node: RedisStore) => Promise<T>): Promise<T> {
    return this.#on(this.#keys.of(table).stamp, operation, work);
  }

  /** Runs it on the node that has the key; again if the key has moved to another node. */
  async #on<T>(key: string, operation: string, work: (node: RedisStore) => Promise<T>): Promise<T> {
    const slot = slotOf(key);
    let topology = this.#closed ? undefined : (this.#topology ?? (await this.#learn(operation)));
    for (let attempt = 1; ; attempt++) {
      const place = topology?.[slot];
      if (this.#closed || place === undefined) {
        throw new StoreError(operation, this.#closed ? 'it is closed.' : 'no node serves its slot.');
      }
      try {
        return await work(this.#node(place));
      } catch (error) {
        if (!isElsewhere(error)) {
          this.#topology = undefined; // the node may have been replaced
          throw error;
        }
        if (attempt === ATTEMPTS) {
          throw error;
        }
        topology = await this.#learn(operation);
      }
    }
  }

  #node(place: NodeAddress): RedisStore {
    let node = this.#nodes.get(place);
    if (!node) {
      node = new RedisStore({ ...this.#connection, ...addressOf(place), db: 0 }, this.#options);
      this.#nodes.set(place, node);
    }
    return node;
  }

  /** Asks the known nodes, one at a time, for the topology. */
  #learn(operation: string): Promise<Topology> {
    this.#learning ??= this.#ask(operation).finally(() => {
      this.#learning = undefined;
    });
    return this.#learning;
  }

  async #ask(operation: string): Promise<Topology> {
    let failure: unknown = 'it knows no node.';
    for (const place of new Set([...this.#nodes.keys(), ...this.#seeds])) {
      try {
        if (this.#closed) {
          throw new StoreError(operation, 'it is closed.');
        }
        this.#topology = parseSlots(await this.#node(place).slots(), addressOf(place).host);
        return this.#topology;
      } catch (error) {
        failure = error instanceof StoreError ? error.cause : error;
      }
    }
    throw new StoreError(operation, failure);
  }
}

/** How often a key is looked for. */
const ATTEMPTS = 3;

/** The arguments that a Cluster of ioredis was created with. */
interface Insides {
  readonly startupNodes: readonly (string | number | { readonly host?: string; readonly port?: number })[];
  readonly options: { readonly keyPrefix?: string; readonly redisOptions?: RedisConnection };
}

function keyPrefixOf({ keyPrefix }: Insides['options']): { keyPrefix?: string } {
  return keyPrefix === undefined ? {} : { keyPrefix };
}

function seedOf(node: Insides['startupNodes'][number]): NodeAddress {
  if (typeof node === 'number') {
    return placeOf('127.0.0.1', node);
  }
  if (typeof node === 'string') {
    const { hostname, port } = new URL(node.includes('://') ? node : `redis://${node}`);
    return placeOf(hostname, Number(port || 6379));
  }
  return placeOf(node.host ?? '127.0.0.1', node.port ?? 6379);
}

/** The entry's key, then for each table the keys of its stamp and of its dependencies' stamps. */
function partsOf(keys: readonly string[], { tables }: EntryAddress): (readonly string[])[] {
  const parts = [keys.slice(0, 1)];
  let at = 1;
  for (const { dependencies } of tables) {
    parts.push(keys.slice(at, at + 1 + dependencies.length));
    at += 1 + dependencies.length;
  }
  return parts;
}

/** Does a table's stamp carry the epoch of its node? */
function isOfEpoch({ epoch, replies }: Fetched): boolean {
  return replies[0]?.toString('latin1', 0, epoch.length) === epoch;
}

/** Waits for all of them, even if one fails. */
async function all<T>(list: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const outcomes = await Promise.allSettled(list.map(work));
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') {
      throw outcome.reason;
    }
  }
}
