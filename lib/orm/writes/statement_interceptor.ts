import type { CompiledQuery, QueryResult } from 'kysely';
import type { JournalLimits } from '../../changes/journal.js';
import { CacheopsError } from '../../config/error.js';
import { isPlainSelect, parseStatement } from '../../sql/parse_statement.js';
import { mayCallRoutine } from '../../sql/routines.js';
import type {
  Delete,
  Insert,
  IsolationLevel,
  Other,
  Read,
  SessionEffects,
  Transaction,
  Truncate,
  Update,
} from '../../sql/statement.js';
import { eitherEffects } from '../../sql/statements/session_effects.js';
import type { Store } from '../../store/store.js';
import { lacksTables } from '../catalog/catalog.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import { allAffected, truncated } from '../catalog/propagation.js';
import { readSettings } from '../catalog/settings.js';
import type { Ask, Catalog, Connect, Table } from '../catalog/table.js';
import type { LogStatement } from '../context/internal_query.js';
import type { PoolSettings } from '../context/pool_settings.js';
import { currentScope } from '../context/scope.js';
import { Session, type TransactionState } from '../context/session.js';
import { definedIn } from '../protocol/virtual_tables.js';
import type { CommitProtocol, MarkedWrite } from './commit.js';
import { writeRows } from './row_capture.js';
import { callOf, settingsEffectsOf, sideEffectsOf } from './side_effects.js';
import type { StatementObserver, StatementOptions, TrackedConnection } from './tracked_connection.js';

export interface InterceptorParts {
  readonly database: CatalogCache;
  readonly store: Store;
  readonly commits: CommitProtocol;
  readonly limits: JournalLimits;
  /** the settings of the primary's sessions */
  readonly pool: PoolSettings;
  /** names of custom settings that connections may have from the start */
  readonly ownSettings: readonly string[];
  /** connections change their settings without a statement that is seen */
  readonly sessionsVary: boolean;
  /** what to do with a statement that may write to tables that it does not name */
  readonly onUnknownWrite: 'widen' | 'refuse';
  /**
   * Reads the catalog from the primary, for connections to a replica. A logical replica has another database name, so
   * entries keyed by it would never be invalidated.
   */
  readonly connectPrimary?: Connect;
  readonly log: LogStatement;
}

type Result = QueryResult<any>;
type Write = Insert | Update | Delete | Truncate | Other;

/** Follows every statement of every connection: records the rows that a write changes, for the mark before COMMIT. */
export class StatementInterceptor implements StatementObserver {
  readonly #parts: InterceptorParts;

  constructor(parts: InterceptorParts) {
    this.#parts = parts;
  }

  get log(): LogStatement {
    return this.#parts.log;
  }

  newSession(): Session {
    const { pool, sessionsVary: vary } = this.#parts;
    return new Session(pool, { role: vary, searchPath: vary, answers: vary });
  }

  /**
   * Reads the settings of a session at its first use, because no statement shows those that it starts with (options of the
   * connection, ALTER ROLE, hooks of the pool). They are read again after the server has reloaded its configuration.
   */
  async open(connection: TrackedConnection): Promise<void> {
    const { pool, ownSettings, sessionsVary, connectPrimary } = this.#parts;
    const { session } = connection;
    const isKnown =
      session.settings &&
      session.isAsRead &&
      (connectPrimary || session.settings.loaded === pool.current?.loaded);
    if (sessionsVary || isKnown || !session.isUnchanged) {
      return;
    }
    try {
      const settings = await readSettings(askOver(connection), ownSettings);
      session.open(settings);
      connection.joinIfDirect(settings.processId);
      if (!connectPrimary) {
        pool.learn(settings);
      }
    } catch {
      // without settings nothing of this session is stored; the next statement reports the error
    }
  }

  release(session: Session): void {
    const { pool, connectPrimary } = this.#parts;
    if (connectPrimary) {
      return;
    }
    pool.noteSession(session, session.deviates, session.hasLastingOwnSettings);
    if (session.settings && !session.isAsRead && session.isUnchanged) {
      pool.forget();
    }
  }

  close(session: Session): void {
    this.#parts.pool.noteSession(session, false, false);
  }

