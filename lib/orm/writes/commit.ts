import { shortName } from '../../observability/describe.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { Store, Writer } from '../../store/store.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import { columnsNow, DEFINITIONS, EVENT_TRIGGERS } from '../catalog/catalog_queries.js';
import { allAffected } from '../catalog/propagation.js';
import { isRefusal } from '../catalog/rights.js';
import type { Ask } from '../catalog/table.js';
import type { AddBackground } from '../context/background.js';
import type { Session, TransactionState } from '../context/session.js';
import { acquireLock, releaseLock } from '../protocol/advisory_lock.js';
import { CATALOG, definedIn } from '../protocol/virtual_tables.js';
import { anyChange, newWriterId } from '../protocol/writer.js';
import type { WriterFates } from '../protocol/writer_fate.js';
import type { TrackedConnection } from './tracked_connection.js';

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
 * What can happen in between, and what becomes of it:
 * - dies before the mark: nothing was committed, the database rolls back;
 * - dies after the mark: the marks stand, and nothing is stored under them, until somebody asks the database for the
 *   fate of the transaction that they name;
 * - COMMIT fails, or its answer is lost: the same, only that it is we who ask.
 */
export class CommitProtocol {
  readonly #parts: CommitParts;

  constructor(parts: CommitParts) {
    this.#parts = parts;
  }

