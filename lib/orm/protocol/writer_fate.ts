import { LRUCache } from 'lru-cache';
import type { CacheopsEvents } from '../../observability/events.js';
import { quoteText } from '../../sql/lexer/names.js';
import type { Quarantine, Refusal, Store, Writer } from '../../store/store.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import { inPgCatalog } from '../catalog/pg_catalog.js';
import type { Ask } from '../catalog/table.js';
import type { AddBackground } from '../context/background.js';
import { LOCK_CLASS, lockNumberOf } from './advisory_lock.js';
import { CATALOG, isPseudoTable } from './virtual_tables.js';

/** After so many milliseconds the database is asked whether a writer is still in flight. */
const OVERDUE_MS = 1000;
/** After so many milliseconds a writer without a transaction or lock counts as ended. */
const LOST_MS = 60_000;
/** The pause before the database is asked again, in milliseconds. */
const RETRY_MS = { first: 500, longest: 30_000 };

/**
 * Asks the database, instead of a clock, whether writers are still in flight: PostgreSQL's answer is also true when the
 * client has died, and while its COMMIT stalls.
 */
export class WriterFates {
  readonly #store: Store;
  readonly #database: CatalogCache;
  readonly #ask: Ask;
  readonly #events: CacheopsEvents;
  readonly #background: AddBackground;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** the transactions and locks that must end before a quarantine ends, by its nonce */
  readonly #awaited = new LRUCache<string, ReadonlySet<string>>({ max: 1000 });
  #closed = false;

  /** @param ask on a connection outside of transactions, whose snapshot would be older */
  constructor(
    store: Store,
    database: CatalogCache,
    ask: Ask,
    events: CacheopsEvents,
    background: AddBackground,
  ) {
    this.#background = background;
    this.#database = database;
    this.#store = store;
    this.#ask = ask;
    this.#events = events;
  }

  /**
   * After a lease was refused: settles for writers that have ended without settling, and lifts quarantines that are over.
   *
   * @param ask over the caller's connection, if the pool may have no other
   * @returns whether another lease may be granted
   */
  async resolve(refusal: Refusal, ask = this.#ask): Promise<boolean> {
    if (this.#closed) {
      return false; // a question would connect to the database again
    }
    const [settled, lifted] = await Promise.all([
      this.#settleOverdue(refusal, ask),
      refusal.quarantines.length > 0 ? this.#liftQuarantines(refusal.quarantines, ask) : false,
    ]);
    return settled || lifted;
  }

  /**
   * Settles for a transaction that may or may not have ended (it is prepared, or its COMMIT failed) once the database
   * says that it has ended. Resolves after the first question; the others follow in the background, less and less often.
   * Meanwhile readers that find its mark ask for themselves. Never rejects.
   *
   * @param ask for the first question, over the caller's connection, if the pool may have no other
   */
  async settleWhenEnded(
    writer: Writer,
    tables: readonly string[],
    ask = this.#ask,
    pause = RETRY_MS.first,
  ): Promise<void> {
    try {
      if (writer.xid === undefined || (await this.#hasEnded([writer.xid], ask)).has(writer.xid)) {
        await this.#store.settle(writer.id, tables);
        return;
      }
    } catch (error) {
      this.#events.reportError('watch', error);
    }
    if (!this.#closed) {
      const timer = setTimeout(() => {
        this.#timers.delete(timer);
        this.#background(
          this.settleWhenEnded(writer, tables, this.#ask, Math.min(2 * pause, RETRY_MS.longest)),
          'a connection',
        );
      }, pause).unref();
      this.#timers.add(timer);
    }
  }

  /** Stops asking: the marks stay, and other processes ask the database. */
  close(): void {
    this.#closed = true;
    for (const timer of this.#timers) {
      clearTimeout(timer);
    }
    this.#timers.clear();
  }

  reopen(): void {
    this.#closed = false;
  }

  async #settleOverdue({ writers }: Refusal, ask: Ask): Promise<boolean> {
    const overdue = writers.filter(writer => writer.age >= (writer.xid === undefined ? LOST_MS : OVERDUE_MS));
    if (overdue.length === 0) {
      return false;
    }
    const xids = overdue.flatMap(writer => writer.xid ?? []);
    const ended = xids.length > 0 ? await this.#hasEnded(xids, ask) : new Set<string>();
    const over = overdue.filter(writer => writer.xid === undefined || ended.has(writer.xid));
    await Promise.all(over.map(writer => this.#store.settle(writer.id, writer.tables)));
    return over.length > 0;
  }

  /**
   * Returns the transactions that are not in progress: committed, rolled back, or never begun here (but in a database
   * that this one has replaced).
   *
   * The snapshot's xmax is not the next id, but one more than the last id that has ended. A transaction with a later id
   * is in progress while it holds the lock on its id. (pg_xact_status() fails for an id that was not assigned.)
   */
  async #hasEnded(xids: readonly string[], ask: Ask): Promise<Set<string>> {
    const known = xids.filter(xid => /^\d{1,18}$/.test(xid)); // they come from the store
    const ended = new Set(xids.filter(xid => !known.includes(xid)));
    const locks = xids.filter(xid => lockNumberOf(xid) !== undefined);
    for (const lock of locks.length > 0 ? await this.#held(locks, ask) : []) {
      ended.delete(lock);
    }
    if (known.length > 0) {
      const list = known.map(xid => `('${xid}')`).join(', ');
      const rows = await ask(
        inPgCatalog(`
        select xid from (values ${list}) as v (xid)
        where case when xid::xid8 < pg_snapshot_xmax(pg_current_snapshot())
          then pg_xact_status(xid::xid8) is distinct from 'in progress'
          else not exists (select from pg_locks where locktype = 'transactionid' and mode = 'ExclusiveLock'
            and transactionid::text::bigint = xid::bigint & 4294967295) end`),
      );
      for (const { xid } of rows) {
        ended.add(xid);
      }
    }
    return ended;
  }

  /**
   * The advisory locks that are held, because their statements are being executed. While a transaction is prepared, all
   * count as held: their statements may have prepared it, and it does not have their locks.
   */
  async #held(locks: readonly string[], ask: Ask): Promise<string[]> {
    const rows = await ask(
      inPgCatalog(`select objid::text as number ${FROM_LOCKS}
        union all select null ${FROM_LOCKS_HERE} and pid is null`),
    );
    const held = new Set(rows.map(({ number }) => number));
    return locks.filter(lock => held.has(null) || held.has(String(lockNumberOf(lock))));
  }

