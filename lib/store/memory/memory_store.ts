import { LRUCache } from 'lru-cache';
import type { Scheme, TableDependencies } from '../../values/scheme.js';
import { dependenciesOf, Keys, type TableKeys } from '../keys.js';
import { joinLeases, type TableLease } from '../leases.js';
import { limitsFrom, type TableLimits } from '../limits.js';
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
  readonly #kept: LRUCache<string, Kept>;
  readonly #stamps: Stamps;
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
    this.#stamps = new Stamps(this.#kept);
  }

  async read(address: EntryAddress): Promise<Found | undefined> {
    this.#check('read');
    return this.#find(address);
  }

  /** Nothing comes between, because nothing is waited for. */
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
    // a copy of the payload, because a decoder may hand out views of it, and their reader may write to them
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

  /** What lies between these stamps, if every difference is a matter of steps that are known. */
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
    // it may have been filled anew meanwhile, or sealed anew by another reader
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
}

/** At least one, since zero would be forever. */
function milliseconds(seconds: number): number {
  return Math.max(1, Math.ceil(seconds * 1000));
}

const NOTHING: readonly Moved[] = [];
