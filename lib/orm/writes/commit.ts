import { shortName } from '../../observability/describe.js';
import type { CacheopsEvents } from '../../observability/events.js';
import { quoteText } from '../../sql/lexer/names.js';
import type { Store, Writer } from '../../store/store.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import { columnsNow, DEFINITIONS, DEFINITIONS_CHECK, EVENT_TRIGGERS } from '../catalog/catalog_queries.js';
import { allAffected } from '../catalog/propagation.js';
import { isRefusal } from '../catalog/rights.js';
import type { Ask } from '../catalog/table.js';
import type { AddBackground } from '../context/background.js';
import type { Session, TransactionState } from '../context/session.js';
import { acquireLock, releaseLock } from '../protocol/advisory_lock.js';
import { CATALOG, definedIn } from '../protocol/virtual_tables.js';
import { anyChange, newWriterId } from '../protocol/writer.js';
import type { WriterFates } from '../protocol/writer_fate.js';
import { IN_FAILED_TRANSACTION, type TrackedConnection } from './tracked_connection.js';

export interface CommitParts {
  readonly store: Store;
  readonly writerFates: WriterFates;
  readonly database: CatalogCache;
  readonly events: CacheopsEvents;
  readonly background: AddBackground;
}

/**
 * The end of a transaction: mark, COMMIT, settle.
 *
 * What can fail in between:
 * - The process dies before the mark: nothing was committed, and the database rolls back.
 * - The process dies after the mark: the marks stay, and nothing is stored under them until a reader asks the database for
 *   the fate of the transaction.
 * - COMMIT fails, or its answer is lost: the same, but this process asks the database.
 */
export class CommitProtocol {
  readonly #parts: CommitParts;

  constructor(parts: CommitParts) {
    this.#parts = parts;
  }