  /**
   * A new registry may lack writers in flight. A writer holds a lock on its table until after its changes are visible,
   * or an advisory lock if it has no transaction. So once all present holders have ended, no writer is missing: later
   * ones are recorded in the new registry.
   *
   * The locks are on oids, and the table may have been created anew since the catalog was read, so its name is looked up
   * in the same statement. If it is created anew in between, that DDL had to wait for all writers of the table.
   *
   * DDL holds an advisory lock, also in a transaction.
   */
  async #liftQuarantines(quarantines: readonly Quarantine[], ask: Ask): Promise<boolean> {
    const database = this.#database.name ?? (await this.#database.get(work => work(ask))).database;
    const known = (table: string) => table.startsWith(`${database}/`) || isPseudoTable(table);
    const ours = quarantines.filter(({ table }) => known(table));
    const nameOf = ({ table }: Quarantine) => table.slice(database.length + 1);
    const holders = await this.#holders(ours.filter(({ table }) => !isPseudoTable(table)).map(nameOf), ask);
    const over = ours.filter(quarantine => {
      const found = isPseudoTable(quarantine.table) ? [] : holders.get(nameOf(quarantine));
      const now = found ?? [];
      const awaited = this.#awaited.get(quarantine.nonce) ?? new Set(now);
      // a prepared transaction has another virtual id after a restart of the server
      const still = new Set(now.filter(holder => awaited.has(holder) || holder.startsWith('-1/')));
      this.#awaited.set(quarantine.nonce, still);
      return found !== undefined && still.size === 0;
    });
    await Promise.all(over.map(quarantine => this.#store.lift(quarantine)));
    return over.length > 0;
  }

  /** The holders of locks of writers, by the table's name with its schema. A table that does not exist is missing. */
  async #holders(names: readonly string[], ask: Ask): Promise<Map<string, string[]>> {
    const rows =
      names.length === 0
        ? []
        : await ask(
            inPgCatalog(`
      with recursive family (name, oid) as (
        select v.name, c.oid from (values ${names.map(name => `(${quoteText(name)})`).join(', ')}) as v (name)
        join pg_class c on true join pg_namespace n on n.oid = c.relnamespace
        where n.nspname || '.' || c.relname = v.name and c.relkind in ('r', 'p', 'v', 'm', 'f')
        ${names.includes(CATALOG) ? `union select '${CATALOG}', 0::oid` : ''}
        union select f.name, i.inhrelid from family f join pg_inherits i on i.inhparent = f.oid)
      select f.name, l.virtualtransaction as holder from family f
      left join pg_locks l on l.locktype = 'relation' and l.relation = f.oid
        and l.database = (select oid from pg_database where datname = current_database())
        and l.mode in ('RowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      union all select v.name, 'lock ' || objid
      from (values ${names.map(name => `(${quoteText(name)})`).join(', ')}) as v (name)
      cross join (select objid ${FROM_LOCKS}) as b where exists (select from family f where f.name = v.name)`),
          );
    const holders = new Map<string, string[]>();
    for (const { name, holder } of rows) {
      holders.set(name, [...(holders.get(name) ?? []), ...(holder === null ? [] : [holder])]);
    }
    return holders;
  }
}

const FROM_LOCKS_HERE =
  'from pg_locks where database = (select oid from pg_database where datname = current_database())';

const FROM_LOCKS = `${FROM_LOCKS_HERE} and locktype = 'advisory' and classid = ${LOCK_CLASS} and objsubid = 2`;
