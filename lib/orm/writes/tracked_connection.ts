import type {
  CompiledQuery,
  DatabaseConnection,
  DatabaseIntrospector,
  Dialect,
  DialectAdapter,
  Driver,
  Kysely,
  QueryCompiler,
  QueryResult,
  TransactionSettings,
} from 'kysely';
import { truncate } from '../../sql/lexer/names.js';
import type { IsolationLevel } from '../../sql/statement.js';
import { CHECK_FAILED } from '../catalog/catalog_queries.js';
import type { Ask } from '../catalog/table.js';
import type { ConnectionUse } from '../context/connection_use.js';
import { type LogStatement, plainQuery } from '../context/internal_query.js';
import { registerSession, type Session } from '../context/session.js';
import { type Client, type Clients, join } from './clients.js';
import { JoiningConnection } from './joining_connection.js';

/** The part of the statement interceptor that connections know. */
export interface StatementObserver {
  readonly log: LogStatement;
  newSession(): Session;
  /** called before a connection is handed out */
  open(connection: TrackedConnection): Promise<void>;
  /** called before a connection is given back */
  release(session: Session): void;
  /** called when a connection has ended, as far as the driver tells */
  close(session: Session): void;
  execute(
    connection: TrackedConnection,
    query: CompiledQuery,
    options?: StatementOptions,
  ): Promise<QueryResult<any>>;
  stream<T>(
    connection: TrackedConnection,
    query: CompiledQuery,
    stream: () => AsyncIterableIterator<T>,
  ): AsyncIterableIterator<T>;
  begin(session: Session, isolation: IsolationLevel | undefined): void;
  /** @param options.joins COMMIT may be sent in one message with other statements */
  commit(
    connection: TrackedConnection,
    commit: () => Promise<unknown>,
    options: { joins: boolean },
  ): Promise<void>;
  rollback(connection: TrackedConnection, rollback: () => Promise<unknown>): Promise<void>;
}

/**
 * A dialect whose connections report every statement and every transaction.
 *
 * All statements pass this place: of the unit of work, native statements, query builders, raw SQL and kysely, with its own
 * transactions. Methods of the ORM above it can be bypassed; only direct use of the connection pool is not seen.
 */
export class TrackedDialect implements Dialect {
  readonly #dialect: Dialect;
  readonly #observer: StatementObserver;
  readonly #use: ConnectionUse;
  readonly #clients: Clients | undefined;

  /** @param clients those of the pool that the dialect uses, if it is one of node-postgres */
  constructor(dialect: Dialect, observer: StatementObserver, use: ConnectionUse, clients?: Clients) {
    this.#dialect = dialect;
    this.#observer = observer;
    this.#use = use;
    this.#clients = clients;
  }

  createDriver(): Driver {
    this.#use.reset(this.createAdapter());
    return new TrackedDriver(this.#dialect.createDriver(), this.#observer, this.#use, this.#clients);
  }

  createAdapter(): DialectAdapter {
    return this.#dialect.createAdapter();
  }

  createIntrospector(db: Kysely<any>): DatabaseIntrospector {
    return this.#dialect.createIntrospector(db);
  }

  createQueryCompiler(): QueryCompiler {
    return this.#dialect.createQueryCompiler();
  }
}

class TrackedDriver implements Driver {
  readonly #driver: Driver;
  readonly #observer: StatementObserver;
  readonly #use: ConnectionUse;
  readonly #clients: Clients | undefined;
  /** one wrapper for each connection, because it keeps the state of the session */
  readonly #connections = new WeakMap<DatabaseConnection, TrackedConnection>();

  constructor(driver: Driver, observer: StatementObserver, use: ConnectionUse, clients: Clients | undefined) {
    this.#driver = driver;
    this.#observer = observer;
    this.#use = use;
    this.#clients = clients;
  }

  async init(...args: Parameters<Driver['init']>): Promise<void> {
    await this.#driver.init(...args);
  }

  acquireConnection(...args: Parameters<Driver['acquireConnection']>): Promise<DatabaseConnection> {
    return this.#use.acquire(this.#acquire(args));
  }