  /**
   * @param options.prepared PREPARE TRANSACTION: the marks stay, because COMMIT follows later and elsewhere
   * @param options.joins it is a plain COMMIT, which may be sent in one message with the question for the definitions
   */
  async commit(
    connection: TrackedConnection,
    commit: () => Promise<unknown>,
    options: { prepared?: boolean; joins?: boolean } = {},
  ): Promise<void> {
    const { session } = connection;
    const { transaction } = session;
    if (transaction) {
      this.#checkAnnouncedEntities(transaction);
    }
    if (transaction?.ddl) {
      for (const table of await this.#changedByEventTriggers(connection, transaction)) {
        transaction.journal.widen(table);
      }
    }
    if (!transaction || transaction.journal.isEmpty) {
      try {
        await commit();
      } finally {
        this.end(session);
      }
      return;
    }
    const { store, writerFates, background } = this.#parts;
    if (transaction.ddl) {
      // if the mark on the definitions is lost, the lock shows that a writer of them is in flight
      const mayFail = transaction.catalog?.obstacle !== undefined;
      await acquireLock(sql => (mayFail ? connection.apart(ask => ask(sql)) : connection.ask(sql)), true);
    }
    const xid =
      transaction.journal.xid ?? (transaction.catalog?.obstacle ? undefined : await this.#askXid(connection));
    const writer: Writer = { id: newWriterId(), xid };
    transaction.writer = writer;
    const mark = () => store.mark(writer, transaction.journal.changes());
    const widenDrifted = async (marked?: Promise<void>) => {
      const [drifted] = await Promise.all([this.#changedBySchemaDrift(connection, transaction), marked]);
      if (drifted.length > 0) {
        for (const table of drifted) {
          transaction.journal.widen(table);
        }
        await mark();
      }
    };
    const checks = options.joins ? checksOf(transaction) : [];
    await (checks.length > 0 ? mark() : widenDrifted(mark()));
    const tables = () => transaction.journal.changes().map(({ table }) => table);
    try {
      if (checks.length === 0) {
        await commit();
      } else if (!(await connection.commitIf(DEFINITIONS_CHECK, checks))) {
        await widenDrifted();
        await commit();
      }
    } catch (error) {
      background(writerFates.settleWhenEnded(writer, tables()), 'a connection');
      throw error;
    } finally {
      this.end(session);
    }
    // not awaited: reads of this process follow it on the store's connection, and other processes only miss
    if (options.prepared) {
      background(writerFates.settleWhenEnded(writer, tables()), 'a connection');
    } else {
      background(this.#settle(writer, tables()));
    }
    this.#report(transaction.journal.describe(), [...transaction.announced.keys()]);
  }

  async rollback(session: Session, rollback: () => Promise<unknown>): Promise<void> {
    const { transaction } = session;
    const { writerFates, background } = this.#parts;
    const writer = transaction?.writer;
    const tables = writer ? transaction.journal.changes().map(({ table }) => table) : [];
    try {
      await rollback();
    } catch (error) {
      if (writer) {
        background(writerFates.settleWhenEnded(writer, tables), 'a connection');
      }
      throw error;
    } finally {
      this.end(session);
    }
    if (writer) {
      background(this.#settle(writer, tables));
    }
  }

  /**
   * Marks before a statement that has no transaction of ours.
   *
   * @param ask over the connection that executes the statement; `undefined` without rights on the catalog
   */
  async markBefore(tables: readonly string[], ask?: Ask): Promise<MarkedWrite> {
    // the lock first: a reader that finds the mark, or a new registry without it, looks for the lock
    const lock = ask && (await acquireLock(ask));
    const writer: Writer = { id: newWriterId(), xid: lock };
    try {
      await this.#parts.store.mark(writer, tables.map(anyChange));
    } catch (error) {
      await this.#release(ask, lock);
      throw error;
    }
    return { writer, tables, ask };
  }

  /**
   * After such a statement, even if it failed. It marks again, because the store may have lost the first mark.
   *
   * The marks stay if the database may still execute the statement, because its answer was lost, or if the statement may
   * have prepared a transaction: then the database is asked.
   *
   * @param mayPrepare the statement may contain PREPARE TRANSACTION
   */
  async settleAfter({ writer, tables, ask }: MarkedWrite, mayPrepare = false): Promise<void> {
    try {
      await this.#parts.store.mark(writer, tables.map(anyChange));
    } catch (error) {
      this.#parts.events.reportError('mark', error); // it is too late to fail the write
    }
    const end = await this.#release(ask, writer.xid);
    const { writerFates, background } = this.#parts;
    if (end === 'unknown') {
      background(writerFates.settleWhenEnded(writer, tables), 'a connection');
    } else if (mayPrepare && end === 'released') {
      await writerFates.settleWhenEnded(writer, tables, ask);
    } else {
      await this.#settle(writer, tables);
    }
    this.#report(
      tables.map(table => ({ table, inserted: 0, updated: 0, deleted: 0, wide: true })),
      [],
    );
  }

  /**
   * If this fails, the lock ends with the session.
   *
   * @returns `released`; `failed`: the statement has ended, and left a failed transaction, which cannot be prepared;
   *   `unknown`: the database does not answer, and may still execute the statement
   */
  async #release(ask: Ask | undefined, lock: string | undefined): Promise<'released' | 'failed' | 'unknown'> {
    try {
      await (ask && lock && releaseLock(ask, lock));
      return 'released';
    } catch (error) {
      this.#parts.events.reportError('conclude', error);
      return (error as { code?: unknown }).code === IN_FAILED_TRANSACTION ? 'failed' : 'unknown';
    }
  }

  /** No transaction is open any more. */
  end(session: Session): void {
    if (session.transaction?.ddl) {
      this.#parts.database.forget(); // it may have been read before the DDL, or with DDL that is rolled back
    }
    const effects = session.transaction?.effects;
    session.transaction = undefined;
    session.apply(effects);
  }

  /**
   * Returns the tables in which any row may have changed, because a migration has changed the definitions that the
   * transaction's statements were analysed by: all tables if there are new triggers, rules or foreign keys; if only columns
   * of the written tables changed, these tables and what follows them.
   *
   * DDL that adds a trigger, rule or foreign key waits for open writers of the table, and later writers wait for it. So
   * checking once, after the last statement, is enough. (Above READ COMMITTED the snapshot does not show a migration that
   * ended since the transaction began.)
   */
  async #changedBySchemaDrift(
    connection: TrackedConnection,
    { catalog, tables }: TransactionState,
  ): Promise<readonly string[]> {
    if (!catalog || catalog.obstacle) {
      return []; // no statement was analysed, or everything is dropped anyway
    }
    const { database } = this.#parts;
    const ask = async () => {
      const written = [...tables].flatMap(name => catalog.tables.get(name) ?? []);
      const [now] = await connection.ask(
        `select ${DEFINITIONS} as definitions, ${columnsNow(written)} as columns`,
      );
      if (now!.definitions !== catalog.definitionsAs) {
        const { tables } = await database.refreshed(
          work => connection.apart(work),
          connection.session.seesCommitted,
        );
        return [...tables.keys(), ...definedIn(catalog)];
      }
      const others = written.filter(({ oid, columnsAs }) => (now!.columns?.[oid] ?? '') !== columnsAs);
      if (others.length === 0) {
        return [];
      }
      database.forget();
      return [...allAffected(catalog, others), ...definedIn(catalog)];
    };
    try {
      return await noneIfFailed(ask);
    } catch (error) {
      if (isRefusal(error)) {
        database.forget(); // a right was revoked: the next transaction loads the catalog without it
      }
      throw error;
    }
  }

  /** All tables, if an event trigger has changed since the transaction's DDL was analysed. */
  async #changedByEventTriggers(
    connection: TrackedConnection,
    { catalog }: TransactionState,
  ): Promise<readonly string[]> {
    if (!catalog || catalog.obstacle) {
      return [];
    }
    const ask = async () => {
      const [now] = await connection.ask(`select ${EVENT_TRIGGERS} as triggers`);
      return now!.triggers === catalog.eventTriggersAs ? [] : [...catalog.tables.keys()];
    };
    return noneIfFailed(ask);
  }

  /** Widens tables that the unit of work announced and that no analysed statement has written. */
  #checkAnnouncedEntities({ announced, journal, tables }: TransactionState): void {
    const catalog = this.#parts.database.current;
    for (const name of [...announced.values()].flat()) {
      // an entity without a schema may be written in any schema
      const named = catalog?.named(name.name) ?? [];
      const meant = named.filter(table => name.schema === undefined || table.schema === name.schema);
      if (!meant.some(table => tables.has(table.fullName))) {
        for (const table of meant) {
          journal.widen(table.fullName);
        }
      }
    }
  }

