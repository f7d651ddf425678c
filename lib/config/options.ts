import type { EntityName } from '@mikro-orm/core';
import type { RedisClient, RedisConnection } from '../store/redis/source.js';
import type { Store } from '../store/store.js';

/**
 * The kind of a query.
 *
 * - `get`: one row (`findOne` and the like, loading of references)
 * - `fetch`: rows (`find` and the like, populating, collections)
 * - `count`
 * - `aggregate`: `countBy`, aggregates of a query builder
 * - `exists`
 */
export type Op = 'get' | 'fetch' | 'count' | 'aggregate' | 'exists';

/** Decides which results of an entity are cached, and for how long. */
export interface Profile {
  /**
   * The operations that are cached without call options. `'all'` is every one, `[]` none: then only queries with call
   * options are cached.
   *
   * Default: those of `defaults`, or else `'all'`
   */
  ops?: 'all' | Op | readonly Op[];
  /** How long a result may be used, in seconds; a whole number, at least 1. There is no default: give it here or in `defaults`. */
  timeout?: number;
  /**
   * Of all processes that miss a result at the same time, one asks the database, while the others wait for at most 5
   * seconds. (Within one process, that is always so.) Reads in a transaction or with an AbortSignal never wait.
   *
   * Default: false
   */
  lock?: boolean;
  /**
   * Tables that a result depends on, but that its SQL does not show: those behind a virtual entity, a view of the
   * database, a function in a formula or a raw fragment. They are given as entities or as names (`'article_tags'`,
   * `'auth.user'`), or by a function that is called when they are needed. Without them, such results are not cached. With
   * them, any change to these tables, or to tables that the SQL names, invalidates the results.
   *
   * A result that depends on more than tables (on the time, on random numbers, on settings of the session) is still not
   * cached.
   */
  tables?: TableSources;
}

/** An entity, for its tables, or the name of a table. */
export type TableSource = EntityName | string;

export type TableSources = readonly TableSource[] | (() => readonly TableSource[]);

/**
 * Caching options of a call, or of a repository's scope.
 *
 * - `false`: asks the database; nothing is read from the cache or stored in it.
 * - `true`: caches the result, whatever the profile's ops are.
 * - an object: caches it with another timeout, lock or tables, or for these ops only.
 */
export type CallOptions = boolean | Profile;

/** The query that a function makes a prefix for. */
export interface PrefixQuery {
  /** name of the entity that is read; for a function, view or fragment, the entity of its first sample, or `''` */
  readonly entity: string;
  /** name of the function, view or fragment; left out for queries */
  readonly function?: string;
  /** full names of the tables that the result depends on */
  readonly tables: readonly string[];
  /** name of the database */
  readonly database: string;
}

/** Encodes results, and decodes them. */
export interface Serializer {
  /**
   * Identifies the format: it is part of the keys, so that a process with another serializer, or another version of it,
   * misses results of this one. Change it whenever the format changes.
   *
   * Default: a digest of the source texts of `encode` and `decode`, without the functions that they call
   */
  readonly name?: string;
  /** Must not change the value. */
  encode(value: unknown): string | Uint8Array;
  /** @param encoded the output of {@link encode}: a string, or bytes (a Buffer) */
  decode(encoded: string | Uint8Array): unknown;
}

export interface MemoryOptions {
  /** The size of all results in memory, in bytes. Default: 64 MiB */
  maxSize?: number;
}

export interface AuditOptions {
  /** the share of the hits; more than 0, at most 1 */
  share: number;
}

/** The options of the extension. At most one of `redis`, `memory` and `store` may be given; without any, `memory`. */
export interface CacheopsOptions {
  /**
   * Stores results in Redis, which all processes share: a URL, options of ioredis, or your own `Redis` or `Cluster` of
   * ioredis, which you close yourself.
   */
  redis?: string | RedisConnection | RedisClient;

  /** Stores results in the memory of this process. Only for a program that runs as a single process. */
  memory?: MemoryOptions;

