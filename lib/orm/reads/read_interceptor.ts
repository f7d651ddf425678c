import type { EntityMetadata } from '@mikro-orm/core';
import type { AbstractSqlConnection, AbstractSqlDriver, SqlEntityManager } from '@mikro-orm/sql';
import { type CallDecision, mergeCalls, parseCall, resolveCall } from '../../config/call.js';
import type { Op } from '../../config/options.js';
import type { ResolvedOptions } from '../../config/validate.js';
import type { CacheopsEvents } from '../../observability/events.js';
import { channels, type ReadMessage, traced } from '../../observability/tracing.js';
import { findKeyList } from '../../query/key_list.js';
import type { EntryAddress, Store } from '../../store/store.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import type { Catalog } from '../catalog/table.js';
import type { AddBackground } from '../context/background.js';
import type { Environment, EnvironmentState } from '../context/environment.js';
import { askerOf, connectorOf } from '../context/internal_query.js';
import { patch } from '../context/patches.js';
import { currentCaller, currentScope, withScope } from '../context/scope.js';
import { NON_DEFAULT_SETTINGS, type Session, sessionOf, settingsInKey } from '../context/session.js';
import { dryRun } from '../planning/dry_run.js';
import type { Limits, NotCacheable, Planned, ReadCall } from '../planning/plan.js';
import { Planner } from '../planning/planner.js';
import type { Profiles } from '../planning/profiles.js';
import type { WriterFates } from '../protocol/writer_fate.js';
import { Auditor } from './auditor.js';
import { copyOf, isCopyOf } from './copy.js';
import { DatabaseReader } from './database_reader.js';
import { DeferredFills } from './deferred_fills.js';
import { EXISTS } from './exists.js';
import { Filler } from './fill.js';
import { joinedRowLookup, type LookUpJoinedRows } from './joined_row_lookup.js';
import { type KeyListRead, KeyListReader } from './key_list_reader.js';
import { KnownKeys } from './known_keys.js';
import { answerBuilders, type BuiltRead } from './query_builders.js';
import { QueryReader, type QueryReaderParts, type ReadResult } from './query_reader.js';
import { reportFailure, reportRead } from './read_report.js';
import type { Observation, Options, Request } from './request.js';
import type { ResultCodec } from './result_codec.js';
import { SingleFlight } from './single_flight.js';

export interface ReadParts {
  readonly driver: AbstractSqlDriver;
  readonly database: CatalogCache;
  readonly environment: Environment;
  readonly profiles: Profiles;
  readonly store: Store;
  readonly writerFates: WriterFates;
  readonly events: CacheopsEvents;
  readonly limits: Limits;
  readonly enabled: boolean;
  readonly audit: ResolvedOptions['audit'];
  readonly codec: ResultCodec;
  readonly background: AddBackground;
}

type Context = Options['ctx'];

interface CurrentPlanner {
  readonly catalog: Catalog;
  readonly environmentState: EnvironmentState;
  readonly planner: Planner;
}

/** `find` or `count` of the driver. */
type DriverRead = (where: unknown, options: Options) => Promise<unknown>;

const FIND_ONE = Symbol('find one');

/**
 * Serves the driver's `find` and `count` from the store: nearly all reads of the EntityManager come down to these.
 * It decides whether a read is cached, plans it, and reports what became of it.
 */
export class ReadInterceptor {
  readonly #parts: ReadParts;
  readonly #flights = new SingleFlight();
  readonly #reader: DatabaseReader;
  readonly #queries: QueryReader;
  readonly #keyLists: KeyListReader;
  #planner: CurrentPlanner | undefined;

  constructor(parts: ReadParts) {
    this.#parts = parts;
    const { store, events, codec, background, audit } = parts;
    const reader = new DatabaseReader(parts);
    const fills = new DeferredFills(background);
    const shared: QueryReaderParts = {
      store,
      events,
      codec,
      background,
      fills,
      filler: new Filler(parts, fills),
      flights: this.#flights,
      known: new KnownKeys(),
      reader,
      auditor: audit && new Auditor(audit.share, { store, events, codec, reader, background }),
      joinedRows: () => this.#joinedRowLookup(),
    };
    this.#reader = reader;
    this.#queries = new QueryReader(shared);
    this.#keyLists = new KeyListReader(shared);
  }

