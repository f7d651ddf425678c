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
import type { Ask } from '../catalog/table.js';
import type { ConnectionUse } from '../context/connection_use.js';
import { type LogStatement, plainQuery } from '../context/internal_query.js';
import { registerSession, type Session } from '../context/session.js';

/** The part of the statement interceptor that connections know. */
export interface StatementObserver {
  readonly log: LogStatement;
  newSession(): Session;
  /** called before a connection is handed out */
  open(connection: TrackedConnection): Promise<void>;
  /** called before a connection is given back */
  release(session: Session): void;
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
  commit(connection: TrackedConnection, commit: () => Promise<unknown>): Promise<void>;
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
      tracked = new TrackedConnection(this.#driver, connection, this.#observer);
      this.#connections.set(connection, tracked);
      const { session } = tracked;
      (await client)?.connection?.on?.('parameterStatus', ({ parameterName, parameterValue }) =>
        session.report(parameterName, parameterValue),
      );
    }
    await this.#observer.open(tracked);
    return tracked;
  }

  async beginTransaction(connection: DatabaseConnection, settings: TransactionSettings): Promise<void> {
    const { inner, session } = connection as TrackedConnection;
    await this.#driver.beginTransaction(inner, settings);
    this.#observer.begin(session, settings.isolationLevel as IsolationLevel | undefined);
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    const tracked = connection as TrackedConnection;
    await this.#observer.commit(tracked, () => this.#driver.commitTransaction(tracked.inner));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    const tracked = connection as TrackedConnection;
    await this.#observer.rollback(tracked, () => this.#driver.rollbackTransaction(tracked.inner));
  }

  async savepoint(connection: DatabaseConnection, name: string, compileQuery: QueryCompiler['compileQuery']) {
    const { inner, session } = connection as TrackedConnection;
    await this.#driver.savepoint!(inner, name, compileQuery);
    session.transaction?.journal.savepoint(truncate(name));
  }

  async rollbackToSavepoint(
    connection: DatabaseConnection,
    name: string,
    compileQuery: QueryCompiler['compileQuery'],
  ) {
    const { inner, session } = connection as TrackedConnection;
    await this.#driver.rollbackToSavepoint!(inner, name, compileQuery);
    session.transaction?.journal.rollbackTo(truncate(name));
  }

  async releaseSavepoint(
    connection: DatabaseConnection,
    name: string,
    compileQuery: QueryCompiler['compileQuery'],
  ) {
    const { inner, session } = connection as TrackedConnection;
    await this.#driver.releaseSavepoint!(inner, name, compileQuery);
    session.transaction?.journal.release(truncate(name));
  }

  async releaseConnection(connection: DatabaseConnection, ...rest: unknown[]): Promise<void> {
    this.#use.release(connection as TrackedConnection);
    this.#observer.release((connection as TrackedConnection).session);
    await (this.#driver.releaseConnection as (...args: unknown[]) => Promise<void>)(
      (connection as TrackedConnection).inner,
      ...rest,
    );
  }

  async destroy(...args: Parameters<Driver['destroy']>): Promise<void> {
    await this.#driver.destroy(...args);
  }
}

/** The part of a client of node-postgres that is used; the native client has no `connection`. */
export interface Client {
  readonly connection?: {
    on?(
      event: 'parameterStatus',
      listener: (message: { readonly parameterName: string; readonly parameterValue: string }) => void,
    ): unknown;
  };
}

/** Knows which client of a pool of node-postgres is behind each connection of kysely, which does not tell. */
export class Clients {
  #last: Promise<Client> | undefined;

  follow(pool: { connect(...args: unknown[]): Promise<Client> }): void {
    const { connect } = pool;
    pool.connect = (...args) => {
      const taken = connect.apply(pool, args);
      this.#last = taken;
      return taken;
    };
  }

  /** @param acquire takes a client from the pool before it awaits anything */
  takenBy<T>(acquire: () => T): [acquired: T, client: Promise<Client> | undefined] {
    this.#last = undefined;
    const acquired = acquire();
    return [acquired, this.#last];
  }
}

/** A connection and its session. */
export class TrackedConnection implements DatabaseConnection {
  readonly inner: DatabaseConnection;
  readonly session: Session;
  readonly #driver: Driver;
  readonly #observer: StatementObserver;
  // optional methods exist only if the connection has them
  readonly cancelQuery: DatabaseConnection['cancelQuery'];
  readonly collectSessionInfo: DatabaseConnection['collectSessionInfo'];
  readonly killSession: DatabaseConnection['killSession'];

  constructor(driver: Driver, inner: DatabaseConnection, observer: StatementObserver) {
    this.#driver = driver;
    this.inner = inner;
    this.#observer = observer;
    this.session = observer.newSession();
    registerSession(this, this.session);
    this.cancelQuery = inner.cancelQuery?.bind(inner);
    this.collectSessionInfo = inner.collectSessionInfo?.bind(inner);
    this.killSession = inner.killSession?.bind(inner);
  }

  executeQuery<R>(query: CompiledQuery, options?: StatementOptions): Promise<QueryResult<R>> {
    return this.#observer.execute(this, query, options) as Promise<QueryResult<R>>;
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

  /** Begins a transaction for one statement. */
  async begin(): Promise<void> {
    await this.#driver.beginTransaction(this.inner, {});
    this.#observer.begin(this.session, undefined);
  }

  async commit(): Promise<void> {
    await this.#observer.commit(this, () => this.#driver.commitTransaction(this.inner));
  }

  async rollback(): Promise<void> {
    await this.#observer.rollback(this, () => this.#driver.rollbackTransaction(this.inner));
  }
}

const SAVEPOINT = 'cacheops_question';

export type StatementOptions = Parameters<DatabaseConnection['executeQuery']>[1];