  /** A store of your own, or one that several ORMs of this process share. */
  store?: Store;

  /**
   * Begins every key. A function separates results (by tenant, for example), but not their invalidation: a write
   * invalidates results of all prefixes.
   *
   * Default: `'cacheops:'`
   */
  prefix?: string | ((query: PrefixQuery) => string);

  /** Default values of the fields of profiles. They are no profile: an entity without one is not cached. */
  defaults?: Profile;

  /**
   * Profiles by entity. A key is
   *
   * - the name of an entity: `User`;
   * - a pattern of such names: `News*`, where `*` stands for any characters or none;
   * - one of these with a database schema: `auth.User`, `auth.*`. After the dot there may also be the name of a table.
   *
   * `null` is *never*: such an entity is not cached, even if a call asks for it.
   *
   * If several profiles apply to an entity, each field is taken from the first that gives it:
   *
   * 1. its exact profile here (of several, the one with the longest key)
   * 2. its decorator {@link Cached}, or the nearest one that its class inherits
   * 3. its pattern: the one with the most characters that are not `*`; of equals, the last
   * 4. `defaults`
   *
   * `null` in 1 or 2 overrides everything, so that configuration cannot cache what the code excludes. A pattern's `null`
   * counts only if there is neither 1 nor 2.
   *
   * An exact key that matches no entity is an error; such a pattern is a warning.
   *
   * @example
   * ```ts
   * profiles: {
   *   User: { ops: 'get', timeout: 900 },
   *   'auth.*': { ops: ['get', 'fetch'] },
   *   'News*': { ops: [] },  // only when a call asks for it
   *   Secret: null,          // never
   * }
   * ```
   */
  profiles?: Readonly<Record<string, Profile | null>>;

  /**
   * `false`: nothing is cached. Writes still invalidate, because other processes may cache.
   *
   * Default: true
   */
  enabled?: boolean;

  /**
   * Encodes results of queries and of cached functions, and values of the simple cache; but not entities in results of
   * functions, nor metadata.
   *
   * It must restore values exactly. The result of a query (rows as the driver gives them, a number, strings) is decoded
   * before it is stored, and is not stored if any value or type differs; then an `unstored` event names the first
   * difference.
   *
   * Default: MessagePack for queries, the structured clone algorithm of `node:v8` for the others
   */
  serializer?: Serializer;

  /**
   * What happens to a write while the store cannot be reached: `'degrade'` lets it commit, and delivers the invalidation
   * before the store is used again; `'throw'` fails its transaction. Reads go to the database in both cases.
   *
   * Default: `'degrade'`
   */
  onStoreFailure?: 'degrade' | 'throw';

  /**
   * What happens to a statement that may write to tables that it does not name, such as CALL, EXECUTE, or DO with dynamic
   * SQL.
   *
   * - `widen`: it invalidates all results of this database.
   * - `refuse`: it is not sent, and fails with an error. Definitions (CREATE, ALTER, DROP) are sent.
   *
   * Default: `'widen'`
   */
  onUnknownWrite?: 'widen' | 'refuse';

  /** How long one command of the store may take, in milliseconds; at least 1. Default: 250 */
  storeTimeout?: number;

  /** How long a store is not used after a failure, in milliseconds. Default: 1000 */
  retryAfter?: number;

  /**
   * If the condition of a query has more alternatives (conjunctions of its disjunctive normal form) than this, the query
   * depends on whole tables. At least 1; default: 100
   */
  maxConjunctions?: number;

  /** A list (`$in`) with more values than this does not narrow the dependencies of a query. At least 1; default: 100 */
  maxIn?: number;

  /** A bulk write of more rows than this invalidates all results of its table. At least 1; default: 10000 */
  maxRows?: number;

  /**
   * Compares a share of the hits with the database after they were served: 0.01 is one in a hundred. Differences are
   * reported by `mismatch` events, and counted in `stats()`. Default: no hit is compared.
   */
  audit?: AuditOptions;
}