  install(connections: readonly AbstractSqlConnection[]): void {
    const { driver } = this.#parts;
    answerBuilders(driver, connections, read => this.#serveBuilt(read));
    patch(
      driver,
      'driver.findOne for reads',
      findOne => (entityName, where, options) =>
        findOne.call(driver, entityName, where, { ...options, [FIND_ONE]: true }),
    );
    patch(driver, 'driver.find for reads', find => (entityName, where, options = {}) => {
      const ask: DriverRead = (where, options) => find.call(driver, entityName, where, options);
      return this.#serve('find', options[FIND_ONE] ? 'get' : 'fetch', entityName, where, options, ask);
    });
    patch(driver, 'driver.count for reads', count => (entityName, where, options = {}) => {
      const ask: DriverRead = (where, options) => count.call(driver, entityName, where, options);
      const kind = EXISTS in options ? 'exists' : 'count';
      return this.#serve(kind, kind, entityName, where, options, ask);
    });
    patch(
      driver,
      'driver.loadFromPivotTable for reads',
      load =>
        (prop, ...rest) =>
          withScope({ pivot: prop.targetMeta, em: currentCaller() }, () => load.call(driver, prop, ...rest)),
    );
  }

  #serve(
    kind: ReadCall['kind'],
    op: Op,
    entityName: unknown,
    where: unknown,
    options: Options,
    ask: DriverRead,
  ): Promise<unknown> {
    const scope = currentScope();
    const { dryRun, pivot, em: scoped } = scope;
    const meta = this.#parts.driver.getMetadata().get(entityName as never) as EntityMetadata;
    // when the driver reads for itself (in a flush, for example), it names no EntityManager
    const em: SqlEntityManager | undefined = options.em ?? (pivot && meta.pivotTable ? scoped : undefined);
    const runWithOriginals = () => ask(where, { ...options });
    if (dryRun || !em) {
      return runWithOriginals();
    }
    const run: Request['run'] = (change, other = where) =>
      runWithCopies(ask, other, { ...options, ...change });
    const subject = options.em ? meta : pivot!;
    const observation = this.#observe(op, subject);
    const request = {
      kind,
      op,
      meta,
      subject,
      where,
      options,
      em,
      run,
      runWithOriginals,
      scope,
      ...observation,
    };
    return this.#trace(request);
  }

