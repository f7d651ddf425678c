import { hash } from 'node:crypto';
import { type AnyEntity, helper } from '@mikro-orm/core';
import type { AbstractSqlDriver, SqlEntityManager } from '@mikro-orm/sql';
import { CacheopsError, type PrefixQuery, type Serializer, serializerKey } from '../config/index.js';
import type { EntryAddress, Store, TableDependencies } from '../store/store.js';
import { contextText } from './added_filters.js';
import type { Arbiter } from './arbiter.js';
import type { Ask, Catalog } from './catalog.js';
import type { CatalogSource } from './database.js';
import { definitionDigest } from './definition.js';
import type { Environment, Surroundings } from './environment.js';
import type { AnswerKind, CacheopsEvents } from './events.js';
import { describeDependencies } from './explain.js';
import { REFUSED, takeLease } from './lease.js';
import { Locks } from './locks.js';
import { dropNamed, namedDependency } from './manual.js';
import { KEYS, TAGS } from './pseudo_tables.js';
import type { Sample, Samples } from './samples.js';
import { Computation, currentScope, withScope } from './scope.js';
import { PECULIAR, type Session, sessionOf } from './session.js';
import type { ReadCounts } from './stats.js';
import { channels, conclude, type ReadMessage, traced } from './tracing.js';

export interface AnswerParts {
  readonly driver: AbstractSqlDriver;
  readonly database: CatalogSource;
  readonly environment: Environment;
  readonly samples: Samples;
  readonly store: Store;
  readonly arbiter: Arbiter;
  readonly events: CacheopsEvents;
  readonly prefix: string | ((query: PrefixQuery) => string);
  readonly enabled: boolean;
  /** of functions; `undefined`: the default */
  readonly serializer: Serializer | undefined;
  readonly background: (work: Promise<unknown>) => void;
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
  /** it looks at nothing that its EntityManager has loaded before */
  readonly isolated?: boolean;
  /** of all processes that miss it, one computes while the others wait */
  readonly lock?: boolean;
  /** why it is neither looked for nor stored */
  readonly obstacle?: string | undefined;
  /** it is not looked for: what was found could not be read */
  readonly unreadable?: boolean;
}

export interface Computed<T> {
  readonly value: T;
  /** `undefined`: it is not to be stored */
  readonly payload: Uint8Array | undefined;
}

export type Answer<T> =
  | { readonly source: 'cache'; readonly payload: Uint8Array }
  // reason: why it was not stored, or not looked for
  | { readonly source: 'computed'; readonly value: T; readonly reason?: string };

/** What is known of a request before it is looked for. */
interface Plan {
  readonly surroundings: Surroundings;
  readonly address: EntryAddress;
  readonly timeout: number;
}

type Context = Parameters<typeof sessionOf>[0] | undefined;

/**
 * Serves what functions, views and fragments give, by the protocol of queries: lease, then compute, then fill. So what
 * a slow one has read before somebody else's commit is not served after it.
 */
export class Answers {
  readonly #parts: AnswerParts;
  /** by key: what is being computed in this process */
  readonly #flights = new Map<string, Promise<unknown>>();
  readonly #locks: Locks;
  #environment:
    | { readonly catalog: Catalog; readonly surroundings: Surroundings; readonly text: string }
    | undefined;

