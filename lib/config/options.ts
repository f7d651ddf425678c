import type { EntityName } from '@mikro-orm/core';
import type { RedisClient, RedisConnection } from '../store/redis/source.js';
import type { Store } from '../store/store.js';

/**
 * What a query asks for.
 *
 * - `get`: one row (`findOne` and its kin, loading of references)
 * - `fetch`: rows (`find` and its kin, populating, collections)
 * - `count`
 * - `aggregate`: `countBy`, aggregates of a query builder
 * - `exists`
 */
export type Op = 'get' | 'fetch' | 'count' | 'aggregate' | 'exists';

/** What is cached of an entity, and for how long. */
export interface Profile {
  /**
   * The operations that are cached without being asked to. `'all'` is every one, `[]` none: then only queries
   * that ask for it are cached.
   *
   * Default: `'all'` for {@link Cached}, `[]` in `profiles`.
   */
  ops?: 'all' | Op | readonly Op[];
  /** How long a result may be used, in seconds; a whole number, at least 1. There is no default: give it here or in `defaults`. */
  timeout?: number;
  /**
   * Of all processes that miss a result at the same time, one asks the database, while the others wait for at most 5
   * seconds. (In one process, that is always so.) Nobody waits in a transaction, nor with an AbortSignal.
   *
   * Default: false
   */
  lock?: boolean;
  /**
   * What a result depends on that nobody can see in its SQL: the tables behind a virtual entity, a view of the
   * database, a function in a formula or a raw fragment. Named by their entities, or by themselves (`'article_tags'`,
   * `'auth.user'`); a function is asked when they are needed. Without it, such results are not cached. With it, they
   * depend on the whole of these tables and of those that their SQL names.
   *
   * Never cached, all the same, is what depends on more than tables: on the time, chance, settings of the session.
   */
  tables?: TableSources;
}

/** An entity, for its tables, or the name of a table. */
export type TableSource = EntityName | string;

export type TableSources = readonly TableSource[] | (() => readonly TableSource[]);

/**
 * What a call, or a repository's scope, says about caching.
 *
 * - `false`: ask the database; nothing is read from the cache nor stored in it.
 * - `true`: cache this, whatever the profile's ops are.
 * - an object: the same, with another timeout, lock or tables, or for these ops only.
 */
export type CallOptions = boolean | Profile;

/** How precisely results are dropped. */
export type Granularity = 'table' | 'equality' | 'full';

/** What a prefix may be made from. */
export interface PrefixQuery {
  /** name of the entity that is asked for; of a function, view or fragment, that of its first sample, or `''` */
  readonly entity: string;
  /** name of the function, view or fragment; left out for queries */
  readonly function?: string;
  /** full names of the tables that the result depends on */
  readonly tables: readonly string[];
  /** name of the database */
  readonly database: string;
}

/** How results become bytes, and again what they were. */
export interface Serializer {
  /**
   * Tells what it writes from what others write: it is part of the keys, so that a process with another serializer, or
   * another version of it, misses what this one has stored. Change it whenever the two could not read each other.
   *
   * Default: a digest of the source texts of `encode` and `decode`, which does not see what they call
   */
  readonly name?: string;
  /** Must not change what it is given. */
  encode(value: unknown): string | Uint8Array;
  /** @param encoded what {@link encode} gave: a string, or bytes (a Buffer) */
  decode(encoded: string | Uint8Array): unknown;
}

export interface MemoryOptions {
  /** What the results kept in memory may take up, in bytes. Default: 64 MiB */
  maxSize?: number;
}

export interface AuditOptions {
  /** of the hits; more than 0, at most 1 */
  share: number;
}

/** The options of the extension. At most one of `redis`, `memory` and `store` may be given; without any, `memory`. */
export interface CacheopsOptions {
  /**
   * Keeps results in Redis, which all processes share: a URL, options of ioredis, or a `Redis` or `Cluster` of
   * ioredis that you made. What you made you also close.
   */
  redis?: string | RedisConnection | RedisClient;

  /** Keeps results in the memory of this process. Only for a program that runs as a single process. */
  memory?: MemoryOptions;

  /** A store of your own, or one that several ORMs of this process share. */
  store?: Store;

