import { hash } from 'node:crypto';
import { type AnyEntity, helper } from '@mikro-orm/core';
import type { AbstractSqlDriver, SqlEntityManager } from '@mikro-orm/sql';
import { LRUCache } from 'lru-cache';
import { CacheopsError, type PrefixQuery, type Serializer, serializerKey } from '../../config/index.js';
import { describeDependencies } from '../../observability/describe.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { AnswerKind, ReadCounts } from '../../observability/stats.js';
import { channels, conclude, type ReadMessage, traced } from '../../observability/tracing.js';
import { joinSeals, type Sealed } from '../../store/seals.js';
import type { EntryAddress, Seal, Store } from '../../store/store.js';
import type { TableDependencies } from '../../values/scheme.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import type { Ask, Catalog } from '../catalog/table.js';
import type { AddBackground } from '../context/background.js';
import type { Environment, EnvironmentState, Loaded } from '../context/environment.js';
import { askerOf } from '../context/internal_query.js';
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
import { REFUSED, takeLease } from '../protocol/lease.js';
import { dropNamed, namedDependency } from '../protocol/named_dependency.js';
import { endOrMaxWait } from '../protocol/patience.js';
import { KEYS, TAGS } from '../protocol/virtual_tables.js';
import type { WriterFates } from '../protocol/writer_fate.js';
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
  /** the store itself, behind what guards it: ORMs may share one */
  readonly own: Store;
  readonly writerFates: WriterFates;
  readonly events: CacheopsEvents;
  readonly prefix: string | ((query: PrefixQuery) => string);
  readonly enabled: boolean;
  /** of functions; `undefined`: the default */
  readonly serializer: Serializer | undefined;
  readonly background: AddBackground;
}

/** What has a name by which it can be dropped. */
export type TagKind = 'url' | 'fragment';

/** What is asked for, beside queries: the result of a function, a view, a fragment of a page. */
export interface AnswerRequest {
  readonly kind: AnswerKind;
  /** for events and messages: `ArticleService.block`, `GET /articles` */
  readonly name: string;
  /** tells it from every other of its kind and name */
  readonly key: string;
  /** what it depends on; left out: nothing but time */
  readonly samples?: readonly Sample[];
  /** seconds; left out: the shortest of the samples' profiles */
  readonly timeout?: number;
  /** names by which it can be dropped: `['url', 'https://…']` */
  readonly tags?: readonly (readonly [kind: TagKind, value: string])[];
  /** it looks at nothing that its EntityManagers have loaded before */
  readonly isolated?: boolean;
  /** others that it may use, beside its own */
  readonly managers?: Managers;
  /** of all processes that miss it, one computes while the others wait */
  readonly lock?: boolean;
  /** why it is neither looked for nor stored */
  readonly obstacle?: string | undefined;
  /** it is not looked for: what was found could not be read */
  readonly unreadable?: boolean;
}

/** EntityManagers that may decide about a result. */
export interface Managers {
  /** in the order in which they stand in the arguments */
  readonly given: readonly SqlEntityManager[];
  /** others, in whatever way they are reached */
  readonly reached: readonly SqlEntityManager[];
}

export interface Computed<T> {
  readonly value: T;
  /** `undefined`: it is not to be stored */
  readonly payload: Uint8Array | undefined;
  /** why it is not to be stored; default: `not storable` */
  readonly reason?: string;
}

export type Answer<T> =
  | { readonly source: 'cache'; readonly payload: Uint8Array }
  // reason: why it was not stored, or not looked for
  | { readonly source: 'computed'; readonly value: T; readonly reason?: string };

/** What is known of a request before it is looked for. */
interface Plan {
  readonly catalog: Catalog;
  readonly surroundings: EnvironmentState;
  readonly address: EntryAddress;
  readonly timeout: number;
  /** what tells its EntityManagers from others */
  readonly managers: readonly string[];
}

/** A result as it was found, which holds. */
interface Hit {
  readonly payload: Uint8Array;
  /** what it depends on: what its request tells, and its ingredients */
  readonly tables: readonly TableDependencies[];
  readonly timeout: number;
  /** the stamps of those */
  carried(): Seal;
}

type Context = Parameters<typeof sessionOf>[0] | undefined;

/**
 * Serves what functions, views and fragments give, by the protocol of queries: lease, then compute, then fill. So what
 * a slow one has read before somebody else's commit is not served after it.
 */
