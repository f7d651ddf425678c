import type { EntityMetadata } from '@mikro-orm/core';
import type { AbstractSqlConnection, AbstractSqlDriver, SqlEntityManager } from '@mikro-orm/sql';
import {
  type CallDecision,
  mergeCalls,
  type Op,
  parseCall,
  type ResolvedOptions,
  resolveCall,
} from '../../config/index.js';
import { describeCause, describeDependencies } from '../../observability/describe.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { ReadCounts } from '../../observability/stats.js';
import { channels, conclude, type ReadMessage, traced } from '../../observability/tracing.js';
import { findKeyList } from '../../query/key_list.js';
import type { EntryAddress, Found, Seal, Store } from '../../store/store.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import type { Ask, Catalog } from '../catalog/table.js';
import type { AddBackground } from '../context/background.js';
import type { Environment, EnvironmentState } from '../context/environment.js';
import { askerOf } from '../context/internal_query.js';
import { patch } from '../context/patches.js';
import { currentCaller, currentScope, StatementRecorder, withScope } from '../context/scope.js';
import { NON_DEFAULT_SETTINGS, type Session, sessionOf, settingsInKey } from '../context/session.js';
import { dryRun } from '../planning/dry_run.js';
import type { Limits, Planned, ReadCall } from '../planning/plan.js';
import { Planner } from '../planning/planner.js';
import type { Profiles } from '../planning/profiles.js';
import { boundsOf } from '../planning/result_bounds.js';
import { type FillLock, FillLocks } from '../protocol/fill_lock.js';
import { REFUSED, takeLease } from '../protocol/lease.js';
import type { WriterFates } from '../protocol/writer_fate.js';
import { Auditor } from './auditor.js';
import { copyOf, isCopyOf } from './copy.js';
import { DeferredFills } from './deferred_fills.js';
import { EXISTS } from './exists.js';
import { joinedRowLookup, type LookUpJoinedRows } from './joined_row_lookup.js';
import { type KeyListRead, KeyListReader } from './key_list_reader.js';
import { answerBuilders, type BuiltRead } from './query_builders.js';
import type { DatabaseAnswer, Noted, Options, Request } from './request.js';
import type { ResultCodec, Unstorable } from './result_codec.js';
import { revalidate } from './revalidation.js';
import { type Flight, SingleFlights } from './single_flight.js';

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
  /** for what goes on after an answer was given */
  readonly background: AddBackground;
}

type Context = Options['ctx'];

/** How a read is cached. */
type Decided = Extract<CallDecision, { cached: true }>;

/** What another has asked for. */
interface Shared {
  readonly result: unknown;
  readonly shared: true;
}

interface Stored extends Shared {
  readonly payload: Uint8Array;
}

interface CurrentPlanner {
  readonly catalog: Catalog;
  readonly surroundings: EnvironmentState;
  readonly planner: Planner;
}

/** `find` or `count` of the driver. */
type DriverRead = (where: unknown, options: Options) => Promise<unknown>;

const FIND_ONE = Symbol('find one');

/**
 * Serves the driver's reads from the store: `find` and `count`, which nearly everything that the EntityManager reads
 * comes down to.
 *
 * The order of a miss is the protocol's: lease, then database, then fill.
 */
export class ReadInterceptor {
  readonly #parts: ReadParts;
  readonly #fills: DeferredFills;
  readonly #flights = new SingleFlights();
  readonly #locks: FillLocks;
  readonly #auditor: Auditor | undefined;
  readonly #batches: KeyListReader;
  #planner: CurrentPlanner | undefined;

