import type { Scheme } from '../values/scheme.js';
import {
  type EntryAddress,
  EVERYTHING,
  type Found,
  type Lease,
  type Quarantine,
  type Seal,
  type Store,
  type TableChange,
  type Writer,
} from './store.js';
import { StoreError } from './store_error.js';

export interface GuardOptions {
  /** what happens to a write if the store does not take its mark */
  readonly onStoreFailure: 'degrade' | 'throw';
  /** how long a store that failed is left alone, in milliseconds */
  readonly retryAfter: number;
  readonly report: (operation: string, error: unknown) => void;
  /** An outage has begun, or has ended if there is no error. */
  readonly onOutage?: (error?: unknown) => void;
  /** There is an invalidation after {@link GuardedStore.close}. To be answered by {@link GuardedStore.reopen}. */
  readonly onLateMark?: () => void;
}

const NOT_AVAILABLE = 'it has failed a moment ago';
const REFUSED: Lease = { granted: false, writers: [], quarantines: [] };

/**
 * Wraps a store that may fail.
 *
 * *Reads* fall back to the database. The first failure opens a circuit breaker, so that an outage costs one wait rather
 * than one a query. After `retryAfter`, one attempt in the background tests whether the store is back.
 *
 * *Invalidations* are never lost. If the store does not take one, its transaction fails (`throw`), or the invalidation
 * is kept (`degrade`) and delivered *before* this process trusts the store again:
 *
 * - If the transaction has ended, its tables are dropped.
 * - If it has not, or if this process does not know (the transaction is prepared, or the answer to its COMMIT was
 *   lost), the mark is sent late. From then on the transaction is an ordinary writer in flight: no process stores what
 *   it may change, and each process can ask the database for the writer's fate, also after this process has ended.
 *
 * Only names of tables are kept, so that the length of an outage does not matter.
 */
export class GuardedStore implements Store {
  #store: Store;
  readonly #options: GuardOptions;
  /** no calls before this time, by `performance.now`; 0 if the store works */
  #closedUntil = 0;
  #recovery: Promise<void> | undefined;
  /** marks that the store did not take, by the id of a writer that may not have ended */
  readonly #pending = new Map<string, LateMark>();
  /** tables to drop before the store is trusted */
  readonly #undelivered = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #isEnded = false;

  constructor(store: Store, options: GuardOptions) {
    this.#store = store;
    this.#options = options;
  }

  async read(address: EntryAddress): Promise<Found | undefined> {
    if (!this.#isTrusted()) {
      return undefined;
    }
    // like #attempt(), with one promise less, because every hit takes this path
    try {
      return await this.#store.read(address);
    } catch (error) {
      this.#fail('read', error);
      return undefined;
    }
  }

  async readMany(addresses: readonly EntryAddress[]): Promise<(Found | undefined)[]> {
    const nothing = addresses.map(() => undefined);
    return this.#isTrusted()
      ? this.#attempt('read', () => this.#store.readMany(addresses), nothing)
      : nothing;
  }

  async reseal(address: EntryAddress, found: Found): Promise<void> {
    if (this.#isTrusted()) {
      await this.#attempt('reseal', () => this.#store.reseal(address, found), undefined);
    }
  }

  async lease(address: EntryAddress, ttl: number): Promise<Lease> {
    return this.#isTrusted()
      ? this.#attempt('lease', () => this.#store.lease(address, ttl), REFUSED)
      : REFUSED;
  }

