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
 * (`degrade`) and delivered when the store is back, *before* this process trusts the store again:
 *
 * - of a transaction that has ended, the tables are dropped;
 * - of one that has not, or of which this process does not know whether it has (it is prepared, or the answer to its
 *   COMMIT was lost), the mark is made up for. From then on it is like any other writer in flight: no process stores
 *   what it may change, and each process can ask the database for its fate, also after this one has ended.
 *
 * Kept are names of tables, so that an outage of any length takes up no more than that.
 */
export class GuardedStore implements Store {
  #store: Store;
  readonly #options: GuardOptions;
  /** until when the store is left alone; 0 if it works */
  #closedUntil = 0;
  #recovery: Promise<void> | undefined;
  /** by the id of a writer that may not have ended yet: its mark, which was not taken */
  readonly #pending = new Map<string, OwedMark>();
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
  async clear(kept?: readonly string[]): Promise<void> {
    await this.#store.clear(kept);
  }

  /**
   * Tries once to deliver what is owed, if anything is. Waits no longer than the store is waited for. Never rejects.
   *
   * @param isLast whether the tables of what cannot be delivered are reported
   */
  async flush(isLast: boolean): Promise<void> {
    await this.#recovery;
    if (this.#owes) {
      await this.#recover();
    }
    if (this.#owes && isLast) {
      const owed = [...this.#pending.values()].flatMap(({ tables }) => tables);
      const tables = [...new Set([...this.#undelivered, ...owed])].join(', ');
      this.#options.report('close', new Error(`The store was not told of writes to ${tables}.`));
    }
  }

  /** What could not be delivered is kept: see {@link reopen}. */
  async close(): Promise<void> {
    this.#isEnded = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.flush(true);
    await this.#store.close();
  }

  /** After it was closed: goes on with another store of the same contents. What is still owed comes first. */
  reopen(store: Store): void {
    this.#store = store;
    this.#isEnded = false;
    this.#closedUntil = 0;
    if (this.#owes) {
      void this.#recover();
    }
  }

  get #owes(): boolean {
    return this.#pending.size > 0 || this.#undelivered.size > 0;
  }

  #isClosed(): boolean {
    return this.#closedUntil > performance.now();
  }

  #isTrusted(): boolean {
    if (this.#closedUntil === 0 && !this.#owes && !this.#recovery) {
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
        for (const owed of this.#pending.values()) {
          await this.#makeUpFor(owed);
        }
        this.#closedUntil = 0;
      } catch (error) {
        for (const table of tables) {
          this.#undelivered.add(table);
        }
        this.#fail('recover', error);
        this.#tryLater();
        return;
      }
    } while (this.#owes);
  }

  async #mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    // without marks: registries that are gone are in quarantine until all have ended that may have written
    const isAll = changes.some(({ table }) => table === EVERYTHING);
    await (isAll ? this.#store.clear() : this.#store.mark(writer, changes));
  }

  async #makeUpFor(owed: OwedMark): Promise<void> {
    const { writer, tables } = owed;
    await this.#mark(
      writer,
      tables.map(table => ({ table, touched: () => undefined })),
    );
    const now = this.#pending.get(writer.id);
    if (now === owed) {
      this.#pending.delete(writer.id);
    } else if (!now) {
      // it has settled meanwhile, and its mark may have come after that
      await this.#store.settle(writer.id, tables);
    }
  }

  /** Others may still be served what is to be dropped, however idle this process is. */
  #tryLater(): void {
    if (this.#owes && !this.#timer && !this.#isEnded) {
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
    const { tables: earlier = [] } = this.#pending.get(writer.id) ?? {};
    this.#pending.set(writer.id, { writer, tables: [...new Set([...earlier, ...tables])] });
    this.#tryLater();
  }
}

interface OwedMark {
  readonly writer: Writer;
  readonly tables: readonly string[];
}

/** No table has this name. */
const PROBE = 'probe';
