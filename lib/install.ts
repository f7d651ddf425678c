import type { Configuration, MikroORM } from '@mikro-orm/core';
import {
  type AbstractSqlConnection,
  AbstractSqlDriver,
  BasePostgreSqlPlatform,
  Kysely,
} from '@mikro-orm/sql';
import type { Dialect } from 'kysely';
import { CacheopsError } from './config/error.js';
import type { ResolvedOptions } from './config/validate.js';
import { checkDecorated } from './decorators/stray.js';
import { Lifetime } from './lifetime.js';
import { CacheopsEvents } from './observability/events.js';
import { TracedStore } from './observability/traced_store.js';
import { cachedEntityManager } from './orm/api/entity_manager.js';
import { Cacheops } from './orm/api/handle.js';
import { CachedRepository } from './orm/api/repository.js';
import { CatalogCache } from './orm/catalog/catalog_cache.js';
import { embeddedIdentity } from './orm/catalog/embedded_identity.js';
import { namesOfOwnSettings } from './orm/catalog/settings.js';
import type { Ask, Connect } from './orm/catalog/table.js';
import { ComputedResults } from './orm/computed/computed_results.js';
import { StoreCache } from './orm/computed/timed_values.js';
import { Background } from './orm/context/background.js';
import { ConnectionUse } from './orm/context/connection_use.js';
import { Environment } from './orm/context/environment.js';
import { EXTENSION, FUNCTIONS, PROFILES, STORE } from './orm/context/extension_keys.js';
import { askerOf, connectorOf, statementLog } from './orm/context/internal_query.js';
import { contextOf, type FunctionParts, rememberOrm } from './orm/context/orm_registry.js';
import { patch } from './orm/context/patches.js';
import { PoolSettings } from './orm/context/pool_settings.js';
import { currentScope } from './orm/context/scope.js';
import { supportDryRuns } from './orm/planning/dry_run.js';
import { Profiles } from './orm/planning/profiles.js';
import { Samples } from './orm/planning/samples.js';
import { leaseCatalog } from './orm/protocol/lease.js';
import { definedIn } from './orm/protocol/virtual_tables.js';
import { WriterFates } from './orm/protocol/writer_fate.js';
import { supportExists } from './orm/reads/exists.js';
import { ReadInterceptor } from './orm/reads/read_interceptor.js';
import { resultCodec } from './orm/reads/result_codec.js';
import { Clients } from './orm/writes/clients.js';
import { CommitProtocol } from './orm/writes/commit.js';
import { FlushSubscriber } from './orm/writes/flush_subscriber.js';
import { Invalidation } from './orm/writes/manual_invalidation.js';
import { type InterceptorParts, StatementInterceptor } from './orm/writes/statement_interceptor.js';
import { TrackedDialect } from './orm/writes/tracked_connection.js';
import { GuardedStore } from './store/guarded_store.js';
import { MemoryStore } from './store/memory/memory_store.js';
import type { Store } from './store/store.js';

/**
 * Creates the parts and installs them between the ORM and its driver. The constructor of MikroORM calls it, before
 * discovery; it connects to nothing.
 *
 * @param given the user's own store, which is not closed with the ORM; or a function that makes a store, when the ORM is
 *   created and when it connects again after it was closed
 */