  /** @throws if the entry is not stored; the failure of a call has been reported by then */
  async fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    if (!this.#isTrusted()) {
      throw new StoreError('fill', NOT_AVAILABLE);
    }
    try {
      await this.#store.fill(address, seal, payload, timeout);
    } catch (error) {
      this.#fail('fill', error);
      throw error;
    }
  }

  async schemes(table: string): Promise<readonly Scheme[]> {
    return this.#isClosed() ? [] : this.#attempt('schemes', () => this.#store.schemes(table), []);
  }

  async mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    const tables = changes.map(({ table }) => table);
    if (this.#isEnded) {
      this.#options.onLateMark?.();
    }
    if (this.#isClosed()) {
      this.#postpone(writer, tables, new StoreError('mark', NOT_AVAILABLE));
      return;
    }
    try {
      await this.#mark(writer, changes);
    } catch (error) {
      this.#fail('mark', error);
      this.#postpone(writer, tables, error);
    }
  }

  async settle(writerId: string, tables: readonly string[]): Promise<void> {
    const pending = this.#pending.get(writerId);
    if (pending) {
      this.#pending.delete(writerId);
      for (const table of pending.tables) {
        this.#undelivered.add(table);
      }
    }
    if (this.#isClosed()) {
      this.#tryLater();
      return; // if the store has a mark, other processes ask the database and learn that its writer has ended
    }
    const marked = tables.filter(table => table !== EVERYTHING);
    if (marked.length > 0) {
      await this.#attempt('settle', () => this.#store.settle(writerId, marked), undefined);
    }
    if (this.#undelivered.size > 0) {
      await this.#recover();
    }
  }

  async lift(quarantine: Quarantine): Promise<void> {
    if (this.#isTrusted()) {
      await this.#attempt('lift', () => this.#store.lift(quarantine), undefined);
    }
  }

  /** @throws the store's error, because the caller asked for the invalidation explicitly */
  async drop(tables: readonly string[]): Promise<void> {
    await (tables.includes(EVERYTHING) ? this.#store.clear() : this.#store.drop(tables));
  }

  /** @throws the store's error */
  async clear(kept?: readonly string[]): Promise<void> {
    await this.#store.clear(kept);
  }

  /**
   * Tries once to deliver what the store has missed. Waits no longer than the timeout of the store. Never rejects.
   *
   * @param isLast whether to report the tables of invalidations that cannot be delivered
   */
  async flush(isLast: boolean): Promise<void> {
    await this.#recovery;
    if (this.#hasUndelivered) {
      await this.#recover();
    }
    if (this.#hasUndelivered && isLast) {
      const late = [...this.#pending.values()].flatMap(({ tables }) => tables);
      const tables = [...new Set([...this.#undelivered, ...late])].join(', ');
      this.#options.report(
        'close',
        new Error(`The store has not received the invalidations of writes to ${tables}.`),
      );
    }
  }

  /** Keeps what could not be delivered for {@link reopen}. */
  async close(): Promise<void> {
    const store = this.#store;
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.flush(true);
    await store.close();
  }

  /** Continues after {@link close} with another store of the same contents, and delivers first what that has missed. */
  reopen(store: Store): void {
    this.#store = store;
    this.#isEnded = false;
    this.#closedUntil = 0;
    if (this.#hasUndelivered) {
      void this.#recover();
    }
  }

  get #hasUndelivered(): boolean {
    return this.#pending.size > 0 || this.#undelivered.size > 0;
  }

  #isClosed(): boolean {
    return this.#closedUntil > performance.now();
  }

  #isTrusted(): boolean {
    if (this.#closedUntil === 0 && !this.#hasUndelivered && !this.#recovery) {
      return true;
    }
    if (!this.#isClosed()) {
      void this.#recover();
    }
    return false;
  }

  /** Tries to deliver what the store has missed, one attempt at a time. Never rejects. */
  #recover(): Promise<void> {
    this.#recovery ??= this.#deliver().finally(() => {
      this.#recovery = undefined;
    });
    return this.#recovery;
  }

  async #deliver(): Promise<void> {
    do {
      // removed first, because a later write may add the same table meanwhile
      const tables = [...this.#undelivered];
      this.#undelivered.clear();
      try {
        // also without tables, to test that the store answers
        await this.drop(tables.length > 0 ? tables : [PROBE]);
        for (const late of this.#pending.values()) {
          await this.#markLate(late);
        }
        if (this.#closedUntil !== 0) {
          this.#closedUntil = 0;
          this.#options.onOutage?.();
        }
      } catch (error) {
        for (const table of tables) {
          this.#undelivered.add(table);
        }
        this.#fail('recover', error);
        this.#tryLater();
        return;
      }
    } while (this.#hasUndelivered);
  }

  async #mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    // without marks: clear() deletes the registries, and new ones are in quarantine until all open transactions have
    // ended
    const isAll = changes.some(({ table }) => table === EVERYTHING);
    await (isAll ? this.#store.clear() : this.#store.mark(writer, changes));
  }

  async #markLate(late: LateMark): Promise<void> {
    const { writer, tables } = late;
    await this.#mark(
      writer,
      tables.map(table => ({ table, touched: () => undefined })),
    );
    const now = this.#pending.get(writer.id);
    if (now === late) {
      this.#pending.delete(writer.id);
    } else if (!now) {
      // the writer has settled meanwhile, perhaps before the late mark arrived
      await this.#store.settle(writer.id, tables);
    }
  }

  /** Retries by a timer as well, because other processes may read stale results while this one is idle. */
  #tryLater(): void {
    if (this.#hasUndelivered && !this.#timer && !this.#isEnded) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        void this.#recover();
      }, this.#options.retryAfter);
      this.#timer.unref();
    }
  }

  async #attempt<T>(operation: string, call: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      return await call();
    } catch (error) {
      this.#fail(operation, error);
      return otherwise;
    }
  }

  #fail(operation: string, error: unknown): void {
    if (this.#closedUntil === 0) {
      this.#options.onOutage?.(error);
    }
    this.#closedUntil = performance.now() + this.#options.retryAfter;
    this.#options.report(operation, error);
  }

  #postpone(writer: Writer, tables: readonly string[], error: unknown): void {
    if (this.#options.onStoreFailure === 'throw') {
      throw error;
    }
    const { tables: earlier = [] } = this.#pending.get(writer.id) ?? {};
    this.#pending.set(writer.id, { writer, tables: [...new Set([...earlier, ...tables])] });
    this.#tryLater();
  }
}

interface LateMark {
  readonly writer: Writer;
  readonly tables: readonly string[];
}

/** No table has this name. */
const PROBE = 'probe';
