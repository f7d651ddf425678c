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

/** The subject of a call: an entry, or tables. */
interface Subject {
  readonly key?: string;
  readonly tables?: readonly (string | { readonly table: string })[];
}

/** Publishes each call of a store on the channel `mikro-orm-cacheops:store`, if it has subscribers. */
export class TracedStore implements Store {
  readonly #store: Store;
  readonly #events: CacheopsEvents;

  constructor(store: Store, events: CacheopsEvents) {
    this.#store = store;
    this.#events = events;
  }

  read(address: EntryAddress): Promise<Found | undefined> {
    // every hit takes this path, so it creates no closure without subscribers
    return channels.store.hasSubscribers
      ? this.#call('read', address, () => this.#store.read(address))
      : this.#store.read(address);
  }

  readMany(addresses: readonly EntryAddress[]): Promise<(Found | undefined)[]> {
    return channels.store.hasSubscribers
      ? this.#call('read', { tables: addresses.flatMap(({ tables }) => tables) }, () =>
          this.#store.readMany(addresses),
        )
      : this.#store.readMany(addresses);
  }

  reseal(address: EntryAddress, found: Found): Promise<void> {
    return this.#call('reseal', address, () => this.#store.reseal(address, found));
  }

  lease(address: EntryAddress, ttl: number): Promise<Lease> {
    return this.#call('lease', address, () => this.#store.lease(address, ttl));
  }

  fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    return this.#call('fill', address, () => this.#store.fill(address, seal, payload, timeout));
  }

  mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    return this.#call('mark', { tables: changes }, () => this.#store.mark(writer, changes));
  }

  /** Not traced, because it asks the store the first time only. */
  schemes(table: string): Promise<readonly Scheme[]> {
    return this.#store.schemes(table);
  }

  settle(writerId: string, tables: readonly string[]): Promise<void> {
    return this.#call('settle', { tables }, () => this.#store.settle(writerId, tables));
  }

  lift(quarantine: Quarantine): Promise<void> {
    return this.#call('lift', { tables: [quarantine] }, () => this.#store.lift(quarantine));
  }

  drop(tables: readonly string[]): Promise<void> {
    return this.#call('drop', { tables }, () => this.#store.drop(tables));
  }

  clear(kept?: readonly string[]): Promise<void> {
    return this.#call('clear', {}, () => this.#store.clear(kept));
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  #call<T>(
    operation: StoreMessage['operation'],
    { key, tables }: Subject,
    run: () => Promise<T>,
  ): Promise<T> {
    if (!channels.store.hasSubscribers) {
      return run();
    }
    const names = tables && new Set(tables.map(each => (typeof each === 'string' ? each : each.table)));
    const message = {
      operation,
      database: this.#events.database,
      events: this.#events,
      ...(key !== undefined && { key }),
      ...(names && { tables: [...names] }),
    };
    return traced(channels.store, message, run);
  }
}
