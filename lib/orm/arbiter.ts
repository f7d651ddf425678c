import { LRUCache } from 'lru-cache';
import type { Quarantine, Refusal, Store, Writer } from '../store/store.js';
import type { Ask } from './catalog.js';
import type { CacheopsEvents } from './events.js';

/** A writer in flight for longer than this, in milliseconds, is asked about. */
const OVERDUE = 1000;
/** One without a transaction to ask about is given up after this, in milliseconds. */
const LOST = 60_000;
/** How often the fate of a transaction whose COMMIT failed is asked for, in milliseconds. */
const PATIENCE = 500;

/**
 * Decides by the database, and by no clock, whether writers are still in flight: what PostgreSQL says of a
 * transaction is true also when its client has died, and while its COMMIT stalls.
 */
export class Arbiter {
  readonly #store: Store;
  readonly #ask: Ask;
  readonly #events: CacheopsEvents;
  readonly #horizons = new LRUCache<string, bigint>({ max: 1000 });
  #closed = false;

  /** @param ask on a connection of its own */
  constructor(store: Store, ask: Ask, events: CacheopsEvents) {
    this.#store = store;
    this.#ask = ask;
    this.#events = events;
  }

  /**
   * After a lease was refused: settles for writers that have ended without doing so, and ends quarantines that are
   * over.
   *
   * @returns whether it is worth asking for a lease again
   */
  async resolve(refusal: Refusal, ask: Ask): Promise<boolean> {
    const [settled, lifted] = await Promise.all([
      this.#settleOverdue(refusal, ask),
      refusal.quarantines.length > 0 ? this.#liftQuarantines(refusal.quarantines, ask) : false,
    ]);
    return settled || lifted;
  }

  /** Waits for the fate of a transaction whose COMMIT may or may not have come to pass. */
  async watch(writer: Writer, tables: readonly string[]): Promise<void> {
    while (!this.#closed) {
      try {
        if (writer.xid === undefined || (await this.#hasEnded([writer.xid], this.#ask)).has(writer.xid)) {
          await this.#store.settle(writer.id, tables);
          return;
        }
      } catch (error) {
        this.#events.reportError('watch', error);
      }
      await new Promise(resolve => setTimeout(resolve, PATIENCE).unref());
    }
  }

  close(): void {
    this.#closed = true;
  }

  async #settleOverdue({ writers }: Refusal, ask: Ask): Promise<boolean> {
    const overdue = writers.filter(writer => writer.age >= (writer.xid === undefined ? LOST : OVERDUE));
    if (overdue.length === 0) {
      return false;
    }
    const xids = overdue.flatMap(writer => writer.xid ?? []);
    const ended = xids.length > 0 ? await this.#hasEnded(xids, ask) : new Set<string>();
    const over = overdue.filter(writer => writer.xid === undefined || ended.has(writer.xid));
    await Promise.all(over.map(writer => this.#store.settle(writer.id, writer.tables)));
    return over.length > 0;
  }

  /** Which of these transactions are not in progress any more: committed, rolled back, or too long ago to tell. */
  async #hasEnded(xids: readonly string[], ask: Ask): Promise<Set<string>> {
    const known = xids.filter(xid => /^\d+$/.test(xid)); // they come from the store
    const list = known.map(xid => `('${xid}')`).join(', ');
    const rows = await ask(
      // an id that was not given out yet is of a database that this one has replaced; asking for its status is an error
      `select xid from (values ${list}) as v (xid)
       where case when xid::xid8 < pg_snapshot_xmax(pg_current_snapshot())
         then pg_xact_status(xid::xid8) is distinct from 'in progress' else true end`,
    );
    return new Set([...rows.map(row => row.xid as string), ...xids.filter(xid => !known.includes(xid))]);
  }

  /**
   * A registry that was made anew may have forgotten writers in flight. All of them have a transaction id by then,
   * so once every transaction that was running at that time has ended, nobody is forgotten.
   */
  async #liftQuarantines(quarantines: readonly Quarantine[], ask: Ask): Promise<boolean> {
    const [row] = await ask(
      `select pg_snapshot_xmin(pg_current_snapshot())::text as oldest, pg_snapshot_xmax(pg_current_snapshot())::text as next`,
    );
    const over = quarantines.filter(quarantine => {
      const id = `${quarantine.table} ${quarantine.nonce}`;
      let horizon = this.#horizons.get(id);
      if (horizon === undefined) {
        horizon = BigInt(row!.next);
        this.#horizons.set(id, horizon);
      }
      return BigInt(row!.oldest) >= horizon;
    });
    await Promise.all(over.map(quarantine => this.#store.lift(quarantine)));
    return over.length > 0;
  }
}