  /** @param options.prepared COMMIT follows later and elsewhere (PREPARE TRANSACTION): the marks stay */
  async commit(
    connection: TrackedConnection,
    commit: () => Promise<unknown>,
    options: { prepared?: boolean } = {},
  ): Promise<void> {
    const { session } = connection;
    const { transaction } = session;
    if (transaction) {
      this.#checkAnnouncedEntities(transaction);
    }
    if (transaction?.ddl) {
      for (const table of await this.#firedOf(connection, transaction)) {
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
      // if the mark on what is defined is lost, others see by it that not all have ended who had one
      const mayFail = transaction.catalog?.obstacle !== undefined;
      await acquireLock(sql => (mayFail ? connection.askApart(sql) : connection.ask(sql)), true);
    }
    const xid =
      transaction.journal.xid ?? (transaction.catalog?.obstacle ? undefined : await this.#askXid(connection));
    const writer: Writer = { id: newWriterId(), xid };
    transaction.writer = writer;
    const [unheard] = await Promise.all([
      this.#changedBySchemaDrift(connection, transaction),
      store.mark(writer, transaction.journal.changes()),
    ]);
    if (unheard.length > 0) {
      for (const table of unheard) {
        transaction.journal.widen(table);
      }
      await store.mark(writer, transaction.journal.changes());
    }
    const tables = transaction.journal.changes().map(({ table }) => table);
    try {
      await commit();
    } catch (error) {
      background(writerFates.settleWhenEnded(writer, tables), 'a connection');
      throw error;
    } finally {
      this.end(session);
    }
    // not awaited: reads of this process come after it on the store's connection, and others only miss
    if (options.prepared) {
      background(writerFates.settleWhenEnded(writer, tables), 'a connection');
    } else {
      background(this.#settle(writer, tables));
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
   * For writes that no transaction of ours is around.
   *
   * @param ask over the connection that executes the statement; left out where no other process can see its database
   */
  async markBefore(tables: readonly string[], ask?: Ask): Promise<MarkedWrite> {
    // the beacon first: whoever finds the mark, or finds the registry gone that it was in, looks for it
    const beacon = ask && (await acquireLock(ask));
    const writer: Writer = { id: newWriterId(), xid: beacon };
    try {
      await this.#parts.store.mark(writer, tables.map(anyChange));
    } catch (error) {
      await this.#extinguish(ask, beacon);
      throw error;
    }
    return { writer, tables, ask };
  }

  /** After such a write, whatever came of it. It is marked once more: it may have been the first of its process. */
  async settleAfter({ writer, tables, ask }: MarkedWrite): Promise<void> {
    try {
      await this.#parts.store.mark(writer, tables.map(anyChange));
    } catch (error) {
      this.#parts.events.reportError('mark', error); // it is too late to fail the write
    }
    await this.#settle(writer, tables);
    await this.#extinguish(ask, writer.xid);
    this.#report(
      tables.map(table => ({ table, inserted: 0, updated: 0, deleted: 0, wide: true })),
      [],
    );
  }

  /** If it fails, the session has ended, and the beacon with it; or it will be gone when the connection is closed. */
  async #extinguish(ask: Ask | undefined, beacon: string | undefined): Promise<void> {
    try {
      await (ask && beacon && releaseLock(ask, beacon));
    } catch (error) {
      this.#parts.events.reportError('conclude', error);
    }
  }

  /** No transaction is open any more. */
  end(session: Session): void {
    if (session.transaction?.ddl) {
      this.#parts.database.forget(); // it may have been read as it was before, or as it has not become
    }
    const effects = session.transaction?.effects;
    session.transaction = undefined;
    session.apply(effects);
  }

  /**
   * The tables of which anything may have changed, because the transaction's statements were understood by definitions
   * that are others now: somebody has migrated the database. If it is what a statement sets off, these are all tables; if
   * it is only the columns of tables that were written to, these and what follows them.
   *
   * Who defines what else a statement does has to wait for those who write to its table, and those who come later for
   * him: so what is found now, after the last statement, is no less than what any of them has set off. (Above READ
   * COMMITTED a migration is not found that has ended since the transaction began.)
   */
  async #changedBySchemaDrift(
    connection: TrackedConnection,
    { catalog, tables }: TransactionState,
  ): Promise<readonly string[]> {
    if (!catalog || catalog.obstacle) {
      return []; // it was told of by hand, or everything is dropped anyway
    }
    const { database } = this.#parts;
    const ask = async () => {
      const written = [...tables].flatMap(name => catalog.tables.get(name) ?? []);
      const [now] = await connection.ask(
        `select ${DEFINITIONS} as definitions, ${columnsNow(written)} as columns`,
      );
      if (now!.definitions !== catalog.definitionsAs) {
        const { tables } = await database.refreshed(
          sql => connection.askApart(sql),
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
        database.forget(); // a right was revoked: the next transaction does without
      }
      throw error;
    }
  }

  /** All tables, if event triggers are not those any more by which statements that define something were understood. */
  async #firedOf(connection: TrackedConnection, { catalog }: TransactionState): Promise<readonly string[]> {
    if (!catalog || catalog.obstacle) {
      return [];
    }
    const ask = async () => {
      const [now] = await connection.ask(`select ${EVENT_TRIGGERS} as triggers`);
      return now!.triggers === catalog.eventTriggersAs ? [] : [...catalog.tables.keys()];
    };
    return noneIfFailed(ask);
  }

  /** Tables that the unit of work said it would write, and of which no statement was understood. */
  #checkAnnouncedEntities({ announced, journal, tables }: TransactionState): void {
    const catalog = this.#parts.database.current;
    for (const name of [...announced.values()].flat()) {
      // without a schema of its own, an entity may be written in any
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
      this.#parts.events.reportError('settle', error); // somebody will ask the database instead
    }
  }

  async #askXid(connection: TrackedConnection): Promise<string> {
    const [row] = await connection.ask('select pg_current_xact_id()::text as xid');
    return row!.xid;
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

/** And not of what is defined. */
function isOfRows({ table }: { readonly table: string }): boolean {
  return !table.endsWith(`/${CATALOG}`);
}

/** PostgreSQL's code for whatever is asked in a transaction that has failed. */
const FAILED = '25P02';

/** Nothing, if the transaction has failed in which it is asked: its COMMIT will be a ROLLBACK. */
async function noneIfFailed<T>(ask: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await ask();
  } catch (error) {
    if ((error as { code?: unknown }).code === FAILED) {
      return [];
    }
    throw error;
  }
}

/** A write that others were told of beforehand. */
export interface MarkedWrite {
  readonly writer: Writer;
  /** what it may change, as a whole */
  readonly tables: readonly string[];
  readonly ask: Ask | undefined;
}