export function install(orm: MikroORM<any>, options: ResolvedOptions, given: Store | (() => Store)): void {
  let store = typeof given === 'function' ? given() : given;
  const driver = checkDriver(orm);
  const { config } = orm;
  if (config.getExtension(EXTENSION)) {
    throw new CacheopsError('extensions: cacheops() is there twice. Leave one of them out.');
  }
  // also without the option `debug`
  const warn = (text: string) => config.getLogger().warn('info', `cacheops: ${text}`, { enabled: true });
  const connections = connectionsOf(driver);
  const events = new CacheopsEvents(String(config.get('dbName')));
  const background = new Background(error => events.reportError('background', error));
  const guarded = new GuardedStore(new TracedStore(store, events), {
    onStoreFailure: options.onStoreFailure,
    retryAfter: options.retryAfter,
    report: (operation, error) => events.reportError(operation, error),
    onOutage: error =>
      warn(
        error
          ? `the store is not available, and reads go to the database: ${error instanceof Error ? error.message : error}`
          : 'the store is available again.',
      ),
    onLateMark: () => lifetime.writes(),
  });
  const ask: Ask = askerOf(driver);
  const connect: Connect = connectorOf(driver);
  const database = new CatalogCache(
    () => embeddedIdentity(driver),
    reason => {
      warn(`nothing is cached, and every write invalidates all results: ${reason}`);
      events.reportError(
        'catalog',
        new CacheopsError(`The catalog of the database cannot be read: ${reason}`),
      );
    },
    (name, ask) => leaseCatalog({ store: guarded, writerFates, events }, name, ask),
  );
  const writerFates: WriterFates = new WriterFates(guarded, database, ask, events, background.add);
  const commits = new CommitProtocol({
    store: guarded,
    writerFates,
    database,
    events,
    background: background.add,
  });
  const limits = { rows: options.maxRows, characters: MAX_CHARACTERS };
  const pool = new PoolSettings(() => database.forget());
  const environment = new Environment(driver, pool);
  const sessionsVary = areReserved(connections, config);
  const ownSettings = namesOfOwnSettings(textsOfConnections(connections, config));
  const { onUnknownWrite } = options;
  const log = statementLog(config);
  const parts: InterceptorParts = {
    database,
    store: guarded,
    commits,
    limits,
    pool,
    ownSettings,
    sessionsVary,
    onUnknownWrite,
    log,
  };
  const writes = new StatementInterceptor(parts);
  const writesOfReplicas = new StatementInterceptor({ ...parts, connectPrimary: connect });
  const profiles = new Profiles(options, () => driver.getMetadata());

  const uses = connections.map(() => new ConnectionUse(() => lifetime.connects()));
  trackConnections(
    connections,
    config,
    (dialect, i, clients) =>
      new TrackedDialect(dialect, i === 0 ? writes : writesOfReplicas, uses[i]!, clients),
  );
  trackDumps(connections, commits, database, connect);
  supportDryRuns(driver);
  supportExists(driver);
  new ReadInterceptor({
    driver,
    database,
    environment,
    profiles,
    store: guarded,
    writerFates,
    events,
    limits: options,
    enabled: options.enabled,
    audit: options.audit,
    codec: resultCodec(options.serializer),
    background: background.add,
  }).install(connections);

  const samples = new Samples({ driver, environment, profiles, limits: options });
  samples.install();
  readFromPrimary(driver);
  const results = new ComputedResults({
    driver,
    database,
    environment,
    samples,
    store: guarded,
    own: store,
    writerFates,
    events,
    prefix: options.prefix,
    enabled: options.enabled,
    serializer: options.serializer,
    background: background.add,
  });
  const timed = new StoreCache({
    store: guarded,
    own: store,
    isShared: !(store instanceof MemoryStore),
    em: () => orm.em,
    database,
    databaseName: async () => {
      const ctx = contextOf(orm.em).getTransactionContext();
      return (await database.get(connectorOf(driver, ctx), ctx === undefined)).database;
    },
    writerFates,
    events,
    background: background.add,
    enabled: options.enabled,
    serializer: options.serializer,
    prefix: key => keyPrefix(options.prefix, key, String(config.get('dbName'))),
  });

  config.set('subscribers', [...config.get('subscribers'), new FlushSubscriber()]);
  if (!config.getAll().entityRepository) {
    config.set('entityRepository', CachedRepository as never);
  }
  useEntityManager(driver);
  checkProfilesOnDiscovery(config, profiles, warn);

  const invalidation = new Invalidation(driver, database, guarded, connect, events);
  const idle = () => background.idle(() => uses[0]!.isExhaustedByTransactions);
  let forgetOrm = rememberOrm(orm);
  const lifetime = new Lifetime({
    async beforeEnd() {
      forgetOrm();
      writerFates.close();
      await idle();
      // the pool waits for its connections, and may do so for ever
      await guarded.flush(false);
    },
    async afterEnd() {
      await idle();
      await (typeof given === 'function' ? guarded.close() : guarded.flush(true));
      events.announce('close', () => undefined);
    },
    reopen() {
      forgetOrm = rememberOrm(orm);
      writerFates.reopen();
      if (typeof given === 'function') {
        store = given();
        guarded.reopen(new TracedStore(store, events));
      }
    },
  });
  closeWith(driver, lifetime, () => {
    database.disconnected();
    pool.disconnected();
  });
  const handle = new Cacheops({ events, invalidation, timed, idle, close: () => lifetime.close() });
  config.registerExtension(EXTENSION, () => handle);
  const functions: FunctionParts = {
    results,
    events,
    isShared: !(store instanceof MemoryStore),
    serializer: options.serializer,
  };
  config.registerExtension(FUNCTIONS, () => functions);
  config.registerExtension(PROFILES, () => profiles);
  config.registerExtension(STORE, () => store);
}