  /** A statement of a query builder. */
  #serveBuilt(read: BuiltRead): Promise<unknown> {
    const scope = currentScope();
    if (scope.dryRun) {
      return read.run();
    }
    const observation = this.#observe(read.op, read.meta);
    return this.#trace({
      ...read,
      subject: read.meta,
      runWithOriginals: () => read.run(),
      scope,
      ...observation,
    });
  }

  #observe(op: Op, { className: entity }: EntityMetadata): Observation {
    const { events } = this.#parts;
    return {
      beganAt: this.#flights.now(),
      started: events.listenerCount('read') > 0 ? performance.now() : undefined,
      counts: events.stats.of(op, entity),
      message: channels.read.hasSubscribers ? { entity, op, database: events.database, events } : undefined,
    };
  }

  #trace(request: Request): Promise<unknown> {
    return request.message
      ? traced(channels.read, request.message, () => this.#answer(request))
      : this.#answer(request);
  }

  async #answer(request: Request): Promise<unknown> {
    const decision = this.#decide(request);
    try {
      return await this.#answerDecided(request, decision);
    } catch (error) {
      const { subject, op, started, counts } = request;
      reportFailure(this.#parts.events, counts, { entity: subject.className, op, started }, error);
      throw error;
    }
  }

  /** Avoids awaiting where it can, because on a hit only the store takes more time than this. */
  async #answerDecided(request: Request, decision: CallDecision): Promise<unknown> {
    const { ctx } = request.options;
    if (!decision.cached) {
      return this.#bypass(request, decision.reason);
    }
    const session: Session | undefined = ctx && (await sessionOf(ctx));
    const obstacle =
      this.#obstacle(request, session) ?? (session && (await this.#reader.transactionObstacle(session, ctx)));
    if (obstacle) {
      return this.#bypass(request, obstacle);
    }
    const { database, environment } = this.#parts;
    const known = this.#planner;
    const isCurrent =
      known && known.catalog === database.current && known.environmentState === environment.current;
    const current = isCurrent ? known : await this.#currentPlanner(ctx);
    if (typeof current === 'string') {
      return this.#bypass(request, current);
    }
    const { planner } = current;
    request.environmentState = current.environmentState;
    request.catalog = current.catalog;
    const { tables, lock = false, timeout } = decision;
    if (tables) {
      request.ownSettings = settingsInKey(request.em);
      if (session?.hasOwnSettings(request.ownSettings)) {
        return this.#bypass(request, NON_DEFAULT_SETTINGS);
      }
    }
    const list =
      request.kind === 'find' && !tables && !lock ? findKeyList(request.meta, request.where) : undefined;
    if (list) {
      const planning = planner.planKeys(
        { ...request, runWith: where => request.run(undefined, where) },
        list,
      );
      const keys = planning instanceof Promise ? await planning : planning;
      if (keys) {
        return this.#answerKeys(request, planner, { list, keys, timeout, session });
      }
    }
    const planned = planner.plan(tables ? { ...request, tables } : request);
    const plan = planned instanceof Promise ? await planned : planned;
    if (!plan.cacheable) {
      return this.#bypass(request, plan.reason);
    }
    const read = await this.#queries.read({ request, plan, timeout, lock, session });
    this.#reportRead(request, read, plan.address);
    if (plan.changesOptions) {
      // what MikroORM does after a query, such as populating, uses the options as the query has changed them
      await dryRun(request.runWithOriginals);
    }
    return read.result;
  }

  async #answerKeys(
    request: Request,
    planner: Planner,
    list: Omit<KeyListRead, 'request'>,
  ): Promise<unknown> {
    const read = await this.#keyLists.read({ request, ...list });
    // only events and traces need the key of the whole list
    const isObserved = request.started !== undefined || request.message !== undefined;
    const plan = isObserved ? await this.#planOrReport(planner, request) : undefined;
    this.#reportRead(request, read, plan?.cacheable ? plan.address : undefined);
    return read.result;
  }

  /** The read has its result: an error of the user's `prefix`, for example, must not take it away. */
  async #planOrReport(planner: Planner, request: Request): Promise<Planned | NotCacheable | undefined> {
    try {
      return await planner.plan(request);
    } catch (error) {
      this.#parts.events.reportError('read', error);
      return undefined;
    }
  }

  #decide({ op, meta, subject, options, scope }: Request): CallDecision {
    if ((scope.call ?? scope.repository ?? options.cacheops) === undefined) {
      return this.#parts.profiles.decisionOf(subject, op);
    }
    // a call's options are the scope of the queries that populate its result
    const around = mergeCalls(scope.call, scope.repository);
    // and MikroORM passes them on to the queries of pivot tables
    const call =
      options.cacheops === undefined || subject !== meta
        ? undefined
        : parseCall(options.cacheops, `${subject.className}: cacheops`);
    return resolveCall(subject.className, op, this.#parts.profiles.of(subject), around, call);
  }

  /** Why this read must ask the database although its entity is cached. */
  #obstacle({ options, scope, em }: Request, session: Session | undefined): string | undefined {
    if (!this.#parts.enabled || scope.disabled) {
      return 'disabled';
    }
    if (em.getSessionContext()?.role !== undefined) {
      return 'a session context with a role';
    }
    if (options.lockMode) {
      return 'a lock';
    }
    if (options.refresh && !scope.loading) {
      return 'a refresh';
    }
    return options.ctx && !session ? 'a transaction that cannot be seen' : undefined;
  }

  #joinedRowLookup(): LookUpJoinedRows | undefined {
    const { driver } = this.#parts;
    const ask = askerOf(driver);
    return (
      this.#planner &&
      joinedRowLookup(this.#planner.catalog, (sql, parameters) =>
        ask(driver.getPlatform().formatQuery(sql, parameters)),
      )
    );
  }

  async #bypass(request: Request, reason: string): Promise<unknown> {
    const result = await request.runWithOriginals();
    request.counts.bypassed++;
    this.#report(request, 'bypass', reason);
    return result;
  }

  /** @returns a reason if nothing may be cached: the catalog cannot be read, or the settings of sessions are unknown */
  async #currentPlanner(ctx: Context): Promise<CurrentPlanner | string> {
    const { database, environment, driver, limits, profiles } = this.#parts;
    const loaded = await environment.load(database, connectorOf(driver, ctx));
    if (typeof loaded === 'string') {
      return loaded;
    }
    const { catalog, environmentState } = loaded;
    if (this.#planner?.catalog !== catalog || this.#planner.environmentState !== environmentState) {
      const forbidden = profiles.forbiddenTables(catalog);
      const planner = new Planner(driver, catalog, environmentState.text, limits, forbidden);
      this.#planner = { catalog, environmentState, planner };
    }
    return this.#planner;
  }

  #reportRead(request: Request, { cause }: ReadResult, address: EntryAddress | undefined): void {
    request.counts[cause === undefined ? 'hits' : 'misses']++;
    this.#report(request, cause === undefined ? 'hit' : 'miss', cause, address);
  }

  #report(
    request: Request,
    outcome: NonNullable<ReadMessage['outcome']>,
    reason: string | undefined,
    address?: EntryAddress,
  ): void {
    const { subject, op, started, message } = request;
    reportRead(
      this.#parts.events,
      { entity: subject.className, op, started, message },
      outcome,
      reason,
      address,
    );
  }
}

/** In a dry run, it records whether MikroORM has changed the options or the condition. */
async function runWithCopies(read: DriverRead, where: unknown, options: Options): Promise<unknown> {
  const [copiedWhere, copiedOptions] = copyOf([where, options] as const);
  const result = await read(copiedWhere, copiedOptions);
  const { dryRun } = currentScope();
  if (dryRun) {
    dryRun.changesOptions ||= !isCopyOf([copiedWhere, copiedOptions], [where, options]);
  }
  return result;
}
