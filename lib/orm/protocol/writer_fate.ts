import { LRUCache } from 'lru-cache';
import type { CacheopsEvents } from '../../observability/events.js';
import type { Quarantine, Refusal, Store, Writer } from '../../store/store.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import type { Ask } from '../catalog/table.js';
import type { AddBackground } from '../context/background.js';
import { LOCK_CLASS, lockNumberOf } from './advisory_lock.js';
import { CATALOG, isPseudoTable } from './virtual_tables.js';

/** A writer in flight for longer than this, in milliseconds, is asked about. */
const OVERDUE_MS = 1000;
/** One that gives nothing to ask the database about is given up after this, in milliseconds. */
const LOST_MS = 60_000;
/** After how long the fate of a transaction is asked for again, in milliseconds: at first, and at most. */
const RETRY_MS = { first: 500, longest: 30_000 };

/**
 * Decides by the database, and by no clock, whether writers are still in flight: what PostgreSQL says of a
 * transaction is true also when its client has died, and while its COMMIT stalls.
 */
export class WriterFates {
  readonly #store: Store;
  readonly #database: CatalogCache;
  readonly #ask: Ask;
  readonly #events: CacheopsEvents;
  readonly #background: AddBackground;
  readonly #timers = new Set<NodeJS.Timeout>();
  /** by nonce of a quarantine: who has to end before it is over */
  readonly #awaited = new LRUCache<string, ReadonlySet<string>>({ max: 1000 });
  #closed = false;

  /** @param ask on a connection of its own: in a transaction, the database would tell of another moment */
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
   * After a lease was refused: settles for writers that have ended without doing so, and ends quarantines that are
   * over.
   *
   * @param ask where another connection is not to be had
   * @returns whether it is worth asking for a lease again
   */
  async resolve(refusal: Refusal, ask = this.#ask): Promise<boolean> {
    if (this.#closed) {
      return false; // to ask the database would connect it again
    }
    const [settled, lifted] = await Promise.all([
      this.#settleOverdue(refusal, ask),
      refusal.quarantines.length > 0 ? this.#liftQuarantines(refusal.quarantines, ask) : false,
    ]);
    return settled || lifted;
  }

  /**
   * Settles for a transaction of which this process does not know whether it has ended (it is prepared, or its COMMIT
   * failed), once the database says that it has. Resolves after the first question: the others follow in the
   * background, ever less often. In between, readers that find its mark ask for themselves. Never rejects.
   */
  async settleWhenEnded(writer: Writer, tables: readonly string[], pause = RETRY_MS.first): Promise<void> {
    try {
      if (writer.xid === undefined || (await this.#hasEnded([writer.xid], this.#ask)).has(writer.xid)) {
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
          this.settleWhenEnded(writer, tables, Math.min(2 * pause, RETRY_MS.longest)),
          'a connection',
        );
      }, pause).unref();
      this.#timers.add(timer);
    }
  }

  /** Watches no longer: the marks stay, and other processes ask the database. */
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
   * Which of these transactions are not in progress any more: committed, rolled back, or never begun here (by a
   * database that this one has replaced).
   *
   * The snapshot's xmax is not the next id to be given out, but only the one after the last that has ended. Whether a
   * later one is running, its lock tells: a transaction holds it from when it gets its id until after it has ended
   * for all others. (To ask for the status of an id that was not given out would be an error.)
   */
  async #hasEnded(xids: readonly string[], ask: Ask): Promise<Set<string>> {
    const known = xids.filter(xid => /^\d{1,18}$/.test(xid)); // they come from the store
    const ended = new Set(xids.filter(xid => !known.includes(xid)));
    const beacons = xids.filter(xid => lockNumberOf(xid) !== undefined);
    for (const beacon of beacons.length > 0 ? await this.#lit(beacons, ask) : []) {
      ended.delete(beacon);
    }
    if (known.length > 0) {
      const list = known.map(xid => `('${xid}')`).join(', ');
      const rows = await ask(`
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

  /** Which of these are lit: their statements are being executed. */
  async #lit(beacons: readonly string[], ask: Ask): Promise<string[]> {
    const rows = await ask(`select objid::text as number ${FROM_BEACONS}`);
    const lit = new Set(rows.map(({ number }) => Number(number)));
    return beacons.filter(beacon => lit.has(lockNumberOf(beacon)!));
  }

  /**
   * A registry that was made anew may have forgotten writers in flight. Whoever has written to a table holds a lock on
   * it until after its changes are visible, or has a beacon lit if no transaction is around what it does. So once all
   * that hold one now have ended, nobody is forgotten: who comes later is recorded in the new registry.
   *
   * The locks are on oids, and a table may be another than the one of the catalog by now, so its name is looked up
   * with them. Between the two it may be made anew once more: by somebody who had to wait for all who wrote to it.
   *
   * Whoever defines something has a beacon lit, in a transaction too.
   */
  async #liftQuarantines(quarantines: readonly Quarantine[], ask: Ask): Promise<boolean> {
    const database = this.#database.name ?? (await this.#database.get(ask)).database;
    const known = (table: string) => table.startsWith(`${database}/`) || isPseudoTable(table);
    const ours = quarantines.filter(({ table }) => known(table));
    const nameOf = ({ table }: Quarantine) => table.slice(database.length + 1);
    const holders = await this.#holders(ours.filter(({ table }) => !isPseudoTable(table)).map(nameOf), ask);
    const over = ours.filter(quarantine => {
      const found = isPseudoTable(quarantine.table) ? [] : holders.get(nameOf(quarantine));
      const now = found ?? [];
      const awaited = this.#awaited.get(quarantine.nonce) ?? new Set(now);
      // a prepared transaction is known by another name once the server has restarted
      const still = new Set(now.filter(holder => awaited.has(holder) || holder.startsWith('-1/')));
      this.#awaited.set(quarantine.nonce, still);
      return found !== undefined && still.size === 0;
    });
    await Promise.all(over.map(quarantine => this.#store.lift(quarantine)));
    return over.length > 0;
  }

  /**
   * Who may have changed rows of these tables and has not ended, by the tables' names with their schemas. A table that
   * does not exist is not among them.
   */
  async #holders(names: readonly string[], ask: Ask): Promise<Map<string, string[]>> {
    const rows =
      names.length === 0
        ? []
        : await ask(`
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
      union all select v.name, 'beacon ' || objid
      from (values ${names.map(name => `(${quoteText(name)})`).join(', ')}) as v (name)
      cross join (select objid ${FROM_BEACONS}) as b where exists (select from family f where f.name = v.name)`);
    const holders = new Map<string, string[]>();
    for (const { name, holder } of rows) {
      holders.set(name, [...(holders.get(name) ?? []), ...(holder === null ? [] : [holder])]);
    }
    return holders;
  }
}

const FROM_BEACONS = `from pg_locks where locktype = 'advisory' and classid = ${LOCK_CLASS} and objsubid = 2
  and database = (select oid from pg_database where datname = current_database())`;

function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