/** The size of the row values that a transaction keeps, in characters. */
const MAX_CHARACTERS = 4_000_000;

function checkDriver(orm: MikroORM<any>): AbstractSqlDriver {
  const { driver } = orm;
  if (!(driver instanceof AbstractSqlDriver) && ancestorsOf(driver).includes('AbstractSqlDriver')) {
    throw new CacheopsError(
      `cacheops(): ${driver.constructor.name} is of another copy of @mikro-orm/sql. Give all @mikro-orm packages one version.`,
    );
  }
  if (!(driver instanceof AbstractSqlDriver) || !(driver.getPlatform() instanceof BasePostgreSqlPlatform)) {
    throw new CacheopsError(
      `cacheops(): ${driver.constructor.name} is not supported. Use @mikro-orm/postgresql or @mikro-orm/pglite.`,
    );
  }
  return driver as AbstractSqlDriver;
}

function ancestorsOf(object: object): string[] {
  const parent: object | null = Object.getPrototypeOf(object);
  return parent ? [parent.constructor.name, ...ancestorsOf(parent)] : [];
}

function connectionsOf(driver: AbstractSqlDriver): AbstractSqlConnection[] {
  const { connection, replicas } = driver as unknown as {
    connection: AbstractSqlConnection;
    replicas: AbstractSqlConnection[];
  };
  return [connection, ...replicas];
}

interface Hooks {
  readonly onCreateConnection?: unknown;
  readonly onReserveConnection?: unknown;
  readonly driverOptions?: unknown;
}

function optionsOf(connections: readonly AbstractSqlConnection[]): Hooks[] {
  return connections.map(connection => (connection as unknown as { options: Hooks }).options);
}

/** Whether a hook may change the session of a connection each time that it is taken from the pool, unseen by the extension. */
function areReserved(connections: readonly AbstractSqlConnection[], config: Configuration): boolean {
  if (config.get('sessionContext') === 'connection') {
    return true;
  }
  const given = [config.getAll(), ...optionsOf(connections)] as readonly Hooks[];
  return given.some(({ onReserveConnection }) => onReserveConnection !== undefined);
}

/** Texts that may contain names of settings that new connections have. */
function textsOfConnections(connections: readonly AbstractSqlConnection[], config: Configuration): string[] {
  const given = [config.getAll(), ...optionsOf(connections)] as readonly Hooks[];
  const hooks = given.flatMap(({ onCreateConnection, driverOptions }) => [
    String(onCreateConnection),
    ...textsIn(driverOptions),
  ]);
  return [process.env.PGOPTIONS ?? '', decodeURIComponent(config.get('clientUrl') ?? ''), ...hooks];
}

function textsIn(options: unknown): string[] {
  return typeof options === 'object' && options !== null
    ? Object.values(options)
        .filter(value => /^(string|function)$/.test(typeof value))
        .map(String)
    : [String(options)];
}

/** A cached function reads from the primary, because a replica may lag behind. */
function readFromPrimary(driver: AbstractSqlDriver): void {
  patch(driver, 'driver.getConnection for functions', getConnection => {
    return function (type) {
      return getConnection.call(this, currentScope().computation?.readsPrimary ? 'write' : type);
    };
  });
}

function keyPrefix(prefix: ResolvedOptions['prefix'], key: string, database: string): string {
  return typeof prefix === 'function' ? prefix({ entity: '', function: key, tables: [], database }) : '';
}

interface DialectSource {
  readonly options: { driverOptions?: unknown };
}