  async #acquire(args: Parameters<Driver['acquireConnection']>): Promise<TrackedConnection> {
    const [acquiring, client] = this.#clients
      ? this.#clients.takenBy(() => this.#driver.acquireConnection(...args))
      : [this.#driver.acquireConnection(...args)];
    const connection = await acquiring;
    let tracked = this.#connections.get(connection);
    if (!tracked) {
      tracked = new TrackedConnection(this.#driver, connection, this.#observer, await client);
      this.#connections.set(connection, tracked);
    }
    await this.#observer.open(tracked);
    return tracked;
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const { inner, session } = connection as TrackedConnection;
    const { isolationLevel, accessMode } = settings;
    if (isolationLevel || accessMode) {
      await this.#driver.beginTransaction(inner.raw, settings);
    } else {
      await inner.begin();
    }
    this.#observer.begin(session, isolationLevel as IsolationLevel | undefined);
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as TrackedConnection).idle();
    await (connection as TrackedConnection).commit();
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    await (connection as TrackedConnection).idle();
    await (connection as TrackedConnection).rollback();
  }

  async savepoint(connection: DatabaseConnection, name: string, compileQuery: QueryCompiler['compileQuery']) {
    const { inner, session } = connection as TrackedConnection;
    await (connection as TrackedConnection).idle();
    await inner.sendBegin();
    await this.#driver.savepoint!(inner.raw, name, compileQuery);
    session.transaction?.journal.savepoint(truncate(name));
  }

  async rollbackToSavepoint(
    connection: DatabaseConnection,
    name: string,
    compileQuery: QueryCompiler['compileQuery'],
  ) {
    const { inner, session } = connection as TrackedConnection;
    await (connection as TrackedConnection).idle();
    await inner.sendBegin();
    await this.#driver.rollbackToSavepoint!(inner.raw, name, compileQuery);
    session.transaction?.journal.rollbackTo(truncate(name));
  }

  async releaseSavepoint(
    connection: DatabaseConnection,
    name: string,
    compileQuery: QueryCompiler['compileQuery'],
  ) {
    const { inner, session } = connection as TrackedConnection;
    await (connection as TrackedConnection).idle();
    await inner.sendBegin();
    await this.#driver.releaseSavepoint!(inner.raw, name, compileQuery);
    session.transaction?.journal.release(truncate(name));
  }

  async releaseConnection(connection: DatabaseConnection, ...rest: unknown[]): Promise<void> {
    this.#use.release(connection as TrackedConnection);
    this.#observer.release((connection as TrackedConnection).session);
    await (this.#driver.releaseConnection as (...args: unknown[]) => Promise<void>)(
      (connection as TrackedConnection).inner.raw,
      ...rest,
    );
  }

  async destroy(...args: Parameters<Driver['destroy']>): Promise<void> {
    await this.#driver.destroy(...args);
  }
}

/** A connection and its session. */
export class TrackedConnection implements DatabaseConnection {
  readonly inner: JoiningConnection;
  readonly session: Session;
  readonly #observer: StatementObserver;
  /** the check before COMMIT is prepared in this session */
  #isPrepared = false;
  #refusals = 0;
  readonly #executing = new Set<Promise<unknown>>();
  #client: Client | undefined;
  // optional methods exist only if the connection has them
  readonly cancelQuery: DatabaseConnection['cancelQuery'];
  readonly collectSessionInfo: DatabaseConnection['collectSessionInfo'];
  readonly killSession: DatabaseConnection['killSession'];

  constructor(driver: Driver, raw: DatabaseConnection, observer: StatementObserver, client?: Client) {
    this.inner = new JoiningConnection(driver, raw);
    this.#observer = observer;
    this.session = observer.newSession();
    registerSession(this, this.session);
    client?.once('end', () => observer.close(this.session));
    client?.connection?.on?.('parameterStatus', ({ parameterName, parameterValue }) =>
      this.session.report(parameterName, parameterValue),
    );
    this.#client = client;
    this.cancelQuery = raw.cancelQuery?.bind(raw);
    this.collectSessionInfo = raw.collectSessionInfo?.bind(raw);
    this.killSession = raw.killSession?.bind(raw);
  }

  executeQuery<R>(query: CompiledQuery, options?: StatementOptions): Promise<QueryResult<R>> {
    const executed = this.#observer.execute(this, query, options);
    this.#executing.add(executed);
    const forget = () => this.#executing.delete(executed);
    executed.then(forget, forget);
    return executed as Promise<QueryResult<R>>;
  }