  begin(session: Session, isolation: IsolationLevel | undefined): void {
    session.begin(isolation, this.#parts.limits);
  }

  async commit(
    connection: TrackedConnection,
    commit: () => Promise<unknown>,
    options: { joins: boolean },
  ): Promise<void> {
    await this.#parts.commits.commit(connection, commit, options);
    await this.#refreshSettings(connection);
  }

  async rollback(connection: TrackedConnection, rollback: () => Promise<unknown>): Promise<void> {
    await this.#parts.commits.rollback(connection.session, rollback);
    await this.#refreshSettings(connection);
  }

  async execute(
    connection: TrackedConnection,
    query: CompiledQuery,
    options?: StatementOptions,
  ): Promise<Result> {
    const { session } = connection;
    const { recorder, computation } = currentScope();
    computation?.noteStatement(session);
    const send = async () => {
      const result = await connection.inner.executeQuery(query, options);
      if (!session.isAsRead) {
        // its settings may have changed before it was executed
        recorder?.noteSettings(session);
        computation?.noteStatement(session);
      }
      return result;
    };
    const called = this.#calledIn(connection, query.sql);
    const { names, effects } = called instanceof Promise ? await called : called;
    if (isPlainSelect(query.sql) && names.size === 0 && !effects) {
      recorder?.record(query.sql, session);
      return send();
    }
    const statement = analyse(session, query, { names, effects });
    if (statement.kind !== 'read' || !statement.onlyConfigures) {
      // otherwise the ORM sends its session context ahead of a query, which is part of the query's key
      recorder?.record(query.sql, session);
    }
    switch (statement.kind) {
      case 'read': {
        const result = await send();
        session.apply(statement.effects, statement.onlyConfigures);
        await this.#refreshSettings(connection);
        return result;
      }
      case 'session': {
        const result = await send();
        session.apply(statement.effects, /^\s*set\s+(local|transaction)\b/i.test(query.sql));
        await this.#refreshSettings(connection);
        return result;
      }
      case 'transaction':
        return this.#control(connection, statement, send);
      default:
        return this.#write(connection, statement, query, options, send);
    }
  }

  /** A streamed write widens, because its rows are not captured. */
  async *stream<T>(
    connection: TrackedConnection,
    query: CompiledQuery,
    stream: () => AsyncIterableIterator<T>,
  ): AsyncIterableIterator<T> {
    const { computation } = currentScope();
    computation?.noteStatement(connection.session);
    const called = await this.#calledIn(connection, query.sql);
    const statement = analyse(connection.session, query, called);
    if (statement.kind === 'session' || statement.kind === 'transaction') {
      yield (await this.execute(connection, query)) as T; // it returns no rows to stream
      return;
    }
    if (statement.kind === 'read') {
      yield* stream();
      connection.session.apply(statement.effects, statement.onlyConfigures);
      return;
    }
    computation?.noteWrite();
    const { transaction } = connection.session;
    if (transaction) {
      transaction.wrote = true;
      const { catalog, tables } = await this.#tablesOf(connection, statement);
      transaction.catalog ??= catalog;
      widen(transaction, affectedBy(statement, catalog, tables));
      widen(transaction, sideEffectsOf(catalog, tables, statement, query.sql));
      widen(transaction, definedBy(statement, catalog));
      transaction.ddl ||= mayDefine(statement);
      yield* stream();
      await this.#applySessionEffects(
        statement,
        connection,
        settingsEffectsOf(catalog, tables, statement, query.sql),
      );
      return;
    }
    const marked = await this.#markBefore(connection, statement, query.sql);
    try {
      yield* stream();
    } finally {
      await this.#applySessionEffects(statement, connection, marked.effects);
      const mayPrepare = statement.kind === 'other' && statement.controlsTransaction;
      await this.#parts.commits.settleAfter(marked, mayPrepare);
    }
  }