/** Wraps the dialect that each connection is made from, of the ORM or of the user; the first connection is the primary's. */
function trackConnections(
  connections: readonly AbstractSqlConnection[],
  config: Configuration,
  trackedBy: (dialect: Dialect, connection: number, clients?: Clients) => Dialect,
): void {
  const trackOptions = (given: unknown, tracked: (dialect: Dialect) => Dialect): unknown => {
    if (typeof given === 'function') {
      return () => trackOptions(given(), tracked);
    }
    if (given instanceof Kysely) {
      throw new CacheopsError(
        'cacheops(): driverOptions is a Kysely instance, whose transactions cannot be seen. Pass its dialect instead.',
      );
    }
    return typeof given === 'object' && given !== null && 'createDriver' in given
      ? tracked(given as Dialect)
      : given;
  };
  const track = (i: number) => (dialect: Dialect) => trackedBy(dialect, i);
  for (const [i, connection] of (connections as unknown as DialectSource[]).entries()) {
    const tracked = track(i);
    patch(connection, 'connection.createKyselyDialect', createKyselyDialect => {
      return function (options) {
        const clients = new Clients();
        const onPoolCreated = (pool: Parameters<Clients['follow']>[0]) => {
          clients.follow(pool);
          return options?.onPoolCreated?.(pool);
        };
        const dialect: Dialect | Promise<Dialect> = createKyselyDialect.call(this, {
          ...options,
          onPoolCreated,
        });
        return dialect instanceof Promise
          ? dialect.then(each => trackedBy(each, i, clients))
          : trackedBy(dialect, i, clients);
      };
    });
    if (connection.options.driverOptions !== undefined) {
      connection.options.driverOptions = trackOptions(connection.options.driverOptions, tracked);
    }
  }
  const given = config.get('driverOptions');
  const ours = trackOptions(given, track(0));
  if (ours !== given) {
    config.set('driverOptions', ours as never);
  }
}

/** PGlite does not run dumps through the tracked connections. */
function trackDumps(
  connections: readonly AbstractSqlConnection[],
  commits: CommitProtocol,
  database: CatalogCache,
  connect: Connect,
): void {
  for (const connection of connections) {
    patch(connection, 'connection.executeDump', executeDump => {
      return async function (dump) {
        const catalog = await database.get(connect);
        const tables = [...catalog.tables.keys(), ...definedIn(catalog)];
        const marked = await commits.markBefore(tables);
        try {
          await executeDump.call(this, dump);
        } finally {
          database.forget();
          await commits.settleAfter(marked);
        }
      };
    });
  }
}

function useEntityManager(driver: AbstractSqlDriver): void {
  patch(driver, 'driver.createEntityManager', createEntityManager => {
    return function (useContext) {
      const plain: object = createEntityManager.call(this, useContext);
      const EntityManager = cachedEntityManager(plain.constructor as never);
      return new EntityManager(this.config, this, this.getMetadata(), useContext);
    };
  });
}

function checkProfilesOnDiscovery(
  config: Configuration,
  profiles: Profiles,
  warn: (text: string) => void,
): void {
  const discovery = config.get('discovery');
  const { afterDiscovered } = discovery;
  config.set('discovery', {
    ...discovery,
    afterDiscovered(storage, platform) {
      const check = () => {
        for (const warning of profiles.check(storage)) {
          warn(warning);
        }
        checkDecorated([...storage.getAll().values()].map(meta => meta.class as never));
      };
      const result = afterDiscovered?.(storage, platform);
      return result instanceof Promise ? result.then(check) : check();
    },
  });
}

/** Patches the driver, because the ORM has no hook for closing. Reconnecting closes the driver, too. */
function closeWith(driver: AbstractSqlDriver, lifetime: Lifetime, forget: () => void): void {
  let reconnecting = false;
  patch(driver, 'driver.connect', connect => {
    return async function (options) {
      lifetime.connects();
      return await connect.call(this, options);
    };
  });
  patch(driver, 'driver.reconnect', reconnect => {
    return async function (options) {
      reconnecting = true;
      try {
        return await reconnect.call(this, options);
      } finally {
        reconnecting = false;
      }
    };
  });
  patch(driver, 'driver.close', close => {
    return async function (force) {
      const end = () => close.call(this, force);
      await (reconnecting ? end() : lifetime.close(end));
      lifetime.disconnected();
      forget(); // the next connection may be to another database
    };
  });
}
