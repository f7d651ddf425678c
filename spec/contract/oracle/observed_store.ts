import { AsyncLocalStorage } from 'node:async_hooks';
import { Keys } from '../../../lib/store/keys.js';
import type {
  EntryAddress,
  Found,
  Lease,
  Quarantine,
  Seal,
  Store,
  TableChange,
  Writer,
} from '../../../lib/store/store.js';
import type { Scheme } from '../../../lib/values/scheme.js';
import { type Gate, gate } from '../../support/gate.js';

/** Deletes keys from a store, without the library's knowledge. */
export interface Evictor {
  /** @param key as in `Keys` with no prefix */
  evict(key: string): Promise<void>;
  evictAll(): Promise<void>;
}

/** State shared by all stores of a world: the keys that they have used, and the work that is held. */
export class SharedState {
  /** keys of entries, stamps and registries, in the order of their first use */
  readonly keys = new Set<string>();
  /** whether fills, or settles, wait until they are released */
  holdsFills = false;
  holdsSettles = false;
  readonly #names = new Keys('');
  readonly #held: (() => Promise<void>)[] = [];
  readonly #stops = new AsyncLocalStorage<Gate>();

  see(address: EntryAddress): void {
    for (const key of this.#names.ofAddress(address)) {
      this.keys.add(key);
    }
    for (const { table } of address.tables) {
      this.keys.add(this.#names.of(table).registry);
    }
  }

  hold(work: () => Promise<void>): void {
    this.#held.push(work);
  }

  async release(): Promise<void> {
    this.holdsFills = this.holdsSettles = false;
    for (const work of this.#held.splice(0)) {
      await work();
    }
  }

  /** Runs a read that stops after each lease. */
  async stopAfterLease(read: () => Promise<unknown>): Promise<Stopped> {
    const stop = gate();
    const done = this.#stops.run(stop, read);
    await Promise.race([stop.reached, done]);
    return { gate: stop, done };
  }

  async afterLease(): Promise<void> {
    await this.#stops.getStore()?.pass();
  }

  async reset(): Promise<void> {
    await this.release();
    this.keys.clear();
  }
}

export interface Stopped {
  readonly gate: Gate;
  readonly done: Promise<unknown>;
}

/** A store with delays that the history decides. */
export class ObservedStore implements Store {
  readonly #store: Store;
  readonly #shared: SharedState;

  constructor(store: Store, shared: SharedState) {
    this.#store = store;
    this.#shared = shared;
  }

  read(address: EntryAddress): Promise<Found | undefined> {
    this.#shared.see(address);
    return this.#store.read(address);
  }

  readMany(addresses: readonly EntryAddress[]): Promise<(Found | undefined)[]> {
    for (const address of addresses) {
      this.#shared.see(address);
    }
    return this.#store.readMany(addresses);
  }

  reseal(address: EntryAddress, found: Found): Promise<void> {
    return this.#store.reseal(address, found);
  }

  async lease(address: EntryAddress, ttl: number): Promise<Lease> {
    const lease = await this.#store.lease(address, ttl);
    await this.#shared.afterLease();
    return lease;
  }

  async fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    const fill = () => this.#store.fill(address, seal, payload, timeout);
    await (this.#shared.holdsFills ? this.#shared.hold(fill) : fill());
  }

  mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    return this.#store.mark(writer, changes);
  }

  schemes(table: string): Promise<readonly Scheme[]> {
    return this.#store.schemes(table);
  }

  async settle(writerId: string, tables: readonly string[]): Promise<void> {
    const settle = () => this.#store.settle(writerId, tables);
    await (this.#shared.holdsSettles ? this.#shared.hold(settle) : settle());
  }

  lift(quarantine: Quarantine): Promise<void> {
    return this.#store.lift(quarantine);
  }

  drop(tables: readonly string[]): Promise<void> {
    return this.#store.drop(tables);
  }

  clear(kept?: readonly string[]): Promise<void> {
    return this.#store.clear(kept);
  }

  close(): Promise<void> {
    return this.#store.close();
  }
}
