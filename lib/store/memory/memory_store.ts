import { LRUCache } from 'lru-cache';
import { idOf, Keys, type TableKeys } from '../keys.js';
import { joinLeases, type TableLease } from '../leases.js';
import { limitsFrom, type TableLimits } from '../limits.js';
import type {
  EntryAddress,
  Found,
  Lease,
  Quarantine,
  Scheme,
  Seal,
  Store,
  TableChange,
  TableDependencies,
  Writer,
} from '../store.js';
import { StoreError } from '../store_error.js';
import { token } from '../token.js';
import { touchedBy } from '../touched.js';
import { Registry } from './registry.js';

export interface MemoryStoreOptions extends Partial<TableLimits> {
  /** what entries and stamps may take up, in bytes; the least recently used make room. Default: 64 MiB */
  readonly maxSize?: number;
  /** a clock that only goes forward, in milliseconds. Default: `performance.now` */
  readonly now?: () => number;
}

/**
 * Keeps everything in the memory of this process, and serves no other: a second process would not learn what this
 * one writes. Several ORMs of one process may share it.
 *
 * Entries and stamps may be evicted at any moment. Registries are not: what they take up is bounded by the tables,
 * their schemes and the writers in flight.
 */
export class MemoryStore implements Store {
  readonly #keys = new Keys('');
  readonly #limits: TableLimits;
  readonly #now: () => number;
  readonly #kept: LRUCache<string, Entry | Stamp>;
  readonly #registries = new Map<string, Registry>();
  #closed = false;

  constructor(options: MemoryStoreOptions = {}) {
    this.#limits = limitsFrom(options);
    // looked up at each call, so that a fake clock can take its place
    this.#now = options.now ?? (() => performance.now());
    this.#kept = new LRUCache({
      maxSize: options.maxSize ?? 64 * 2 ** 20,
      sizeCalculation: sizeOf,
      // it takes a start at 0, where fake clocks begin, for a missing one
      perf: { now: () => this.#now() + 1 },
      // otherwise it keeps a timer
      ttlResolution: 0,
    });
  }

  async read(address: EntryAddress): Promise<Found | undefined> {
    this.#check('read');
    const [entryKey, ...stampKeys] = this.#keys.ofAddress(address);
    const entry = this.#kept.get(entryKey!);
    if (typeof entry !== 'object') {
      return undefined;
    }
    const stamps: string[] = [];
    for (const key of stampKeys) {
      const stamp = this.#kept.get(key);
      if (typeof stamp !== 'string') {
        return undefined;
      }
      stamps.push(stamp);
    }
    const seal = stamps.join();
    // a copy, because a decoder may hand out views of it, and their reader may write to them
    return seal === entry.seal ? { payload: Buffer.from(entry.payload), moved: [], seal } : undefined;
  }

  async reseal(_address: EntryAddress, _found: Found): Promise<void> {
    this.#check('reseal');
  }

  async lease(address: EntryAddress, ttl: number): Promise<Lease> {
    this.#check('lease');
    const leases = address.tables.map(table => this.#leaseTable(table, milliseconds(ttl)));
    return joinLeases(address.tables, leases);
  }

  #leaseTable({ table, dependencies }: TableDependencies, ttl: number): TableLease {
    const keys = this.#keys.of(table);
    const registry = this.#registries.get(keys.registry) ?? this.#renew(keys);
    if (registry.use(dependencies, this.#limits)) {
      this.#kept.delete(keys.stamp);
    }
    if (registry.quarantine) {
      return { kind: 'quarantine', nonce: registry.quarantine };
    }
    const now = this.#now();
    const blocking = registry.blocking(dependencies);
    if (blocking.size > 0) {
      return {
        kind: 'writers',
        writers: Array.from(blocking, ({ id, xid, since }) => ({ id, xid, age: now - since })),
      };
    }
    const stampKeys = [keys.stamp, ...dependencies.map(dependency => keys.dependencies + idOf(dependency))];
    return { kind: 'granted', stamps: stampKeys.map(key => this.#stamp(key, ttl)) };
  }

  async fill({ key }: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    this.#check('fill');
    const entry = { seal, payload: Buffer.from(payload) };
    this.#kept.set(this.#keys.entry(key), entry, { ttl: milliseconds(timeout) });
  }

  async mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    this.#check('mark');
    for (const change of changes) {
      const keys = this.#keys.of(change.table);
      let registry = this.#registries.get(keys.registry) ?? this.#renew(keys);
      const touched = touchedBy(change, registry.schemes, this.#limits.maxTouched);
      if (registry.isFullFor(touched?.length ?? 0)) {
        registry = this.#renew(keys);
      }
      if (touched) {
        for (const id of touched) {
          this.#kept.delete(keys.dependencies + id);
        }
      } else {
        this.#kept.delete(keys.stamp);
      }
      registry.record(writer, touched, this.#now());
    }
  }

  async schemes(table: string): Promise<readonly Scheme[]> {
    this.#check('schemes');
    return this.#registries.get(this.#keys.of(table).registry)?.schemes ?? [];
  }

  async settle(writerId: string, tables: readonly string[]): Promise<void> {
    this.#check('settle');
    for (const table of tables) {
      this.#registries.get(this.#keys.of(table).registry)?.settle(writerId);
    }
  }

  async lift({ table, nonce }: Quarantine): Promise<void> {
    this.#check('lift');
    const registry = this.#registries.get(this.#keys.of(table).registry);
    if (registry?.quarantine === nonce) {
      registry.quarantine = undefined;
    }
  }

  async drop(tables: readonly string[]): Promise<void> {
    this.#check('drop');
    for (const table of tables) {
      this.#kept.delete(this.#keys.of(table).stamp);
    }
  }

  async clear(): Promise<void> {
    this.#check('clear');
    this.#kept.clear();
    this.#registries.clear();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#kept.clear();
    this.#registries.clear();
  }

  /**
   * Deletes one thing, as any store may at any moment.
   *
   * @internal for tests
   * @param key as in {@link Keys}
   */
  evict(key: string): void {
    this.#kept.delete(key);
    this.#registries.delete(key);
  }

  #check(operation: string): void {
    if (this.#closed) {
      throw new StoreError(operation, 'it is closed.');
    }
  }

  /**
   * Makes a registry anew. Its table's stamp goes, because nobody will delete the stamps of the schemes that were
   * registered.
   */
  #renew(keys: TableKeys): Registry {
    this.#kept.delete(keys.stamp);
    const registry = new Registry();
    this.#registries.set(keys.registry, registry);
    return registry;
  }

  /** The stamp under this key, made if it is missing, that lives for at least `ttl` milliseconds. */
  #stamp(key: string, ttl: number): Stamp {
    const kept = this.#kept.get(key);
    const stamp = typeof kept === 'string' ? kept : token();
    if (stamp !== kept || this.#kept.getRemainingTTL(key) < ttl) {
      this.#kept.set(key, stamp, { ttl });
    }
    return stamp;
  }
}

type Stamp = string;

interface Entry {
  readonly seal: Seal;
  readonly payload: Buffer;
}

/** What an entry of a map, and the bookkeeping of the cache, take up beside what is kept. */
const OVERHEAD = 200;

/** At least one, since zero would be forever. */
function milliseconds(seconds: number): number {
  return Math.max(1, Math.ceil(seconds * 1000));
}

function sizeOf(kept: Entry | Stamp, key: string): number {
  const size = typeof kept === 'string' ? kept.length : kept.seal.length + kept.payload.byteLength;
  return OVERHEAD + key.length + size;
}
