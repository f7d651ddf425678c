import { LRUCache } from 'lru-cache';
import type { Quarantine, Refusal, Store, Writer } from '../store/store.js';
import type { Ask } from './catalog.js';
import type { CatalogSource } from './database.js';
import type { CacheopsEvents } from './events.js';
import { isPseudoTable } from './pseudo_tables.js';

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
  readonly #database: CatalogSource;
  readonly #ask: Ask;
  readonly #events: CacheopsEvents;
  /** by nonce of a quarantine: who has to end before it is over */
  readonly #awaited = new LRUCache<string, ReadonlySet<string>>({ max: 1000 });
  #closed = false;

  /** @param ask on a connection of its own: in a transaction, the database would tell of another moment */
  constructor(store: Store, database: CatalogSource, ask: Ask, events: CacheopsEvents) {
    this.#database = database;
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
  async resolve(refusal: Refusal): Promise<boolean> {
    const [settled, lifted] = await Promise.all([
      this.#settleOverdue(refusal),
      refusal.quarantines.length > 0 ? this.#liftQuarantines(refusal.quarantines) : false,
    ]);
    return settled || lifted;
  }

  /** Waits for the fate of a transaction whose COMMIT may or may not have come to pass. */
  async watch(writer: Writer, tables: readonly string[]): Promise<void> {
    while (!this.#closed) {
      try {
        if (writer.xid === undefined || (await this.#hasEnded([writer.xid])).has(writer.xid)) {
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

  async #settleOverdue({ writers }: Refusal): Promise<boolean> {
    const overdue = writers.filter(writer => writer.age >= (writer.xid === undefined ? LOST : OVERDUE));
    if (overdue.length === 0) {
      return false;
    }
    const xids = overdue.flatMap(writer => writer.xid ?? []);
    const ended = xids.length > 0 ? await this.#hasEnded(xids) : new Set<string>();
    const over = overdue.filter(writer => writer.xid === undefined || ended.has(writer.xid));
    await Promise.all(over.map(writer => this.#store.settle(writer.id, writer.tables)));
    return over.length > 0;
  }

  /**
   * Which of these transactions are not in progress any more: committed, rolled back, or never begun here (by a
   * database that this one has replaced).
   *
   * The snapshot's xmax is not the next id to be given out, but only the one after the last that has ended. Whether a
   * later one is running, its lock tells: a transaction holds it from when it gets its id until after it has ended
   * for all others. (To ask for the status of an id that was not given out would be an error.)
   */
  async #hasEnded(xids: readonly string[]): Promise<Set<string>> {
    const known = xids.filter(xid => /^\d{1,19}$/.test(xid)); // they come from the store
    const ended = new Set(xids.filter(xid => !known.includes(xid)));
    if (known.length > 0) {
      const list = known.map(xid => `('${xid}')`).join(', ');
      const rows = await this.#ask(`
        select xid from (values ${list}) as v (xid)
        where case when xid::xid8 < pg_snapshot_xmax(pg_current_snapshot())
          then pg_xact_status(xid::xid8) is distinct from 'in progress'
          else not exists (select from pg_locks where locktype = 'transactionid' and mode = 'ExclusiveLock'
            and transactionid::text::bigint = xid::bigint & 4294967295) end`);
      for (const { xid } of rows) {
        ended.add(xid);
      }
    }
    return ended;
  }

  /**
   * A registry that was made anew may have forgotten writers in flight. Whoever has written to a table holds a lock on
   * it until after its changes are visible. So once every transaction that holds one now has ended, nobody is
   * forgotten: who comes later is recorded in the new registry.
   */
  async #liftQuarantines(quarantines: readonly Quarantine[]): Promise<boolean> {
    const { tables } = await this.#database.get(this.#ask);
    const oidsOf = ({ table }: Quarantine) =>
      (tables.get(table)?.heirs ?? []).flatMap(heir => tables.get(heir)?.oid ?? []);
    const holders = await this.#holders(quarantines.flatMap(oidsOf));
    const over = quarantines.filter(quarantine => {
      const oids = oidsOf(quarantine);
      const now = new Set(oids.flatMap(oid => holders.get(oid) ?? []));
      const awaited = this.#awaited.get(quarantine.nonce) ?? now;
      // a prepared transaction is known by another name once the server has restarted
      const still = new Set([...now].filter(holder => awaited.has(holder) || holder.startsWith('-1/')));
      this.#awaited.set(quarantine.nonce, still);
      return (oids.length > 0 || isPseudoTable(quarantine.table)) && still.size === 0;
    });
    await Promise.all(over.map(quarantine => this.#store.lift(quarantine)));
    return over.length > 0;
  }

  /** The transactions that may have changed rows of these tables and have not ended, by the tables' oids. */
  async #holders(oids: readonly string[]): Promise<Map<string, string[]>> {
    const rows =
      oids.length === 0
        ? []
        : await this.#ask(`
      select relation::text as oid, virtualtransaction as holder from pg_locks
      where locktype = 'relation' and relation in (${oids.join(', ')})
        and database = (select oid from pg_database where datname = current_database())
        and mode in ('RowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')`);
    const holders = new Map<string, string[]>();
    for (const { oid, holder } of rows) {
      holders.set(oid, [...(holders.get(oid) ?? []), holder]);
    }
    return holders;
  }
}