  async #settle(writer: Writer, tables: readonly string[]): Promise<void> {
    try {
      await this.#parts.store.settle(writer.id, tables);
    } catch (error) {
      this.#parts.events.reportError('settle', error); // readers will ask the database instead
    }
  }

  async #askXid(connection: TrackedConnection): Promise<string | undefined> {
    const [row] = await noneIfFailed(() =>
      connection.ask('select pg_catalog.pg_current_xact_id()::pg_catalog.text as xid'),
    );
    return row?.xid;
  }

  #report(
    summaries: readonly {
      table: string;
      inserted: number;
      updated: number;
      deleted: number;
      wide: boolean;
    }[],
    entities: readonly string[],
  ): void {
    this.#parts.events.announceInvalidation(() => ({
      tables: summaries.filter(isOfRows).map(({ wide, table, ...counts }) => ({
        table: shortName(table),
        ...counts,
        all: wide,
      })),
      entities,
    }));
  }
}

/** Excludes the definitions. */
function isOfRows({ table }: { readonly table: string }): boolean {
  return !table.endsWith(`/${CATALOG}`);
}

/** With more tables, one question that is planned anew is cheaper than a check of each. */
const MOST_CHECKS = 4;

/** The arguments of the checks that the definitions are as the transaction has seen them; none if they must be asked for. */
function checksOf({ catalog, tables, ddl }: TransactionState): string[] {
  if (!catalog || catalog.obstacle || ddl) {
    return [];
  }
  const written = [...tables].flatMap(name => catalog.tables.get(name) ?? []);
  const { definitionsAs } = catalog;
  // the meaning of a backslash depends on a setting
  const isPlain = written.every(({ columnsAs }) => !columnsAs.includes('\\'));
  return isPlain && written.length <= MOST_CHECKS
    ? written.map(({ oid, columnsAs }) => `${oid},${quoteText(definitionsAs)},${quoteText(columnsAs)}`)
    : [];
}

/** Empty if the transaction has failed: its COMMIT will be a ROLLBACK. */
async function noneIfFailed<T>(ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await ask();
  } catch (error) {
    if ((error as { code?: unknown }).code === IN_FAILED_TRANSACTION) {
      return [];
    }
    throw error;
  }
}

/** A write outside of a transaction that was marked beforehand. */
export interface MarkedWrite {
  readonly writer: Writer;
  /** full names of the tables that it may change */
  readonly tables: readonly string[];
  readonly ask: Ask | undefined;
}
