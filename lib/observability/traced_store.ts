import type {
  EntryAddress,
  Found,
  Lease,
  Quarantine,
  Seal,
  Store,
  TableChange,
  Writer,
} from '../store/store.js';
import type { Scheme } from '../values/scheme.js';
import type { CacheopsEvents } from './events.js';
import { channels, type StoreMessage, traced } from './tracing.js';

type Operation = StoreMessage['operation'];
type About = Pick<StoreMessage, 'key' | 'tables'>;

/** Publishes each call of a store on the channel `mikro-orm-cacheops:store`, if it has subscribers. */
export class TracedStore implements Store {
  readonly #store: Store;
  readonly #events: CacheopsEvents;

  constructor(store: Store, events: CacheopsEvents) {
    this.#store = store;
    this.#events = events;
  }

  read(address: EntryAddress): Promise<Found | undefined> {
    return channels.store.hasSubscribers
      ? this.#traced(
          'read',
          () => ofEntry(address),
          () => this.#store.read(address),
        )
      : this.#store.read(address);
  }

  readMany(addresses: readonly EntryAddress[]): Promise<(Found | undefined)[]> {
    return this.#maybe(
      'read',
      () => ofEntries(addresses),
      () => this.#store.readMany(addresses),
    );
  }

  reseal(address: EntryAddress, found: Found): Promise<void> {
    return this.#maybe(
      'reseal',
      () => ofEntry(address),
      () => this.#store.reseal(address, found),
    );
  }

  lease(address: EntryAddress, ttl: number): Promise<Lease> {
    return this.#maybe(
      'lease',
      () => ofEntry(address),
      () => this.#store.lease(address, ttl),
    );
  }

  fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    return this.#maybe(
      'fill',
      () => ofEntry(address),
      () => this.#store.fill(address, seal, payload, timeout),
    );
  }

  mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    const about = () => ({ tables: changes.map(({ table }) => table) });
    return this.#maybe('mark', about, () => this.#store.mark(writer, changes));
  }

  /** Not traced, because it asks the store the first time only. */
  schemes(table: string): Promise<readonly Scheme[]> {
    return this.#store.schemes(table);
  }

  settle(writerId: string, tables: readonly string[]): Promise<void> {
    return this.#maybe(
      'settle',
      () => ({ tables }),
      () => this.#store.settle(writerId, tables),
    );
  }

  lift(quarantine: Quarantine): Promise<void> {
    return this.#maybe(
      'lift',
      () => ({ tables: [quarantine.table] }),
      () => this.#store.lift(quarantine),
    );
  }

  drop(tables: readonly string[]): Promise<void> {
    return this.#maybe(
      'drop',
      () => ({ tables }),
      () => this.#store.drop(tables),
    );
  }

  clear(kept?: readonly string[]): Promise<void> {
    return this.#maybe(
      'clear',
      () => ({}),
      () => this.#store.clear(kept),
    );
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #maybe<T>(operation: Operation, about: () => About, run: () => Promise<T>): Promise<T> {
    return channels.store.hasSubscribers ? this.#traced(operation, about, run) : run();
  }

  #traced<T>(operation: Operation, about: () => About, run: () => Promise<T>): Promise<T> {
    const { database } = this.#events;
    return traced(channels.store, { operation, database, events: this.#events, ...about() }, run);
  }
}

function ofEntries(addresses: readonly EntryAddress[]): About {
  return { tables: [...new Set(addresses.flatMap(({ tables }) => tables.map(({ table }) => table)))] };
}

function ofEntry({ key, tables }: EntryAddress): About {
  return { key, tables: tables.map(({ table }) => table) };
}