export class ComputedResults {
  readonly #parts: AnswerParts;
  /** by key: what is being computed in this process, for as long as others wait for it */
  readonly #flights = new Map<string, Promise<unknown>>();
  readonly #locks: FillLocks;
  /** by key: where results are that have ingredients, as far as this process has seen them */
  readonly #lists = new LRUCache<string, IngredientList>({ max: 5000 });
  #environment:
    | { readonly catalog: Catalog; readonly surroundings: EnvironmentState; readonly text: string }
    | undefined;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
    this.#locks = new FillLocks(parts.store, parts.background);
  }

  /**
   * From the store, or computed. What is thrown comes through as it is, and is not stored.
   *
   * @param compute is run once at most, in the caller's async context
   * @throws CacheopsError if the request is wrong
   */
  answer<T>(
    em: SqlEntityManager,
    request: AnswerRequest,
    compute: (bypass: boolean) => Promise<Computed<T>>,
  ): Promise<Answer<T>> {
    return noting(note => this.#traced(em, request, compute, note));
  }

  #traced<T>(
    em: SqlEntityManager,
    request: AnswerRequest,
    compute: (bypass: boolean) => Promise<Computed<T>>,
    note: Note,
  ): Promise<Answer<T>> {
    if (!channels.read.hasSubscribers) {
      return this.#answer(em, request, compute, note, undefined);
    }
    const { events } = this.#parts;
    const { name: entity, kind: op } = request;
    const message: ReadMessage = { entity, op, database: events.database, events };
    return traced(channels.read, message, () => this.#answer(em, request, compute, note, message));
  }

  async #answer<T>(
    em: SqlEntityManager,
    request: AnswerRequest,
    compute: (bypass: boolean) => Promise<Computed<T>>,
    note: Note,
    message: ReadMessage | undefined,
  ): Promise<Answer<T>> {
    const started = performance.now();
    const counts = this.#countsOf(request);
    const ctx = em.getTransactionContext<Context>();
    const session = ctx && (await sessionOf(ctx));
    const plan = await this.#plan(em, request, ctx);
    if (typeof plan === 'string') {
      counts.bypassed++;
      const { value } = await compute(true);
      note?.(plan);
      this.#report(request, 'bypass', plan, undefined, started, message);
      return { source: 'computed', value, reason: plan };
    }
    const { address } = plan;
    let hit = request.unreadable ? undefined : await this.#read(plan);
    const outer = currentScope().computation;
    // whoever holds a connection, or is awaited by others, does not wait
    const flight = session || outer ? undefined : this.#flights.get(address.key);
    if (!hit && flight && !request.unreadable) {
      await flight;
      // not what the other has found: that may have been before this was asked
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
    this.#report(request, hit ? 'hit' : 'miss', hit ? undefined : 'miss', found, started, message);
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
      lock.release(this.#flights.get(address.key));
    }
  }

  /** Drops everything that has this tag, in every process, and what is being computed. */
  async invalidateTag(kind: TagKind, value: string): Promise<void> {
    const { store, events } = this.#parts;
    await dropNamed(store, TAGS, kind, [value]);
    const op = kind === 'url' ? 'view' : 'fragment';
    events.announceInvalidation(() => ({ names: [{ op, name: value }] }));
  }

  /** @returns a reason if it is not to be looked for */
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
    const { catalog, surroundings } = loaded;
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
    // all that tells it from others is in the digest: what stands before may end and begin anywhere
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
      surroundings,
      timeout,
      managers,
      address: { key, tables: tables.length > 0 ? tables : [namedDependency(KEYS, 'key', key)] },
    };
  }

  /**
   * What an EntityManager makes of whatever is asked through it, as text: database, schema, filters, session; or why that
   * must not be stored.
   */
  async describeManager(
    em: SqlEntityManager,
  ): Promise<{ readonly text?: string; readonly obstacle?: string }> {
    const ctx = em.getTransactionContext<Context>();
    const session = ctx && (await sessionOf(ctx));
    if (ctx && !session) {
      return { obstacle: 'a transaction that cannot be seen' };
    }
    // what is read in it of the catalog has to be what everybody finds
    const obstacle = session?.whyNotCached(false);
    if (obstacle) {
      return { obstacle };
    }
    const loaded = await this.#load(ctx);
    if (typeof loaded === 'string') {
      return { obstacle: loaded };
    }
    const { catalog, surroundings } = loaded;
    if (session?.hasOwnSettings(settingsInKey(em))) {
      return { obstacle: NON_DEFAULT_SETTINGS };
    }
    const text = this.#textOf(em, catalog, surroundings);
    return text === undefined ? { obstacle: 'a session that has no key' } : { text };
  }

  /** As {@link describeManager}, but for its transaction; `undefined` if it cannot be told from others. */
  describeUsedManager(em: SqlEntityManager): string | undefined {
    const { database, environment } = this.#parts;
    const [catalog, surroundings] = [database.current, environment.current];
    return catalog && surroundings && this.#textOf(em, catalog, surroundings);
  }

  #textOf(em: SqlEntityManager, catalog: Catalog, surroundings: EnvironmentState): string | undefined {
    const context = contextText(em);
    return context === undefined
      ? undefined
      : JSON.stringify([this.#environmentOf(catalog, surroundings), context]);
  }

  async #compute<T>(
    em: SqlEntityManager,
    request: AnswerRequest,
    { catalog, address, timeout, managers, surroundings }: Plan,
    session: Session | undefined,
    compute: (bypass: boolean) => Promise<Computed<T>>,
    note: Note,
    settle: (filled: Promise<unknown>) => void,
  ): Promise<Answer<T>> {
    const { database } = this.#parts;
    const { readCommitted } = await database.get(this.#asker(undefined));
    // the lease first: so whatever changes what is computed from now on changes the lease's stamps after
    const seal = await takeLease(
      this.#parts,
      address,
      timeout,
      session !== undefined,
      this.#countsOf(request),
      catalog,
    );
    const { own: store } = this.#parts;
    const computation = new Computation({
      key: address.key,
      readCommitted,
      outer: currentScope().computation,
      ownSettings: settingsInKey(em),
      store,
      managers,
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
      (surroundings === this.#parts.environment.current ? undefined : NON_DEFAULT_SETTINGS) ??
      session?.whyNotCached(readCommitted) ??
      (seal === undefined ? REFUSED : whyNotStored(sealed, payload, reason));
    if (obstacle !== undefined) {
      note?.(obstacle);
      this.#reportNotStored(request, address, obstacle);
      return { source: 'computed', value, reason: obstacle };
    }
    const shortest = Math.min(timeout, ...ingredients.map(each => each.timeout));
    note?.({ ...sealed!, timeout: shortest, store, managers });
    if (ingredients.length === 0) {
      settle(this.#fill(request, address, seal!, payload!, timeout));
    } else {
      const list = { address: listAddress(address.key, sealed!.tables), timeout: shortest };
      this.#lists.set(address.key, list);
      settle(
        Promise.all([
          this.#fillList(address, seal!, list),
          this.#fill(request, list.address, sealed!.seal, payload!, shortest),
        ]),
      );
    }
    return { source: 'computed', value };
  }

  /** @param work is told of what is still going on when it has an answer */
  async #inFlight<T>(
    key: string,
    work: (settle: (filled: Promise<unknown>) => void) => Promise<T>,
  ): Promise<T> {
    let filled: Promise<unknown> = Promise.resolve();
    const working = work(settled => {
      filled = settled;
    });
    const flight = working.then(() => filled).catch(() => undefined);
    if (!this.#flights.has(key)) {
      const end = endOrMaxWait(flight);
      this.#flights.set(key, end);
      void end.then(() => this.#flights.delete(key));
    }
    this.#parts.background(flight, 'a connection');
    return working;
  }

  /** Does it manage rows which the result depends on? They may be older than the lease. */
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
        return undefined; // there was nothing a moment ago
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

  async #fillList(address: EntryAddress, seal: string, list: IngredientList): Promise<void> {
    const { store, events } = this.#parts;
    try {
      await store.fill(address, seal, encodeList(list), list.timeout);
    } catch (error) {
      events.reportError('fill', error);
    }
  }

  async #fill(
    request: AnswerRequest,
    address: EntryAddress,
    seal: string,
    payload: Uint8Array,
    timeout: number,
  ): Promise<void> {
    const { store, events } = this.#parts;
    try {
      await store.fill(address, seal, payload, timeout);
    } catch (error) {
      events.reportError('fill', error);
      return;
    }
    this.#countsOf(request).fills++;
    events.announce('fill', () => ({
      entity: request.name,
      op: request.kind,
      key: address.key,
      dependencies: describeDependencies(address),
      size: payload.length,
      timeout,
    }));
  }

  #reportNotStored(request: AnswerRequest, { key }: EntryAddress, reason: string): void {
    if (reason !== REFUSED) {
      this.#countsOf(request).unstored++;
    }
    this.#parts.events.announce('unstored', () => ({
      entity: request.name,
      op: request.kind,
      key,
      reason,
    }));
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

  #environmentOf(catalog: Catalog, surroundings: EnvironmentState): string {
    if (this.#environment?.catalog !== catalog || this.#environment.surroundings !== surroundings) {
      const definition = modelDigest(this.#parts.driver);
      const format = serializerKey(this.#parts.serializer);
      const text = JSON.stringify([catalog.database, surroundings.text, definition, format]);
      this.#environment = { catalog, surroundings, text };
    }
    return this.#environment.text;
  }

  #load(ctx: Context): Promise<Loaded | string> {
    return this.#parts.environment.load(this.#parts.database, this.#asker(ctx));
  }

  /** In the transaction, if there is one: a database with a single connection has no other. */
  #asker(ctx: Context): Ask {
    return askerOf(this.#parts.driver, ctx);
  }

  #report(
    request: AnswerRequest,
    outcome: NonNullable<ReadMessage['outcome']>,
    reason: string | undefined,
    address: EntryAddress | undefined,
    started: number,
    message: ReadMessage | undefined,
  ): void {
    if (message) {
      conclude(message, outcome, reason, address);
    }
    this.#parts.events.announce('read', () => ({
      entity: request.name,
      op: request.kind,
      source: outcome === 'hit' ? 'cache' : 'database',
      ...(reason !== undefined && { reason }),
      ...(address && { key: address.key, dependencies: describeDependencies(address) }),
      duration: performance.now() - started,
    }));
  }
}

/**
 * What EntityManagers make of whatever is asked through them, each as text; or why that must not be stored.
 *
 * Of those that are merely reached, one that is like another tells nothing more: a function that is called in a request,
 * and one that is called outside of any, find the same.
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

/** EntityManagers that were used, each as text; `undefined` for one that cannot be told from others. */
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

/** One table, since each may stand only once in an address. */
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
