import { hash } from 'node:crypto';
import { type AnyEntity, helper } from '@mikro-orm/core';
import type { AbstractSqlDriver, SqlEntityManager } from '@mikro-orm/sql';
import { LRUCache } from 'lru-cache';
import { CacheopsError } from '../../config/error.js';
import type { PrefixQuery, Serializer } from '../../config/options.js';
import { serializerKey } from '../../config/serializer.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { AnswerKind, ReadCounts } from '../../observability/stats.js';
import { joinSeals, type Sealed } from '../../store/seals.js';
import type { EntryAddress, Seal, Store } from '../../store/store.js';
import type { TableDependencies } from '../../values/scheme.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import type { Catalog, Connect } from '../catalog/table.js';
import type { AddBackground } from '../context/background.js';
import type { Environment, EnvironmentState, Loaded } from '../context/environment.js';
import { connectorOf } from '../context/internal_query.js';
import { functionPartsIn } from '../context/orm_registry.js';
import {
  Computation,
  currentScope,
  type Ingredient,
  type Note,
  noting,
  withScope,
} from '../context/scope.js';
import { NON_DEFAULT_SETTINGS, type Session, sessionOf, settingsInKey } from '../context/session.js';
import { contextText } from '../planning/added_filters.js';
import { modelDigest } from '../planning/model_digest.js';
import type { Sample, Samples } from '../planning/samples.js';
import { FillLocks } from '../protocol/fill_lock.js';
import { dropNamed, namedDependency } from '../protocol/named_dependency.js';
import { endOrMaxWait } from '../protocol/patience.js';
import { KEYS, TAGS } from '../protocol/virtual_tables.js';
import type { WriterFates } from '../protocol/writer_fate.js';
import { Filler, type Target } from '../reads/fill.js';
import { type ReportedRead, reportFailure, reportRead, traceRead } from '../reads/read_report.js';
import { SingleFlight } from '../reads/single_flight.js';
import {
  decodeList,
  encodeList,
  type IngredientList,
  isList,
  listAddress,
  MAX_DEPENDENCIES,
} from './ingredients.js';

export interface AnswerParts {
  readonly driver: AbstractSqlDriver;
  readonly database: CatalogCache;
  readonly environment: Environment;
  readonly samples: Samples;
  readonly store: Store;
  /** the store without its wrappers, which several ORMs may share */
  readonly own: Store;
  readonly writerFates: WriterFates;
  readonly events: CacheopsEvents;
  readonly prefix: string | ((query: PrefixQuery) => string);
  readonly enabled: boolean;
  /** the serializer of results of functions; `undefined`: the default */
  readonly serializer: Serializer | undefined;
  readonly background: AddBackground;
}

/** The kinds of names that results can be invalidated by. */
export type TagKind = 'url' | 'fragment';

/** A request for a result that is no query's: of a function, a view or a fragment of a page. */
export interface AnswerRequest {
  readonly kind: AnswerKind;
  /** for events and messages: `ArticleService.block`, `GET /articles` */
  readonly name: string;
  /** differs from that of every other request of its kind and name */
  readonly key: string;
  /** what it depends on; left out: on time only */
  readonly samples?: readonly Sample[];
  /** seconds; left out: the shortest of the samples' profiles */
  readonly timeout?: number;
  /** names that it can be invalidated by: `['url', 'https://…']` */
  readonly tags?: readonly (readonly [kind: TagKind, value: string])[];
  /** the computation uses no rows that its EntityManagers have loaded before */
  readonly isolated?: boolean;
  /** other EntityManagers that it may use */
  readonly managers?: Managers;
  /** of all processes that miss it, one computes while the others wait */
  readonly lock?: boolean;
  /** why it is neither read from the store nor stored */
  readonly obstacle?: string | undefined;
  /** the stored result could not be decoded, and must not be read again */
  readonly unreadable?: boolean;
}

/** EntityManagers that may influence a result. */
export interface Managers {
  /** in the order of the arguments */
  readonly given: readonly SqlEntityManager[];
  /** those that the function can reach by other ways */
  readonly reached: readonly SqlEntityManager[];
}

export interface Computed<T> {
  readonly value: T;
  /** `undefined`: it must not be stored */
  readonly payload: Uint8Array | undefined;
  /** why it must not be stored; default: `not storable` */
  readonly reason?: string;
}