  /** BEGIN, COMMIT and the like as plain statements. */
  async #control(
    connection: TrackedConnection,
    statement: Transaction,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const { session } = connection;
    const journal = session.transaction?.journal;
    let result: Result | undefined;
    const sendOnce = async () => {
      result = await send();
    };
    switch (statement.command) {
      case 'commit':
        await this.#parts.commits.commit(connection, sendOnce);
        break;
      case 'prepare':
        await this.#parts.commits.commit(connection, sendOnce, { prepared: true });
        break;
      case 'rollback':
        await this.#parts.commits.rollback(session, sendOnce);
        break;
      default:
        await sendOnce();
    }
    if (statement.command === 'begin' || statement.chain) {
      this.begin(session, statement.isolation);
    } else if (statement.command === 'savepoint') {
      journal?.savepoint(statement.name!);
    } else if (statement.command === 'rollback to') {
      journal?.rollbackTo(statement.name!);
    } else if (statement.command === 'release') {
      journal?.release(statement.name!);
    }
    await this.#refreshSettings(connection);
    return result!;
  }

  async #write(
    connection: TrackedConnection,
    statement: Write,
    query: CompiledQuery,
    options: StatementOptions,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const { transaction } = connection.session;
    const { invalidationSuppressed, suppressedTables, computation } = currentScope();
    const writes = statement.kind !== 'other' || statement.writes;
    if (writes) {
      computation?.noteWrite();
    }
    if (invalidationSuppressed) {
      if (transaction) {
        transaction.wrote = true;
      }
      if (suppressedTables && writes) {
        const { catalog, tables } = await this.#tablesOf(connection, statement);
        for (const table of affectedBy(statement, catalog, tables)) {
          suppressedTables.add(table);
        }
      }
      // only invalidation is suppressed: the catalog and the session must stay correct
      const isOutside = mayDefine(statement) && !transaction;
      if (statement.kind === 'other' && (statement.controlsTransaction || isOutside)) {
        return this.#writeOutside(connection, statement, query.sql, send);
      }
      const catalog = await this.#catalog(connection);
      const named = findTables(catalog, statement, connection.session);
      const result = await send();
      await this.#applySessionEffects(
        statement,
        connection,
        settingsEffectsOf(catalog, named, statement, query.sql),
      );
      return result;
    }
    if (this.#parts.onUnknownWrite === 'refuse' && statement.kind === 'other') {
      refuseUnknown(statement, query.sql);
    }
    if (transaction && statement.kind === 'other' && statement.controlsTransaction) {
      return this.#writeOutside(connection, statement, query.sql, send);
    }
    if (transaction) {
      transaction.wrote = true;
      return this.#writeIn(transaction, connection, statement, query, options, send);
    }
    if (statement.kind === 'other' && !statement.writes && !statement.mayDefine) {
      const result = await send();
      await this.#applySessionEffects(statement, connection);
      return result;
    }
    if (statement.kind === 'other' && (!statement.transactional || statement.controlsTransaction)) {
      return this.#writeOutside(connection, statement, query.sql, send);
    }
    await connection.begin();
    let result: Result;
    try {
      result = await this.#write(connection, statement, query, options, send);
    } catch (error) {
      await connection.rollback().catch(() => undefined); // the connection may be gone
      throw error;
    }
    try {
      await connection.commit();
    } catch (error) {
      await connection.rollback().catch(() => undefined);
      throw error;
    }
    return result;
  }

  async #writeIn(
    transaction: TransactionState,
    connection: TrackedConnection,
    statement: Write,
    query: CompiledQuery,
    options: StatementOptions,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const { session } = connection;
    const { catalog, tables } = await this.#tablesOf(connection, statement);
    const effects = settingsEffectsOf(catalog, tables, statement, query.sql);
    transaction.catalog ??= catalog;
    transaction.effects = eitherEffects(transaction.effects, effects);
    for (const table of tables) {
      transaction.tables.add(table.fullName);
    }
    widen(transaction, sideEffectsOf(catalog, tables, statement, query.sql));
    widen(transaction, definedBy(statement, catalog));
    if (mayDefine(statement) && !session.isReadCommitted(catalog.readCommitted)) {
      // its snapshot may not show event triggers that fire, or inheritance children that are dropped
      widen(transaction, catalog.tables.keys());
    }
    if (statement.kind !== 'other' && statement.kind !== 'truncate') {
      const [table] = tables;
      const isCapturable = tables.length === 1 && table!.readable && table!.plain && !session.changes.role;
      if (isCapturable) {
        const ask = (sql: string, parameters: readonly unknown[]) =>
          connection.inner.executeQuery<any>({ ...query, sql, parameters }, options);
        const schemes = (name: string) => this.#parts.store.schemes(name);
        const maxRows = this.#parts.limits.rows;
        const written = writeRows({
          statement,
          table: table!,
          catalog,
          journal: transaction.journal,
          query,
          ask,
          schemes,
          maxRows,
          isExact: !session.hasNonDefaultSettings && session.isReadCommitted(catalog.readCommitted),
        });
        const result = await written.catch(error => {
          // a column of the image may be gone: another program has changed the schema
          if (isDefinitionError(error)) {
            this.#parts.database.forget();
          }
          throw error;
        });
        await this.#applySessionEffects(statement, connection, effects);
        return result;
      }
    }
    const result = await send();
    if (!hasChangedNothing(statement, tables, result)) {
      widen(transaction, affectedBy(statement, catalog, tables));
    }
    await this.#applySessionEffects(statement, connection, effects);
    return result;
  }

  /** For statements that cannot run in a transaction of ours, or may end the open one: marks before and settles after. */
  async #writeOutside(
    connection: TrackedConnection,
    statement: Other,
    sql: string,
    send: () => Promise<Result>,
  ): Promise<Result> {
    const { commits, limits } = this.#parts;
    const { session } = connection;
    const marked = await this.#markBefore(connection, statement, sql);
    try {
      return await send();
    } finally {
      await this.#applySessionEffects(statement, connection, marked.effects);
      if (statement.controlsTransaction) {
        if (await isOpen(connection)) {
          // begun by the statement or open before it: what the statement did may be committed later
          session.continue(limits);
          widen(session.transaction!, marked.tables);
        } else {
          commits.end(session);
        }
      }
      await commits.settleAfter(marked, statement.controlsTransaction);
    }
  }

  async #markBefore(
    connection: TrackedConnection,
    statement: Write,
    sql: string,
  ): Promise<MarkedWrite & { readonly effects: SessionEffects | undefined }> {
    const { catalog, tables } = await this.#tablesOf(connection, statement);
    const { transaction } = connection.session;
    const { invalidationSuppressed } = currentScope();
    const affected = new Set([
      ...(invalidationSuppressed ? [] : affectedBy(statement, catalog, tables)),
      ...(invalidationSuppressed ? [] : sideEffectsOf(catalog, tables, statement, sql)),
      // without a transaction, event triggers cannot be compared afterwards
      ...(!invalidationSuppressed && mayDefine(statement) ? catalog.tables.keys() : []),
      ...definedBy(statement, catalog),
      // it may commit earlier changes of the transaction
      ...(transaction?.journal.changes().map(({ table }) => table) ?? []),
    ]);
    const ask = catalog.obstacle ? undefined : askOver(connection);
    const marked = await this.#parts.commits.markBefore([...affected], ask);
    return { ...marked, effects: settingsEffectsOf(catalog, tables, statement, sql) };
  }

  /** @param called what functions and triggers change in the settings of the session */
  async #applySessionEffects(
    statement: Write,
    connection: TrackedConnection,
    called?: SessionEffects,
  ): Promise<void> {
    const { session } = connection;
    session.apply(statement.kind === 'other' ? eitherEffects(statement.effects, called) : called);
    if (session.transaction) {
      session.transaction.ddl ||= mayDefine(statement);
    }
    if (mayDefine(statement)) {
      this.#parts.database.forget();
      // it may have dropped a temporary table
      session.settingsUnknown ||= session.changes.searchPath;
    }
    await this.#refreshSettings(connection);
  }

  /** Reads the settings of a session again if a statement may have changed them. */
  async #refreshSettings(connection: TrackedConnection): Promise<void> {
    const { session } = connection;
    if (session.settingsUnknown) {
      try {
        const catalog = await this.#catalog(connection);
        if (!catalog.obstacle) {
          session.refresh(await readSettings(askOver(connection), this.#parts.ownSettings));
        }
      } catch {
        // a failed transaction answers nothing: its end reads the settings
      }
    }
  }

  /** What the functions that a statement calls do. */
  #calledIn(connection: TrackedConnection, sql: string): Called | Promise<Called> {
    const { database } = this.#parts;
    const calledBy = ({ routines }: Catalog): Called => ({
      names: routines.namesReachedIn(sql),
      effects: routines.effectsIn(sql),
    });
    // a view, an operator or a cast may call them too
    if (database.current || !(mayCallRoutine(sql) || /\bfrom\b/i.test(sql) || mayEvaluate(sql))) {
      return database.current ? calledBy(database.current) : NOTHING_CALLED;
    }
    return this.#catalog(connection).then(calledBy);
  }

  #catalog(connection: TrackedConnection): Promise<Catalog> {
    const { database, connectPrimary } = this.#parts;
    return connectPrimary
      ? database.get(connectPrimary)
      : database.get(connectorOver(connection), connection.session.seesCommitted);
  }

  /** The tables that a statement may write to. The catalog is read again if it may lack one. */
  async #tablesOf(
    connection: TrackedConnection,
    statement: Write,
  ): Promise<{ catalog: Catalog; tables: Table[] }> {
    const find = (catalog: Catalog) => findTables(catalog, statement, connection.session);
    const { database, connectPrimary } = this.#parts;
    if (!mayDefine(statement)) {
      const catalog = await this.#catalog(connection);
      const tables = find(catalog);
      const mayLackOne =
        statement.kind !== 'other'
          ? tables.length === 0
          : statement.writes &&
            (tables.length === 0 ||
              (!statement.controlsTransaction && (await connection.apart(ask => lacksTables(ask, catalog)))));
      if (!mayLackOne) {
        return { catalog, tables };
      }
    }
    const refreshed = connectPrimary
      ? await database.refreshed(connectPrimary)
      : await database.refreshed(connectorOver(connection), connection.session.seesCommitted);
    return { catalog: refreshed, tables: find(refreshed) };
  }
}