  constructor(parts: ReadParts) {
    this.#parts = parts;
    this.#fills = new DeferredFills(parts.background);
    this.#locks = new FillLocks(parts.store, parts.background);
    this.#auditor = parts.audit && new Auditor(parts.audit.share, parts);
    this.#batches = new KeyListReader({
      ...parts,
      fills: this.#fills,
      flights: this.#flights,
      ask: (request, session) => this.#ask(request, session),
      fill: (...args) => this.#fill(...args),
      reportNotStored: (...args) => this.#reportNotStored(...args),
      reseal: ({ counts }, address, found) => this.#reseal(address, found, counts),
      audit: (request, plan, found) => {
        if (this.#auditor?.isDue()) {
          this.#audit(this.#auditor, request, plan, found);
        }
      },
    });
  }

  /** Puts itself between the driver and its callers. */
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
    // the driver also reads for itself (in a flush, say): then it names no EntityManager
    const em: SqlEntityManager | undefined = options.em ?? (pivot && meta.pivotTable ? scoped : undefined);
    const runWithOriginals = () => ask(where, { ...options });
    if (dryRun || !em) {
      return runWithOriginals();
    }
    const run: Request['run'] = (change, other = where) =>
      runWithCopies(ask, other, { ...options, ...change });
    const subject = options.em ? meta : pivot!;
    const noted = this.#note(op, subject);
    const request = { kind, op, meta, subject, where, options, em, run, runWithOriginals, scope, ...noted };
    return this.#trace(request);
  }

  /** A statement of a query builder. */
  #serveBuilt(read: BuiltRead): Promise<unknown> {
    const scope = currentScope();
    if (scope.dryRun) {
      return read.run();
    }
    const noted = this.#note(read.op, read.meta);
    return this.#trace({ ...read, subject: read.meta, runWithOriginals: () => read.run(), scope, ...noted });
  }

  #note(op: Op, { className: entity }: EntityMetadata): Noted {
    const { events } = this.#parts;
    return {
      begun: this.#flights.now(),
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

  /** Waits for as little as it can: on a hit, what goes on here takes longer than anything but the store. */
  async #answer(request: Request): Promise<unknown> {
    const decision = this.#decide(request);
    try {
      return await this.#answerDecided(request, decision);
    } catch (error) {
      request.counts.errors++;
      this.#reportFailure(request, error);
      throw error;
    }
  }

  async #answerDecided(request: Request, decision: CallDecision): Promise<unknown> {
    const { ctx } = request.options;
    if (!decision.cached) {
      return this.#bypass(request, decision.reason);
    }
    const session: Session | undefined = ctx && (await sessionOf(ctx));
    const obstacle =
      this.#obstacle(request, session) ?? (session && (await this.#transactionObstacle(session, ctx)));
    if (obstacle) {
      return this.#bypass(request, obstacle);
    }
    const { database, environment } = this.#parts;
    const known = this.#planner;
    const isCurrent =
      known && known.catalog === database.current && known.surroundings === environment.current;
    const current = isCurrent ? known : await this.#currentPlanner(ctx);
    if (typeof current === 'string') {
      return this.#bypass(request, current);
    }
    const { planner } = current;
    request.surroundings = current.surroundings;
    request.catalog = current.catalog;
    const { tables, lock } = decision;
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
        return this.#answerKeys({ request, list, keys, timeout: decision.timeout, session }, planner);
      }
    }
    const planned = planner.plan(tables ? { ...request, tables } : request);
    const plan = planned instanceof Promise ? await planned : planned;
    if (!plan.cacheable) {
      return this.#bypass(request, plan.reason);
    }
    const result = await this.#answerPlanned(request, plan, decision, session);
    if (plan.changesOptions) {
      // what MikroORM does after a query, such as populating, goes by what the query has made of the options
      await dryRun(request.runWithOriginals);
    }
    return result;
  }

  async #answerPlanned(
    request: Request,
    plan: Planned,
    decision: Decided,
    session: Session | undefined,
  ): Promise<unknown> {
    const { counts } = request;
    const found = await this.#read(plan, request);
    if (found && 'result' in found) {
      counts.hits++;
      this.#report(request, 'hit', undefined, plan.address);
      if (this.#auditor && !session && this.#auditor.isDue()) {
        this.#audit(this.#auditor, request, plan, found.found);
      }
      return found.result;
    }
    const { result, shared } = await this.#miss(request, plan, decision, session);
    counts.misses++;
    this.#report(request, 'miss', shared ? 'shared' : (found?.cause ?? 'miss'), plan.address);
    return result;
  }

  async #answerKeys(batch: KeyListRead, planner: Planner): Promise<unknown> {
    const { request } = batch;
    const { result, cause } = await this.#batches.answer(batch);
    if (cause === undefined) {
      request.counts.hits++;
    } else {
      request.counts.misses++;
    }
    // nothing else asks for the key of the whole
    const isHeard = request.started !== undefined || request.message !== undefined;
    const plan = isHeard ? await planner.plan(request) : undefined;
    const address = plan?.cacheable ? plan.address : undefined;
    this.#report(request, cause === undefined ? 'hit' : 'miss', cause, address);
    return result;
  }

  #decide({ op, meta, subject, options, scope }: Request): CallDecision {
    if ((scope.call ?? scope.repository ?? options.cacheops) === undefined) {
      return this.#parts.profiles.decisionOf(subject, op);
    }
    // a call's options are a scope to the queries that populate its result
    const around = mergeCalls(scope.call, scope.repository);
    // and are handed to the queries of pivot tables as they are
    const call =
      options.cacheops === undefined || subject !== meta
        ? undefined
        : parseCall(options.cacheops, `${subject.className}: cacheops`);
    return resolveCall(subject.className, op, this.#parts.profiles.of(subject), around, call);
  }

  /** Why this read, though its entity is cached, has to ask the database. */
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

  async #transactionObstacle(session: Session, ctx: Context): Promise<string | undefined> {
    // what is read in it of the catalog has to be what everybody finds
    return session.whyNotCached(false) ?? (await this.#parts.database.get(this.#asker(ctx))).obstacle;
  }

  /** Asks the database, or waits for another read that is about to: see {@link SingleFlights}. */
  async #miss(
    request: Request,
    plan: Planned,
    { timeout, lock: isLocked }: Decided,
    session: Session | undefined,
  ): Promise<{ readonly result: unknown; readonly shared: boolean }> {
    const { key } = plan.address;
    // what a transaction sees is its own, and who may cancel waits for nobody
    const mayShare = !session && !request.options.signal;
    const joined = mayShare ? this.#flights.joinable(key, request.begun) : undefined;
    const given =
      joined &&
      ((await this.#resultOf(joined, request, true)) ?? (isLocked && (await this.#look(request, plan))));
    if (given) {
      return given;
    }
    // who has waited in vain goes on alone, at the same time as the others who have
    const flight = mayShare && !joined ? this.#flights.open(key) : undefined;
    let payload: Uint8Array | undefined;
    let filled: Promise<void> | undefined;
    let lock: FillLock | undefined;
    try {
      if (isLocked && flight) {
        const taken = await this.#locks.take(key, () => {
          flight.sent = this.#flights.now();
          return this.#look(request, plan);
        });
        if ('found' in taken) {
          payload = taken.found.payload;
          return taken.found;
        }
        lock = taken;
      }
      // the lease first, the database second: so whatever changes what is read now changes the lease's stamps after
      const seal = await takeLease(
        this.#parts,
        plan.address,
        timeout,
        session !== undefined,
        request.counts,
        request.catalog,
      );
      const other = mayShare && seal !== undefined ? this.#flights.sealedWith(key, seal) : undefined;
      if (other) {
        if (flight) {
          // it may have been joined after the lease
          this.#flights.settle(flight, undefined);
        }
        const theirs = await this.#resultOf(other, request, false);
        if (theirs) {
          return theirs;
        }
      } else if (flight) {
        this.#flights.send(flight, seal);
      }
      const answer = await this.#ask(request, session);
      const { result } = answer;
      const isWanted = seal !== undefined || flight?.joined;
      const made = isWanted ? this.#encode(request, plan, answer) : undefined;
      if (made instanceof Uint8Array) {
        payload = made;
      }
      if (payload && seal !== undefined) {
        filled = this.#fill(request, plan.address, seal, payload, timeout);
      } else {
        this.#reportNotStored(request, plan.address, seal === undefined ? undefined : (made as Unstorable));
      }
      return { result, shared: false };
    } finally {
      if (flight) {
        this.#flights.settle(flight, payload);
      }
      lock?.release(filled);
    }
  }

  /**
   * What somebody else has asked for.
   *
   * @param boarded the flight was joined before it was sent
   */
  async #resultOf(flight: Flight, request: Request, boarded: boolean): Promise<Shared | undefined> {
    const payload = await flight.join();
    return payload && (!boarded || request.begun < flight.sent) ? this.#shared(payload, request) : undefined;
  }

  #shared(payload: Uint8Array, { kind, counts }: Request): Shared {
    const result = this.#parts.codec.decode(kind, payload);
    counts.shared++;
    return { result, shared: true };
  }

  /** What another process has asked for, and stored by now. */
  async #look(request: Request, plan: Planned): Promise<Stored | undefined> {
    const read = await this.#read(plan, request);
    if (!read || !('found' in read)) {
      return undefined;
    }
    const { payload } = read.found;
    return { ...this.#shared(payload, request), payload };
  }

  async #ask(request: Request, session: Session | undefined): Promise<DatabaseAnswer> {
    const recorder = new StatementRecorder(request.ownSettings);
    const result = await withScope({ recorder }, () => request.run(this.#onPrimary(request)));
    // a transaction may have written at the same time as it read
    const isSame = request.surroundings === this.#parts.environment.current;
    const obstacle =
      recorder.hasNonDefaultSettings || !isSame
        ? NON_DEFAULT_SETTINGS
        : session && (await this.#transactionObstacle(session, request.options.ctx));
    return { result, statements: recorder.statements, obstacle };
  }

  async #read(
    { address }: Planned,
    { kind, options: { ctx }, counts }: Request,
  ): Promise<{ result: unknown; found: Found } | { cause: string } | undefined> {
    const { store, events, codec } = this.#parts;
    this.#fills.sendNow(address.key);
    try {
      let found = await store.read(address);
      if (found && found.moved.length > 0) {
        // a question that fails would end a transaction
        const verdict = await revalidate(store, address, found, ctx ? undefined : this.#partnerAsker());
        if (!verdict || 'cause' in verdict) {
          return verdict && { cause: describeCause(verdict.cause) };
        }
        found = verdict.holds;
        this.#reseal(address, found, counts);
      }
      return found && { result: codec.decode(kind, found.payload), found };
    } catch (error) {
      events.reportError('read', error);
      return undefined;
    }
  }

  #partnerAsker(): LookUpJoinedRows | undefined {
    const { driver } = this.#parts;
    const ask = askerOf(driver);
    return (
      this.#planner &&
      joinedRowLookup(this.#planner.catalog, (sql, parameters) =>
        ask(driver.getPlatform().formatQuery(sql, parameters)),
      )
    );
  }

  #audit(auditor: Auditor, request: Request, plan: Planned, found: Found): void {
    const { kind, subject, meta, op } = request;
    const run = () => request.run(this.#onPrimary(request));
    this.#parts.background(
      auditor.check({ kind, meta, entity: subject.className, op, plan, found, run }),
      'a connection',
    );
  }

  /** A replica may lag behind what the store tells. */
  #onPrimary({ options }: Request): Options | undefined {
    const { replicas } = this.#parts.driver as unknown as { replicas: readonly unknown[] };
    return replicas.length > 0 && !options.ctx ? { connectionType: 'write' } : undefined;
  }

  /** So that nobody has to judge the same steps again. */
  #reseal(address: EntryAddress, found: Found, counts: ReadCounts): void {
    const { store, events, background } = this.#parts;
    counts.revalidated++;
    background(store.reseal(address, found).catch(error => events.reportError('reseal', error)));
  }

  #encode(
    { kind, meta, options, surroundings }: Request,
    plan: Planned,
    { result, statements, obstacle }: DatabaseAnswer,
  ): Uint8Array | Unstorable {
    if (obstacle !== undefined) {
      return { reason: obstacle };
    }
    if (!plan.confirms(statements)) {
      return { reason: 'other statements than it was planned for' };
    }
    const plans = surroundings?.isPlain ? plan.bounds : [];
    const reversed = options.last !== undefined && !options.first;
    const bounds = plans.length > 0 ? boundsOf(plans, { meta, result, statements, reversed }) : undefined;
    return this.#parts.codec.encode(kind, result, bounds);
  }

  /** Settles when it is stored. */
  #fill(
    request: Request,
    address: EntryAddress,
    seal: Seal,
    payload: Uint8Array,
    timeout: number,
  ): Promise<void> {
    const { store, events } = this.#parts;
    const filled = () => {
      request.counts.fills++;
      events.announce('fill', () => ({
        entity: request.subject.className,
        op: request.op,
        key: address.key,
        dependencies: describeDependencies(address),
        size: payload.length,
        timeout,
      }));
    };
    const failed = (error: unknown) => events.reportError('fill', error);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#fills.later(address.key, () => {
      resolve(store.fill(address, seal, payload, timeout).then(filled, failed));
      return promise;
    });
    return promise;
  }

  /** @param unstorable left out: there is no lease, which was counted when it was refused */
  #reportNotStored({ subject, op, counts }: Request, { key }: EntryAddress, unstorable?: Unstorable): void {
    if (unstorable) {
      counts.unstored++;
    }
    this.#parts.events.announce('unstored', () => ({
      entity: subject.className,
      op,
      key,
      reason: unstorable?.reason ?? REFUSED,
    }));
  }

  async #bypass(request: Request, reason: string): Promise<unknown> {
    const result = await request.runWithOriginals();
    request.counts.bypassed++;
    this.#report(request, 'bypass', reason);
    return result;
  }

  /** @returns a reason if nothing is to be stored: the catalog cannot be read, or it is not known what its sessions are like */
  async #currentPlanner(ctx: Context): Promise<CurrentPlanner | string> {
    const { database, environment, driver, limits, profiles } = this.#parts;
    const loaded = await environment.load(database, this.#asker(ctx));
    if (typeof loaded === 'string') {
      return loaded;
    }
    const { catalog, surroundings } = loaded;
    if (this.#planner?.catalog !== catalog || this.#planner.surroundings !== surroundings) {
      const forbidden = profiles.forbiddenTables(catalog);
      const planner = new Planner(driver, catalog, surroundings.text, limits, forbidden);
      this.#planner = { catalog, surroundings, planner };
    }
    return this.#planner;
  }

  /** In the transaction, if there is one: a database with a single connection has no other. */
  #asker(ctx: Context): Ask {
    return askerOf(this.#parts.driver, ctx);
  }

  #reportFailure({ subject, op, started }: Request, error: unknown): void {
    if (started !== undefined) {
      this.#parts.events.announce('read', () => ({
        entity: subject.className,
        op,
        source: 'database',
        reason: 'error',
        error,
        duration: performance.now() - started,
      }));
    }
  }

  #report(
    request: Request,
    outcome: NonNullable<ReadMessage['outcome']>,
    reason: string | undefined,
    address?: EntryAddress,
  ): void {
    const { started, message } = request;
    if (message) {
      conclude(message, outcome, reason, address);
    }
    if (started === undefined) {
      return;
    }
    this.#parts.events.announce('read', () => ({
      entity: request.subject.className,
      op: request.op,
      source: outcome === 'hit' ? 'cache' : 'database',
      ...(reason !== undefined && { reason }),
      ...(address && { key: address.key, dependencies: describeDependencies(address) }),
      duration: performance.now() - started,
    }));
  }
}

/** A dry run tells whether MikroORM has changed what it was given. */
async function runWithCopies(read: DriverRead, where: unknown, options: Options): Promise<unknown> {
  const [copiedWhere, copiedOptions] = copyOf([where, options] as const);
  const result = await read(copiedWhere, copiedOptions);
  const { dryRun } = currentScope();
  if (dryRun) {
    dryRun.changesOptions ||= !isCopyOf([copiedWhere, copiedOptions], [where, options]);
  }
  return result;
}