export type Answer<T> =
  | { readonly source: 'cache'; readonly payload: Uint8Array }
  // reason: why it was not stored, or not read from the store
  | { readonly source: 'computed'; readonly value: T; readonly reason?: string };

/** A request with its address. */
interface Plan {
  readonly catalog: Catalog;
  readonly environmentState: EnvironmentState;
  readonly address: EntryAddress;
  readonly timeout: number;
  /** the descriptions of its EntityManagers */
  readonly managers: readonly string[];
}

/** A stored result that holds. */
interface Hit {
  readonly payload: Uint8Array;
  /** the dependencies of the request and of its ingredients */
  readonly tables: readonly TableDependencies[];
  readonly timeout: number;
  /** their stamps */
  carried(): Seal;
}

type Context = Parameters<typeof sessionOf>[0] | undefined;

/**
 * Serves results of functions, views and fragments by the protocol of queries: lease, then compute, then fill. So a
 * result that a slow computation has read before a commit is not served after it.
 */
export class ComputedResults {
  readonly #parts: AnswerParts;
  readonly #flights = new SingleFlight();
  readonly #filler: Filler;
  readonly #locks: FillLocks;
  /** by key: the addresses of results with ingredients that this process has seen */
  readonly #lists = new LRUCache<string, IngredientList>({ max: 5000 });
  #environment:
    | { readonly catalog: Catalog; readonly environmentState: EnvironmentState; readonly text: string }
    | undefined;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
    this.#filler = new Filler(parts);
    this.#locks = new FillLocks(parts.store, parts.background);
  }

  /**
   * Gives a result from the store, or computes it. Errors of the computation are passed on, and not stored.
   *
   * @param compute runs at most once, in the caller's async context
   * @throws CacheopsError if the request is wrong
   */
  answer<T>(
    em: SqlEntityManager,
    request: AnswerRequest,
    compute: (bypass: boolean) => Promise<Computed<T>>,
  ): Promise<Answer<T>> {
    const { name, kind } = request;
    const { events } = this.#parts;
    return noting(note =>
      traceRead(events, name, kind, async read => {
        try {
          return await this.#answer(em, request, compute, note, read);
        } catch (error) {
          reportFailure(events, this.#countsOf(request), read, error);
          throw error;
        }
      }),
    );
  }

  async #answer<T>(
    em: SqlEntityManager,
    request: AnswerRequest,
    compute: (bypass: boolean) => Promise<Computed<T>>,
    note: Note,
    read: ReportedRead,
  ): Promise<Answer<T>> {
    const { events } = this.#parts;
    const counts = this.#countsOf(request);
    const ctx = em.getTransactionContext<Context>();
    const session = ctx && (await sessionOf(ctx));
    const plan = await this.#plan(em, request, ctx);
    if (typeof plan === 'string') {
      const { value } = await compute(true);
      counts.bypassed++;
      note?.(plan);
      reportRead(events, read, 'bypass', plan);
      return { source: 'computed', value, reason: plan };
    }
    const { address } = plan;
    let hit = request.unreadable ? undefined : await this.#read(plan);
    const outer = currentScope().computation;
    // a caller that holds a connection, or that others may wait for, must not wait
    const flight = session || outer ? undefined : this.#flights.ended(address.key);
    if (!hit && flight && !request.unreadable) {
      await flight;
      // reads the store again, because the other may have begun before a commit that this call must see
      hit = await this.#read(plan);
    }
    const isFree = !session && !outer;
    let answer: Answer<T> | undefined;
    if (!hit) {
      const made = await this.#inFlight(address.key, settle => {
        const work = () => this.#compute(em, request, plan, session, compute, note, settle);
        return request.lock && isFree && !request.unreadable ? this.#locked(plan, work) : work();
      });
      if ('carried' in made) {
        hit = made;
      } else {
        answer = made;
      }
    }
    if (hit && note) {
      const { tables, timeout } = hit;
      note({ tables, seal: hit.carried(), timeout, store: this.#parts.own, managers: plan.managers });
    }
    counts[hit ? 'hits' : 'misses']++;
    const found = { key: address.key, tables: hit?.tables ?? address.tables };
    reportRead(events, read, hit ? 'hit' : 'miss', hit ? undefined : 'miss', found);
    return answer ?? { source: 'cache', payload: hit!.payload };
  }

  async #locked<T>(plan: Plan, work: () => Promise<Answer<T>>): Promise<Answer<T> | Hit> {
    const { address } = plan;
    const lock = await this.#locks.take(address.key, () => this.#read(plan));
    if ('found' in lock) {
      return lock.found;
    }
    try {
      return await work();
    } finally {
      lock.release(this.#flights.ended(address.key));
    }
  }

  /** Invalidates all results with this tag in every process, including those that are being computed. */
  async invalidateTag(kind: TagKind, value: string): Promise<void> {
    const { store, events } = this.#parts;
    await dropNamed(store, TAGS, kind, [value]);
    const op = kind === 'url' ? 'view' : 'fragment';
    events.announceInvalidation(() => ({ names: [{ op, name: value }] }));
  }

  /** @returns a reason if it must not be read from the store */
  async #plan(em: SqlEntityManager, request: AnswerRequest, ctx: Context): Promise<Plan | string> {
    const { enabled } = this.#parts;
    if (!enabled || currentScope().disabled) {
      return 'disabled';
    }
    if (request.obstacle !== undefined) {
      return request.obstacle;
    }
    const { given = [], reached = [] } = request.managers ?? {};
    const described = await describeManagers({ given: [em, ...given], reached });
    if ('obstacle' in described) {
      return described.obstacle;
    }
    const { managers } = described;
    const loaded = await this.#load(ctx);
    if (typeof loaded === 'string') {
      return loaded;
    }
    const { catalog, environmentState } = loaded;
    const { samples = [] } = request;
    const planned =
      samples.length > 0 ? await this.#parts.samples.plan(em, samples, catalog, request.name) : undefined;
    if (planned && 'reason' in planned) {
      return planned.reason;
    }
    const timeout = request.timeout ?? planned?.timeout;
    if (timeout === undefined) {
      throw new CacheopsError(`${request.name}: there is no timeout. Give timeout, in seconds, or samples.`);
    }
    const tables = [...(planned?.tables ?? []), ...tagDependencies(request.tags ?? [])];
    const prefix = this.#prefix(request, planned?.entity ?? '', tables, catalog);
    // the digest contains all parts, because their boundaries in the rest of the key are ambiguous
    const identity = JSON.stringify([
      prefix,
      request.kind,
      request.name,
      managers,
      planned?.identity ?? null,
      request.key,
    ]);
    const key = `${prefix}${request.kind}:${request.name}:${hash('sha256', identity, 'base64url')}`;
    return {
      catalog,
      environmentState,
      timeout,
      managers,
      address: { key, tables: tables.length > 0 ? tables : [namedDependency(KEYS, 'key', key)] },
    };
  }

  /**
   * All that an EntityManager adds to queries, as text: database, schema, filters, session; or why results must not be
   * stored.
   */
  async describeManager(
    em: SqlEntityManager,
  ): Promise<{ readonly text?: string; readonly obstacle?: string }> {
    const ctx = em.getTransactionContext<Context>();
    const session = ctx && (await sessionOf(ctx));
    if (ctx && !session) {
      return { obstacle: 'a transaction that cannot be seen' };
    }
    // the catalog that the transaction reads must be the one that every session reads
    const obstacle = session?.whyNotCached(false);
    if (obstacle) {
      return { obstacle };
    }
    const loaded = await this.#load(ctx);
    if (typeof loaded === 'string') {
      return { obstacle: loaded };
    }
    const { catalog, environmentState } = loaded;
    if (session?.hasOwnSettings(settingsInKey(em))) {
      return { obstacle: NON_DEFAULT_SETTINGS };
    }
    const text = this.#textOf(em, catalog, environmentState);
    return text === undefined ? { obstacle: 'a session that has no key' } : { text };
  }

  /** As {@link describeManager}, but without its transaction; `undefined` if it has no text. */
  describeUsedManager(em: SqlEntityManager): string | undefined {
    const { database, environment } = this.#parts;
    const [catalog, environmentState] = [database.current, environment.current];
    return catalog && environmentState && this.#textOf(em, catalog, environmentState);
  }

  #textOf(em: SqlEntityManager, catalog: Catalog, environmentState: EnvironmentState): string | undefined {
    const context = contextText(em);
    return context === undefined
      ? undefined
      : JSON.stringify([this.#environmentOf(catalog, environmentState), context]);
  }

  async #compute<T>(
    em: SqlEntityManager,
    request: AnswerRequest,
    { catalog, address, timeout, managers, environmentState }: Plan,
    session: Session | undefined,
    compute: (bypass: boolean) => Promise<Computed<T>>,
    note: Note,
    settle: (filled: Promise<unknown> | undefined) => void,
  ): Promise<Answer<T>> {
    const { database } = this.#parts;
    const { readCommitted } = await database.get(this.#connector(undefined));
    const target = this.#targetOf(request, address, timeout);
    const seal = await this.#filler.lease(target, session !== undefined, catalog);
    const { own: store } = this.#parts;
    const { given = [], reached = [] } = request.managers ?? {};
    const computation = new Computation({
      key: address.key,
      readCommitted,
      outer: currentScope().computation,
      ownSettings: settingsInKey(em),
      store,
      managers,
      // handlers and templates have what their request brings with it
      ...(request.managers && { known: new Set([em, ...given, ...reached]) }),
      collects: (request.samples?.length ?? 0) > 0,
    });
    if (!request.isolated && this.#hasLoaded(em, address)) {
      computation.veto('rows that were loaded before');
    }
    let computed: Computed<T>;
    let ingredients: readonly Ingredient[];
    try {
      computed = await withScope({ computation }, () => compute(false));
    } finally {
      ingredients = computation.end();
    }
    computation.compareManagers(describeUsed(computation.used));
    const { value, payload, reason } = computed;
    const sealed =
      seal === undefined ? undefined : joinSeals([{ tables: address.tables, seal }, ...ingredients]);
    const obstacle =
      computation.obstacle ??
      (environmentState === this.#parts.environment.current ? undefined : NON_DEFAULT_SETTINGS) ??
      session?.whyNotCached(readCommitted) ??
      (seal === undefined ? target.refusal! : whyNotStored(sealed, payload, reason));
    if (obstacle !== undefined) {
      note?.(obstacle);
      this.#filler.reportNotStored(target, obstacle);
      return { source: 'computed', value, reason: obstacle };
    }
    const shortest = Math.min(timeout, ...ingredients.map(each => each.timeout));
    note?.({ ...sealed!, timeout: shortest, store, managers });
    if (ingredients.length === 0) {
      settle(this.#filler.store(target, seal, payload));
    } else {
      const list = { address: listAddress(address.key, sealed!.tables), timeout: shortest };
      this.#lists.set(address.key, list);
      settle(
        Promise.all([
          this.#filler.storeUnreported(address, seal!, encodeList(list), shortest),
          this.#filler.store({ ...target, ...list }, sealed!.seal, payload),
        ]),
      );
    }
    return { source: 'computed', value };
  }

  /** @param work calls `settle` with the fills that go on after it has its result */
  async #inFlight<T>(
    key: string,
    work: (settle: (filled: Promise<unknown> | undefined) => void) => Promise<T>,
  ): Promise<T> {
    const { background } = this.#parts;
    let filled: Promise<unknown> | undefined;
    const working = work(settled => {
      filled = settled?.catch(() => undefined);
      if (filled) {
        background(filled, 'a connection');
      }
    });
    const flight = working.then(() => filled).catch(() => undefined);
    this.#flights.track(key, flight);
    // not longer, because a function that hangs must not keep the ORM from being closed
    background(endOrMaxWait(flight), 'a connection');
    return working;
  }

  /** Does it manage rows that the result depends on? They may be older than the lease. */
  #hasLoaded(em: SqlEntityManager, { tables }: EntryAddress): boolean {
    const { current } = this.#parts.database;
    const names = new Set(tables.map(({ table }) => table));
    for (const entity of em.getUnitOfWork().getIdentityMap()) {
      const { __meta: meta, __initialized: isLoaded } = helper(entity as AnyEntity);
      if (isLoaded && current?.named(meta.tableName).some(({ fullName }) => names.has(fullName))) {
        return true;
      }
    }
    return false;
  }

  async #read({ address, timeout }: Plan): Promise<Hit | undefined> {
    try {
      const known = this.#lists.get(address.key);
      const listed = known && (await this.#readFrom(known.address, known.timeout));
      const hit = listed ?? (await this.#readFrom(address, timeout));
      if (!hit || listed || !isList(hit.payload)) {
        return hit;
      }
      const list = decodeList(address.key, hit.payload);
      if (list.address.key === known?.address.key) {
        return undefined; // it was read above, and is a miss
      }
      this.#lists.set(address.key, list);
      return await this.#readFrom(list.address, list.timeout);
    } catch (error) {
      this.#parts.events.reportError('read', error);
      return undefined;
    }
  }

  async #readFrom(address: EntryAddress, timeout: number): Promise<Hit | undefined> {
    const found = await this.#parts.store.read(address);
    return found?.moved.length === 0
      ? {
          payload: found.payload,
          tables: address.tables,
          timeout,
          carried: () => found.carried(),
        }
      : undefined;
  }

  #targetOf(request: AnswerRequest, address: EntryAddress, timeout: number): Target {
    return { entity: request.name, op: request.kind, counts: this.#countsOf(request), address, timeout };
  }

  #countsOf({ kind, name }: AnswerRequest): ReadCounts {
    return this.#parts.events.stats.of(kind, name);
  }

  #prefix(
    request: AnswerRequest,
    entity: string,
    tables: readonly TableDependencies[],
    catalog: Catalog,
  ): string {
    const { prefix } = this.#parts;
    return typeof prefix === 'function'
      ? prefix({
          entity,
          function: request.name,
          tables: tables.map(({ table }) => table),
          database: catalog.database.slice(0, catalog.database.lastIndexOf('@')),
        })
      : '';
  }

  #environmentOf(catalog: Catalog, environmentState: EnvironmentState): string {
    if (this.#environment?.catalog !== catalog || this.#environment.environmentState !== environmentState) {
      const definition = modelDigest(this.#parts.driver);
      const format = serializerKey(this.#parts.serializer);
      const text = JSON.stringify([catalog.database, environmentState.text, definition, format]);
      this.#environment = { catalog, environmentState, text };
    }
    return this.#environment.text;
  }

  async #load(ctx: Context): Promise<Loaded | string> {
    const { environment, database } = this.#parts;
    return environment.hasOwnSettings
      ? NON_DEFAULT_SETTINGS
      : environment.load(database, this.#connector(ctx));
  }

  /** In the transaction, if there is one, because a database with one connection has no other. */
  #connector(ctx: Context): Connect {
    return connectorOf(this.#parts.driver, ctx);
  }
}