  /**
   * Begins every key. A function separates results (by tenant, say), but not their invalidation: a write reaches
   * those of every prefix.
   *
   * Default: `'cacheops:'`
   */
  prefix?: string | ((query: PrefixQuery) => string);

  /** Completes profiles: what they leave out is taken from here. It does not by itself make anything cached. */
  defaults?: Profile;

  /**
   * Profiles by entity. A key is
   *
   * - the name of an entity: `User`;
   * - a pattern of such names: `News*`, where `*` stands for any characters or none;
   * - the same with a database schema: `auth.User`, `auth.*`. What follows the dot may also be the name of a table.
   *
   * `null` is *never*: such an entity is not cached, even if a call asks for it.
   *
   * Where several speak of one entity, each of these options is taken from the first that gives it:
   *
   * 1. its exact profile here (of several, the one with the longest key)
   * 2. its decorator {@link Cached}, or the nearest one that its class inherits
   * 3. its pattern: the one with the most characters that are not `*`; of equals, the last
   * 4. `defaults`
   *
   * `null` in 1 or 2 wins over everything, so that nobody opens by configuration what the code has closed. A
   * pattern's `null` counts only where there is neither 1 nor 2.
   *
   * An exact key that no entity has is an error; a pattern without an entity is a warning.
   *
   * @example
   * ```ts
   * profiles: {
   *   User: { ops: 'get', timeout: 900 },
   *   'auth.*': { ops: ['get', 'fetch'] },
   *   'News*': {},   // only when a call asks for it
   *   Secret: null,  // never
   * }
   * ```
   */
  profiles?: Readonly<Record<string, Profile | null>>;

  /**
   * `false`: nothing is cached. Writes invalidate all the same, because other processes may cache.
   *
   * Default: true
   */
  enabled?: boolean;

  /**
   * How results of queries and of cached functions, and values of the simple cache, are written; not entities in
   * results of functions, nor what is kept beside results.
   *
   * It must give back what it was given. What a query gives (rows as the driver has them, a number, strings) is read
   * back before it is stored, and is not stored if it is not the same in every type; then an `unstored` event names
   * the first difference.
   *
   * Default: MessagePack for queries, the structured clone algorithm of `node:v8` for the others
   */
  serializer?: Serializer;

  /**
   * What becomes of a write when the store cannot be told of it: `'degrade'` lets it commit, and delivers the
   * invalidation before the store is trusted again; `'throw'` fails its transaction. Reads go to the database
   * either way.
   *
   * Default: `'degrade'`
   */
  onStoreFailure?: 'degrade' | 'throw';

  /**
   * What becomes of a statement that may write to tables which it does not name, such as CALL, EXECUTE, or DO with
   * dynamic SQL in it.
   *
   * - `widen`: everything that is cached of this database is dropped.
   * - `refuse`: it is not sent, and fails with an error. Definitions (CREATE, ALTER, DROP) are.
   *
   * Default: `'widen'`
   */
  onUnknownWrite?: 'widen' | 'refuse';

  /** How long the store may take for one answer, in milliseconds; at least 1. Default: 250 */
  storeTimeout?: number;

  /** How long a store that failed is left alone, in milliseconds. Default: 1000 */
  retryAfter?: number;

  /**
   * A query whose condition has more alternatives (conjunctions of its disjunctive normal form) than this depends
   * on whole tables. At least 1; default: 100
   */
  maxConjunctions?: number;

  /**
   * How much of a write has to do with a result before it is dropped:
   *
   * - `'table'`: any change of a table that the result was read from
   * - `'equality'`: a change of a row that matches what the query compares by equality
   * - `'full'`: also, only of columns that the query reads, and of rows that match its other conditions
   *
   * Default: `'full'`. The others are there to compare, and to find out where the time of a write goes.
   */
  granularity?: Granularity;

  /** A list (`$in`) with more values than this does not narrow what a query depends on. At least 1; default: 100 */
  maxIn?: number;

  /** A bulk write that touches more rows than this invalidates everything of its table. At least 1; default: 10000 */
  maxRows?: number;

  /**
   * Compares a share of the hits with the database after they were served: 0.01 is one in a hundred. Differences are
   * `mismatch` events, and counted in `stats()`. Left out: none.
   */
  audit?: AuditOptions;
}