  constructor(parts: AnswerParts) {
    this.#parts = parts;
    this.#locks = new Locks(parts.store, parts.background);
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
    if (!channels.read.hasSubscribers) {
      return this.#answer(em, request, compute, undefined);
    }
    const { events } = this.#parts;
    const { name: entity, kind: op } = request;
    const message: ReadMessage = { entity, op, database: events.database, events };
    return traced(channels.read, message, () => this.#answer(em, request, compute, message));
  }

  async #answer<T>(
    em: SqlEntityManager,
    request: AnswerRequest,
    compute: (bypass: boolean) => Promise<Computed<T>>,
    message: ReadMessage | undefined,
  ): Promise<Answer<T>> {
    const started = performance.now();
    const counts = this.#countsOf(request);
    const ctx = em.getTransactionContext<Context>();
    const session = ctx && (await sessionOf(ctx));
    const plan = await this.#plan(em, request, ctx, session);
    if (typeof plan === 'string') {
      counts.bypassed++;
      const { value } = await compute(true);
      this.#report(request, 'bypass', plan, undefined, started, message);
      return { source: 'computed', value, reason: plan };
    }
    const { address } = plan;
    let payload = request.unreadable ? undefined : await this.#read(address);
    const outer = currentScope().computation;
    // whoever holds a connection, or is awaited by others, does not wait
    const flight = session || outer ? undefined : this.#flights.get(address.key);
    if (!payload && flight && !request.unreadable) {
      await flight;
      // not what the other has found: that may have been before this was asked
      payload = await this.#read(address);
    }
    const isFree = !session && !outer;
    const answer: Answer<T> = payload
      ? { source: 'cache', payload }
      : await this.#inFlight(address.key, settle => {
          const work = () => this.#compute(em, request, plan, session, compute, settle);
          return request.lock && isFree && !request.unreadable ? this.#locked(address, work) : work();
        });
    const hit = answer.source === 'cache';
    counts[hit ? 'hits' : 'misses']++;
    this.#report(request, hit ? 'hit' : 'miss', hit ? undefined : 'miss', address, started, message);
    return answer;
  }

  async #locked<T>(address: EntryAddress, work: () => Promise<Answer<T>>): Promise<Answer<T>> {
    const lock = await this.#locks.take(address.key, () => this.#read(address));
    if ('found' in lock) {
      return { source: 'cache', payload: lock.found };
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
  async #plan(
    em: SqlEntityManager,
    request: AnswerRequest,
    ctx: Context,
    session: Session | undefined,
  ): Promise<Plan | string> {
    const { database, enabled } = this.#parts;
    if (!enabled || currentScope().disabled) {
      return 'disabled';
    }
    if (request.obstacle !== undefined) {
      return request.obstacle;
    }
    if (ctx && !session) {
      return 'a transaction that cannot be seen';
    }
    const { environment } = this.#parts;
    const loaded = await environment.load(database, this.#asker(ctx));
    if (!loaded) {
      return PECULIAR;
    }
    const { catalog, surroundings } = loaded;
    const obstacle = session?.whyNotCached(catalog.readCommitted);
    if (obstacle) {
      return obstacle;
    }
    if (session?.hasOwnSettings(settingsInKey(em))) {
      return PECULIAR;
    }
    const context = contextText(em);
    if (context === undefined) {
      return 'a session that has no key';
    }
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
    const identity = JSON.stringify([
      this.#environmentOf(catalog, surroundings),
      context,
      planned?.identity ?? null,
      request.key,
    ]);
    const digest = hash('sha256', identity, 'base64url');
    const tables = [...(planned?.tables ?? []), ...tagDependencies(request.tags ?? [])];
    const key = `${request.kind}:${request.name}:${digest}`;
    return {
      surroundings,
      timeout,
      address: {
        key: this.#prefix(request, planned?.entity ?? '', tables, catalog) + key,
        tables: tables.length > 0 ? tables : [namedDependency(KEYS, 'key', key)],
      },
    };
  }

  async #compute<T>(
    em: SqlEntityManager,
    request: AnswerRequest,
    { address, timeout, surroundings }: Plan,
    session: Session | undefined,
    compute: (bypass: boolean) => Promise<Computed<T>>,
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
    );
    const { computation: outer } = currentScope();
    const computation = new Computation(address.key, readCommitted, outer, settingsInKey(em));
    if (!request.isolated && this.#hasLoaded(em, address)) {
      computation.object('rows that were loaded before');
    }
    const { value, payload } = await withScope({ computation }, () => compute(false));
    const obstacle =
      computation.obstacle ??
      (surroundings === this.#parts.environment.current ? undefined : PECULIAR) ??
      session?.whyNotCached(readCommitted) ??
      (seal === undefined ? REFUSED : payload === undefined ? 'not storable' : undefined);
    if (obstacle !== undefined) {
      this.#leave(request, address, obstacle);
      return { source: 'computed', value, reason: obstacle };
    }
    settle(this.#fill(request, address, seal!, payload!, timeout));
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
      this.#flights.set(key, flight);
      void flight.then(() => this.#flights.delete(key));
    }
    this.#parts.background(flight);
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

  async #read(address: EntryAddress): Promise<Uint8Array | undefined> {
    try {
      const found = await this.#parts.store.read(address);
      return found?.moved.length === 0 ? found.payload : undefined;
    } catch (error) {
      this.#parts.events.reportError('read', error);
      return undefined;
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

  #leave(request: AnswerRequest, { key }: EntryAddress, reason: string): void {
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

  #environmentOf(catalog: Catalog, surroundings: Surroundings): string {
    if (this.#environment?.catalog !== catalog || this.#environment.surroundings !== surroundings) {
      const definition = definitionDigest(this.#parts.driver);
      const format = serializerKey(this.#parts.serializer);
      const text = JSON.stringify([catalog.database, surroundings.text, definition, format]);
      this.#environment = { catalog, surroundings, text };
    }
    return this.#environment.text;
  }

  /** In the transaction, if there is one: a database with a single connection has no other. */
  #asker(ctx: Context): Ask {
    const connection = this.#parts.driver.getConnection('write');
    return sql =>
      withScope({ witness: undefined, computation: undefined }, () =>
        connection.execute(sql, [], 'all', ctx),
      );
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

/** Names of the settings that the ORM makes of the session context, which is in the key. */
function settingsInKey(em: SqlEntityManager): ReadonlySet<string> {
  const { variables = {} } = em.getSessionContext() ?? {};
  return new Set(Object.keys(variables).map(name => name.toLowerCase()));
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
