import { LRUCache } from 'lru-cache';
import type { Scheme, TableDependencies } from '../../values/scheme.js';
import { dependenciesOf, Keys, type TableKeys } from '../keys.js';
import { joinLeases, type TableLease } from '../leases.js';
import { limitsFrom, milliseconds, type TableLimits } from '../limits.js';
import type {
  EntryAddress,
  Found,
  Lease,
  Moved,
  Quarantine,
  Seal,
  Store,
  TableChange,
  Writer,
} from '../store.js';
import { StoreError } from '../store_error.js';
import { touchedBy } from '../touched.js';
import { Entry, type Kept, sizeOf } from './kept.js';
import { Registry } from './registry.js';
import { remaining, Stamps } from './stamps.js';

export interface MemoryStoreOptions extends Partial<TableLimits> {
  /** the most bytes of entries and stamps; the least recently used are evicted. Default: 64 MiB */
  readonly maxSize?: number;
  /** a monotonic clock, in milliseconds. Default: `performance.now` */
  readonly now?: () => number;
}

/**
 * Keeps everything in the memory of this process. It must not be used by several processes, because none would see the
 * writes of another. Several ORMs of one process may share it.
 *
 * Entries and stamps may be evicted at any moment. Registries are not evicted: the number of tables, schemes and
 * writers in flight bounds their size.
 */
export class MemoryStore implements Store {
  readonly #keys = new Keys('');
  readonly #limits: TableLimits;
  readonly #now: () => number;
  readonly #kept: LRUCache<string, Kept>;
  readonly #stamps: Stamps;
  readonly #registries = new Map<string, Registry>();
  #closed = false;

  constructor(options: MemoryStoreOptions = {}) {
    this.#limits = limitsFrom(options);
    // looked up at each call, so that a fake clock can replace it
    this.#now = options.now ?? (() => performance.now());
    this.#kept = new LRUCache({
      maxSize: options.maxSize ?? 64 * 2 ** 20,
      sizeCalculation: sizeOf,
      // lru-cache treats a start time of 0, where fake clocks begin, as missing
      perf: { now: () => this.#now() + 1 },
      // otherwise lru-cache keeps a timer
      ttlResolution: 0,
    });
    this.#stamps = new Stamps(this.#kept);
  }

  async read(address: EntryAddress): Promise<Found | undefined> {
    this.#check('read');
    return this.#find(address);
  }

  /** At one moment, because it is synchronous. */
  async readMany(addresses: readonly EntryAddress[]): Promise<(Found | undefined)[]> {
    this.#check('read');
    return addresses.map(address => this.#find(address));
  }

  #find(address: EntryAddress): Found | undefined {
    const [entryKey, ...stampKeys] = this.#keys.ofAddress(address);
    const entry = this.#kept.get(entryKey!);
    if (!(entry instanceof Entry)) {
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
    // the payload is copied, because a decoder may return views of it that the application writes to
    const moved = seal === entry.seal ? NOTHING : this.#movedSince(entry.seal.split(','), stamps, address);
    return (
      moved && {
        payload: Buffer.from(entry.payload),
        moved,
        seal: entry.id + seal,
        id: entry.id,
        carried: () => entry.seal,
      }
    );
  }

  /** The row deltas between these stamps, if all of them are known. */
  #movedSince(
    earlier: readonly string[],
    later: readonly string[],
    address: EntryAddress,
  ): Moved[] | undefined {
    const moved: Moved[] = [];
    for (const [i, on] of dependenciesOf(address).entries()) {
      if (earlier[i] === later[i]) {
        continue;
      }
      const steps = on && this.#stamps.between(this.#keys.of(on.table), on.dependency, earlier[i], later[i]!);
      if (!steps) {
        return undefined;
      }
      moved.push({ ...on, steps });
    }
    return earlier.length === later.length ? moved : undefined;
  }

  async reseal({ key }: EntryAddress, { moved, seal }: Found): Promise<void> {
    this.#check('reseal');
    const entryKey = this.#keys.entry(key);
    const entry = this.#kept.get(entryKey);
    // another reader may have filled or resealed the entry meanwhile
    if (moved.length > 0 && entry instanceof Entry && seal.startsWith(entry.id)) {
      const resealed = new Entry(seal.slice(entry.id.length), entry.payload);
      this.#kept.set(entryKey, resealed, { ttl: remaining(this.#kept, entryKey) });
    }
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
    return { kind: 'granted', stamps: this.#stamps.lease(keys, dependencies, ttl) };
  }

  async fill({ key }: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    this.#check('fill');
    const entry = new Entry(seal, Buffer.from(payload));
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
        for (const touch of touched) {
          this.#stamps.touch(keys, touch);
        }
      } else {
        this.#kept.delete(keys.stamp);
      }
      registry.record(
        writer,
        touched?.map(({ id }) => id),
        this.#now(),
      );
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

  async clear(kept: readonly string[] = []): Promise<void> {
    this.#check('clear');
    const stays = this.#keys.filterOf(kept);
    for (const key of [...this.#kept.keys(), ...this.#registries.keys()]) {
      if (!stays(key)) {
        this.evict(key);
      }
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#kept.clear();
    this.#registries.clear();
  }

  /**
   * Deletes one key, as any store may at any moment.
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
   * Replaces a registry. Deletes the table's stamp, because writers will no longer delete the stamps of the schemes
   * that were registered.
   */
  #renew(keys: TableKeys): Registry {
    this.#kept.delete(keys.stamp);
    const registry = new Registry();
    this.#registries.set(keys.registry, registry);
    return registry;
  }
}

const NOTHING: readonly Moved[] = [];