/**
 * All that EntityManagers add to queries, each as text; or why results must not be stored.
 *
 * Duplicates among those that are merely reached are left out, so that a function that is called in a request and one
 * that is called outside of any share their results.
 */
export async function describeManagers({
  given,
  reached,
}: Managers): Promise<{ readonly managers: readonly string[] } | { readonly obstacle: string }> {
  const managers: string[] = [];
  for (const [i, em] of [...given, ...reached].entries()) {
    const described = await functionPartsIn(em)?.results.describeManager(em);
    if (described?.text === undefined) {
      return { obstacle: described?.obstacle ?? 'an EntityManager of an ORM without a cache' };
    }
    if (i < given.length || !managers.includes(described.text)) {
      managers.push(described.text);
    }
  }
  return { managers };
}

/** The EntityManagers that were used, each as text; `undefined` for one without a text. */
export function describeUsed(used: Iterable<SqlEntityManager>): (string | undefined)[] {
  return Array.from(used, em => functionPartsIn(em)?.results.describeUsedManager(em));
}

function whyNotStored(
  sealed: Sealed | undefined,
  payload: Uint8Array | undefined,
  reason: string | undefined,
): string | undefined {
  if (payload === undefined || isList(payload)) {
    return reason ?? 'not storable';
  }
  if (!sealed) {
    return 'something has changed while it was computed';
  }
  const dependencies = sealed.tables.reduce((sum, each) => sum + each.dependencies.length, 0);
  return dependencies > MAX_DEPENDENCIES ? 'it depends on too much' : undefined;
}

/** One table, because an address must not contain a table twice. */
function tagDependencies(tags: NonNullable<AnswerRequest['tags']>): TableDependencies[] {
  return tags.length === 0
    ? []
    : [
        {
          table: TAGS,
          dependencies: tags.flatMap(([kind, value]) => namedDependency(TAGS, kind, value).dependencies),
        },
      ];
}