interface Called {
  /** names of the tables that they may write to */
  readonly names: ReadonlySet<string>;
  /** what they change in the settings of the session */
  readonly effects: SessionEffects | undefined;
}

const NOTHING_CALLED: Called = { names: new Set(), effects: undefined };

function analyse(session: Session, { sql, parameters }: CompiledQuery, { names, effects }: Called) {
  const parsed = session.isReadable ? parseStatement(sql, parameters) : UNREADABLE;
  if (parsed.kind !== 'read' || (names.size === 0 && !effects)) {
    return parsed;
  }
  const read: Read = { kind: 'read', effects: eitherEffects(parsed.effects, effects) };
  return names.size > 0 ? callOf(names, read) : read;
}

/** Whether a query without FROM contains more than names and numbers. */
function mayEvaluate(sql: string): boolean {
  return /\bselect\b/i.test(sql) && !/^\s*select [\w\s,]*$/i.test(sql);
}

function findTables(catalog: Catalog, statement: Write, session: Session): Table[] {
  if (statement.kind === 'other') {
    return statement.opaque
      ? [...catalog.tables.values()]
      : [...statement.names].flatMap(name => catalog.named(name));
  }
  const names = statement.kind === 'truncate' ? statement.tables : [statement.table];
  return names.flatMap(name =>
    name.schema === undefined && !session.resolvesBy(catalog)
      ? catalog.named(name.name)
      : (catalog.resolve(name) ?? []),
  );
}

