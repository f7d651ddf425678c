import {
  type EntryAddress,
  EVERYTHING,
  type Found,
  type Lease,
  type Quarantine,
  type Scheme,
  type Seal,
  type Store,
  type TableChange,
  type Writer,
} from './store.js';

export interface GuardOptions {
  /** what becomes of a write whose mark the store does not take */
  readonly onStoreFailure: 'degrade' | 'throw';
  /** how long a store that failed is left alone, in milliseconds */
  readonly retryAfter: number;
  readonly report: (operation: string, error: unknown) => void;
}

const REFUSED: Lease = { granted: false, writers: [], quarantines: [] };

/**
 * Stands between the cache and a store that may fail.
 *
 * *Reads* fail open: to the database. The first failure opens a circuit breaker, so that an outage costs one wait and
 * not one a query; after a while one attempt in the background finds out whether the store is back.
 *
 * *Invalidations* are not forgotten: those that the store did not take fail their transaction (`throw`), or are kept
 * (`degrade`) and delivered, when their transaction has ended and the store is back, *before* this process trusts
 * the store again. Kept are names of tables, so that an outage of any length takes up no more than that.
 */
export class GuardedStore implements Store {
  readonly #store: Store;
  readonly #options: GuardOptions;
  /** until when the store is left alone; 0 if it works */
  #closedUntil = 0;
  #recovery: Promise<void> | undefined;
  /** by writer that has not ended yet: the tables of marks that were not taken */
  readonly #pending = new Map<string, readonly string[]>();
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
    // as #attempt(), without a promise more: this is what every hit goes through
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

  async fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    // harmless whenever it arrives: the seal decides
    if (this.#isTrusted()) {
      await this.#attempt('fill', () => this.#store.fill(address, seal, payload, timeout), undefined);
    }
  }

  async schemes(table: string): Promise<readonly Scheme[]> {
    return this.#isClosed() ? [] : this.#attempt('schemes', () => this.#store.schemes(table), []);
  }

  async mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    const tables = changes.map(({ table }) => table);
    if (this.#isClosed()) {
      this.#postpone(writer, tables, new Error('The cache store is not available'));
      return;
    }
    try {
      // without marks: registries that are gone are in quarantine until all have ended that may have written
      await (tables.includes(EVERYTHING) ? this.#store.clear() : this.#store.mark(writer, changes));
    } catch (error) {
      this.#fail('mark', error);
      this.#postpone(writer, tables, error);
    }
  }

  async settle(writerId: string, tables: readonly string[]): Promise<void> {
    const pending = this.#pending.get(writerId);
    if (pending) {
      this.#pending.delete(writerId);
      for (const table of pending) {
        this.#undelivered.add(table);
      }
    }
    if (this.#isClosed()) {
      this.#tryLater();
      return; // if a mark stands after all, others learn from the database that its writer has ended
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

  /** @throws the store's error: who asks for it by name shall know */
  async drop(tables: readonly string[]): Promise<void> {
    await (tables.includes(EVERYTHING) ? this.#store.clear() : this.#store.drop(tables));
  }

  /** @throws the store's error */
  async clear(): Promise<void> {
    await this.#store.clear();
  }

  /** Tries a last time to deliver what is owed. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#recovery;
    if (this.#undelivered.size > 0) {
      await this.#recover();
    }
    this.#isEnded = true;
    clearTimeout(this.#timer);
    await this.#store.close();
  }

  #isClosed(): boolean {
    return this.#closedUntil > performance.now();
  }

  #isTrusted(): boolean {
    const owesNothing = this.#pending.size === 0 && this.#undelivered.size === 0 && !this.#recovery;
    if (this.#closedUntil === 0 && owesNothing) {
      return true;
    }
    if (!this.#isClosed()) {
      void this.#recover();
    }
    return false;
  }

  /** One attempt at a time to find the store working, and to deliver what it has missed. Never rejects. */
  #recover(): Promise<void> {
    this.#recovery ??= this.#deliver().finally(() => {
      this.#recovery = undefined;
    });
    return this.#recovery;
  }

  async #deliver(): Promise<void> {
    do {
      // taken out first: what is added meanwhile may be of the same table, and about a later write
      const tables = [...this.#undelivered];
      this.#undelivered.clear();
      try {
        // also without tables: it shows that the store answers
        await this.drop(tables.length > 0 ? tables : [PROBE]);
        this.#closedUntil = 0;
      } catch (error) {
        for (const table of tables) {
          this.#undelivered.add(table);
        }
        this.#fail('recover', error);
        this.#tryLater();
        return;
      }
    } while (this.#undelivered.size > 0);
  }

  /** Others may still be served what is to be dropped, however idle this process is. */
  #tryLater(): void {
    if (this.#undelivered.size > 0 && !this.#timer && !this.#isEnded) {
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
    this.#closedUntil = performance.now() + this.#options.retryAfter;
    this.#options.report(operation, error);
  }

  #postpone(writer: Writer, tables: readonly string[], error: unknown): void {
    if (this.#options.onStoreFailure === 'throw') {
      throw error;
    }
    this.#pending.set(writer.id, tables);
  }
}

/** No table has this name. */
const PROBE = 'probe';