  /**
   * Waits for the statements that are being executed. kysely does not, before it ends a transaction in which one of several
   * has failed: those that are not sent yet would be executed outside of the transaction.
   */
  async idle(): Promise<void> {
    while (this.#executing.size > 0) {
      await Promise.allSettled(this.#executing);
    }
  }

  streamQuery<R>(
    ...args: Parameters<DatabaseConnection['streamQuery']>
  ): AsyncIterableIterator<QueryResult<R>> {
    return this.#observer.stream(this, args[0], () => this.inner.streamQuery<R>(...args));
  }

  /** Sends one of the extension's own statements, which is not followed. */
  async ask(sql: string): Promise<Record<string, any>[]> {
    const started = Date.now();
    try {
      return (await this.inner.executeQuery<any>(plainQuery(sql))).rows;
    } finally {
      this.#observer.log(sql, Date.now() - started);
    }
  }

  /** @param processId of the session, as the server has just told */
  joinIfDirect(processId: number): void {
    const client = this.#client;
    // a client whose method was replaced may not know results of several statements
    if (client?.processID === processId && !this.inner.isDirect && !Object.hasOwn(client, 'query')) {
      join(client);
      this.inner.isDirect = true;
    }
  }

  /** Lets work ask in a savepoint, so that an error does not end an open transaction. */
  async apart<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
    const ask: Ask = sql => this.ask(sql);
    if (!this.session.transaction) {
      return work(ask);
    }
    await this.ask(`savepoint ${SAVEPOINT}`);
    try {
      return await work(async sql => {
        try {
          return await this.ask(sql);
        } catch (error) {
          await this.ask(`rollback to savepoint ${SAVEPOINT}`);
          throw error;
        }
      });
    } finally {
      await this.ask(`release savepoint ${SAVEPOINT}`);
    }
  }

  /**
   * Commits in one message with a check, which is prepared so that PostgreSQL need not plan it again.
   *
   * @param calls the arguments of each call of the check, in SQL
   * @returns false if nothing is committed, and the transaction is as before: the check has failed, or cannot be made here
   * @throws what COMMIT throws
   */
  async commitIf({ name, types, sql }: CommitCheck, calls: readonly string[]): Promise<boolean> {
    if (this.#refusals === MOST_REFUSALS) {
      return false;
    }
    const statements = [
      `savepoint ${SAVEPOINT}`,
      ...(this.#isPrepared ? [] : [`prepare ${name} (${types}) as ${sql}`]),
      ...calls.map(call => `execute ${name}(${call})`),
      'commit',
    ];
    try {
      await this.ask(statements.join(';'));
      this.#isPrepared = true;
      return true;
    } catch (error) {
      const { code, message } = error as { code?: string; message: string };
      if (code === IN_FAILED_TRANSACTION) {
        return false;
      }
      const isRefused = code === NO_SUCH_STATEMENT || code === SUCH_A_STATEMENT;
      if (!isRefused && !message.includes(CHECK_FAILED)) {
        throw error;
      }
      if (isRefused) {
        // DISCARD and DEALLOCATE, for example, remove prepared statements
        this.#refusals++;
        this.#isPrepared = false;
      }
      await this.ask(`rollback to savepoint ${SAVEPOINT}`);
      return false;
    }
  }

  /** Begins a transaction for one statement. */
  async begin(): Promise<void> {
    await this.inner.begin();
    this.#observer.begin(this.session, undefined);
  }

  async commit(): Promise<void> {
    await this.#observer.commit(this, () => this.inner.commit(), { joins: this.inner.isDirect });
  }

  async rollback(): Promise<void> {
    await this.#observer.rollback(this, () => this.inner.rollback());
  }
}

/** A query that fails, with {@link CHECK_FAILED} in its message, if a transaction must not be committed as it is. */
export interface CommitCheck {
  readonly name: string;
  /** of its parameters, in SQL */
  readonly types: string;
  readonly sql: string;
}

const SAVEPOINT = 'cacheops_question';
/** After that many failures, a connection prepares nothing more. */
const MOST_REFUSALS = 3;
/** PostgreSQL's error code for statements in a failed transaction. */
export const IN_FAILED_TRANSACTION = '25P02';
/** Its error codes for a prepared statement that is not there, and for one that is there already. */
const NO_SUCH_STATEMENT = '26000';
const SUCH_A_STATEMENT = '42P05';

export type StatementOptions = Parameters<DatabaseConnection['executeQuery']>[1];