/**
 * For a plain table, a row count of 0 proves that none of its rows changed. It proves nothing about rules (which may
 * replace the statement), views, or what triggers do to other tables.
 */
function hasChangedNothing(statement: Write, tables: readonly Table[], result: Result): boolean {
  switch (statement.kind) {
    case 'other':
      return !statement.writes;
    case 'truncate':
      return false;
    default:
      return result.numAffectedRows === 0n && tables.every(({ plain }) => plain);
  }
}

function mayDefine(statement: Write): boolean {
  return statement.kind === 'other' && statement.mayDefine;
}

/** The pseudo tables that DDL writes to, so that other processes read the catalog again once it commits. */
function definedBy(statement: Write, catalog: Catalog): string[] {
  return mayDefine(statement) ? definedIn(catalog) : [];
}

function affectedBy(statement: Write, catalog: Catalog, tables: readonly Table[]): Set<string> {
  return statement.kind === 'truncate' ? truncated(catalog, tables) : allAffected(catalog, tables);
}

function widen(transaction: TransactionState, tables: Iterable<string>): void {
  for (const table of tables) {
    transaction.journal.widen(table);
  }
}

/** @throws CacheopsError if it may write to tables that it does not name, unless it is only DDL */
function refuseUnknown({ opaque, writes, ddl, effects }: Other, sql: string): void {
  if (opaque && writes && (!ddl || effects)) {
    const text = sql.length > 200 ? `${sql.slice(0, 200)}…` : sql;
    throw new CacheopsError(
      `cacheops: this statement may write to tables that it does not name, and onUnknownWrite is 'refuse': ${text}. Write it as statements that name their tables, or send it in noInvalidation() and drop what it changes with invalidateModel().`,
    );
  }
}

/** Whether a transaction that began with an earlier statement is open. A failed one is open, and answers nothing. */
async function isOpen(connection: TrackedConnection): Promise<boolean> {
  const ask = askOver(connection);
  try {
    const [row] = await ask('select pg_catalog.now() <> pg_catalog.statement_timestamp() as open');
    return row!.open;
  } catch {
    // the right may be missing, or the time be over: that has failed an open transaction
    return ask('select').then(
      () => false,
      () => true,
    );
  }
}

/** PostgreSQL's class of errors for names and types: a column does not exist, for example. */
function isDefinitionError(error: { code?: unknown }): boolean {
  return typeof error.code === 'string' && error.code.startsWith('42');
}

function askOver(connection: TrackedConnection): Ask {
  return sql => connection.ask(sql);
}

function connectorOver(connection: TrackedConnection): Connect {
  return work => connection.apart(work);
}

const UNREADABLE: Other = {
  kind: 'other',
  names: new Set(),
  opaque: true,
  writes: true,
  ddl: true,
  mayDefine: true,
  transactional: false,
  controlsTransaction: true,
  effects: undefined,
};
