import { hash } from 'node:crypto';
import { types } from 'node:util';
import type { EntityManager } from '@mikro-orm/core';
import { checkInteger, checkKeys, isObject, show } from '../config/check.js';
import { CacheopsError } from '../config/error.js';
import { getCacheops } from '../orm/api/handle.js';
import { describeManagers, describeUsed } from '../orm/computed/computed_results.js';
import { entityKey } from '../orm/computed/entity_graph.js';
import { fingerprint } from '../orm/computed/fingerprint.js';
import { copyArguments } from '../orm/computed/storable.js';
import { CacheMiss, type TimedCache } from '../orm/computed/timed_cache.js';
import { StoreCache, type ValueVariant } from '../orm/computed/timed_values.js';
import { Unstored } from '../orm/computed/unstored.js';
import { functionPartsIn, onlyOrm } from '../orm/context/orm_registry.js';
import { Computation, currentScope, withScope } from '../orm/context/scope.js';
import { settingsInKey } from '../orm/context/session.js';
import type { AnyFunction, CachedFunction, Extra } from './cached_as.js';
import { FileCache } from './file_cache.js';
import { functionIdentity, type Identity, warnIfPrivate } from './identity.js';
import { CallManagers } from './managers.js';

export interface TimedOptions {
  /** how long a result may be used, in seconds */
  timeout: number;
  /** is part of the key, beside the arguments: a value, or a function of `this` and the arguments */
  extra?: Extra;
  /**
   * Where results are stored: `getCacheops(orm).cache`, a {@link fileCache}, or a function that gives one when it is
   * needed.
   *
   * Default: the cache of the first argument that is an EntityManager, of `this.em`, or of the only ORM in this program
   */
  cache?: TimedCache | (() => TimedCache);
  /**
   * Identifies the function, instead of its source text and place: functions with the same name share results. A function
   * that is made within another function needs it to share its results with other processes.
   */
  name?: string;
}

/** The stored result for one set of arguments. */
export interface TimedKey<Result> {
  /** @throws CacheMiss if there is no result */
  get(): Promise<Result>;
  set(value: Result): Promise<void>;
  delete(): Promise<void>;
}

/** Controls the stored results of a function. */
export interface TimedControls<F extends AnyFunction> {
  /**
   * Invalidates the result for these arguments, also one that is being computed, for every EntityManager, with any
   * tenant, schema or database.
   */
  invalidate(...args: Parameters<F>): Promise<void>;
  key(...args: Parameters<F>): TimedKey<Awaited<ReturnType<F>>>;
}

export type TimedFunction<F extends AnyFunction> = CachedFunction<F> & TimedControls<F>;

const OPTIONS = Object.keys({
  timeout: true,
  extra: true,
  cache: true,
  name: true,
} satisfies Record<keyof TimedOptions, true>);

const CACHE_METHODS = ['get', 'set', 'delete', 'through'];

/**
 * Caches the results of a function by its arguments, for a time; no write invalidates them. An entity among the arguments
 * stands for its key.
 *
 * ```ts
 * const rates = cached({ timeout: 600 })(async (currency: string) => fetchRates(currency));
 * await rates('EUR');
 * await rates.invalidate('EUR');
 * await rates.key('EUR').set({ USD: 1.08 });
 * ```
 *
 * @throws CacheopsError at once if an option is wrong; and by the function, if its arguments or its result cannot be
 * stored
 */
export function cached(options: TimedOptions): <F extends AnyFunction>(fn: F) => TimedFunction<F> {
  const checked = parseTimedOptions(options, 'cached()');
  return function wrap(fn) {
    const made = timed(fn, checked, functionIdentity(fn, checked.name, 'cached()', wrap));
    return Object.assign(made, controlsOf(made, undefined)) as TimedFunction<typeof fn>;
  };
}

/**
 * The controls of a method with `@Cached({ timeout })`, as `cached()` gives them to functions.
 *
 * ```ts
 * await cachedMethod(service, 'rates').invalidate('EUR');
 * ```
 *
 * @throws CacheopsError if the method has no such decorator
 */
export function cachedMethod<T extends object, K extends keyof T>(
  self: T,
  method: K,
): T[K] extends AnyFunction ? TimedControls<T[K]> : never {
  const fn = self[method];
  if (typeof fn !== 'function' || !known.has(fn)) {
    throw new CacheopsError(`cachedMethod(): ${String(method)} is no method with @Cached({ timeout }).`);
  }
  return controlsOf(fn as unknown as AnyFunction, self) as never;
}

/** @internal */
export function parseTimedOptions(options: unknown, where: string): TimedOptions {
  checkKeys(options, OPTIONS, where);
  const { timeout, cache, name } = options;
  checkInteger(timeout, 1, `${where}: timeout`, 'seconds');
  if (cache !== undefined && typeof cache !== 'function' && !isTimedCache(cache)) {
    throw new CacheopsError(
      `${where}: cache: ${show(cache)} is no cache. Give getCacheops(orm).cache or a fileCache().`,
    );
  }
  if (name !== undefined && (typeof name !== 'string' || name === '')) {
    throw new CacheopsError(`${where}: name: ${show(name)} is no name.`);
  }
  return options as unknown as TimedOptions;
}

function isTimedCache(value: unknown): value is TimedCache {
  return isObject(value) && CACHE_METHODS.every(method => typeof value[method] === 'function');
}

/** Where the result of a call is stored. */
interface Target {
  readonly cache: TimedCache;
  readonly key: string;
  /** a copy of the arguments, as they are in the key */
  readonly args: readonly unknown[];
  readonly identity: Identity;
  readonly managers: CallManagers;
}

type TargetOf = (self: unknown, args: unknown[]) => Target;

interface Known {
  readonly targetOf: TargetOf;
  readonly timeout: number;
}

const known = new WeakMap<object, Known>();

/** @internal */
export function timed<F extends AnyFunction>(
  fn: F,
  options: TimedOptions,
  identity: (self: unknown) => Identity,
): CachedFunction<F> {
  const { timeout } = options;
  const targetOf: TargetOf = (self, args) => {
    const own = identity(self);
    const { extra } = options;
    const more = typeof extra === 'function' ? extra(self, ...args) : extra;
    const managers = new CallManagers();
    const describe = (value: object, path: string) =>
      managers.describe(value) ?? (types.isProxy(value) ? undefined : entityKey(value, path));
    const text = JSON.stringify([
      own.digest,
      fingerprint(args, describe, 'arguments'),
      fingerprint(more, describe, 'extra'),
      // the key of `this`, if it is an entity
      isObject(self) && !types.isProxy(self) ? (entityKey(self, 'this') ?? null) : null,
    ]);
    managers.addReachedFrom(self);
    const cache = findCache(managers, options, own.name);
    if (cache instanceof StoreCache) {
      managers.addAmbientOf(cache.em);
    }
    const key = `${own.name}:${hash('sha256', text, 'base64url')}`;
    return { cache, managers, identity: own, key, args: copyArguments(args) };
  };
  const made = async function (this: unknown, ...args: unknown[]) {
    const { cache, key, ...target } = targetOf(this, args);
    if (!(cache instanceof StoreCache) || cache.isShared) {
      warnIfPrivate(fn, target.identity);
    }
    const compute = async () => fn.apply(this as never, target.args as never);
    const variant = await variantOf(target);
    if (typeof variant === 'string') {
      const conclude = currentScope().computation?.enter();
      try {
        return await (cache instanceof StoreCache ? cache.bypass(key, variant, compute) : compute());
      } finally {
        conclude?.(variant);
      }
    }
    try {
      return await cacheOf(cache, key, variant).through(() => observed(compute, target, variant), timeout);
    } catch (error) {
      if (error instanceof Unstored && error.compute === compute) {
        return error.value;
      }
      throw error;
    }
  };
  Object.defineProperty(made, 'name', { value: fn.name });
  Object.defineProperty(made, 'length', { value: fn.length });
  known.set(made, { targetOf, timeout });
  return made as unknown as CachedFunction<F>;
}

/**
 * Observes the computation. A result must not be stored if it comes from a transaction that has written, or from an
 * EntityManager that is not in the key.
 *
 * @throws Unstored
 */
async function observed<T>(
  compute: () => Promise<T>,
  target: Pick<Target, 'identity' | 'managers'>,
  variant: ValueVariant,
): Promise<T> {
  const managers = [...target.managers.given, ...target.managers.reached];
  const computation = new Computation({
    key: '',
    readCommitted: true, // those of the EntityManagers in the key were checked before
    outer: currentScope().computation,
    ownSettings: new Set(managers.flatMap(em => [...settingsInKey(em)])),
    store: undefined,
    managers: variant.managers,
    known: new Set(managers),
    collects: false,
    mayWrite: true,
  });
  let value: T;
  try {
    value = await withScope({ computation }, compute);
  } finally {
    computation.end();
  }
  computation.compareManagers(describeUsed(computation.used));
  const now = await variantOf(target);
  const reason =
    computation.obstacle ??
    (typeof now === 'string' ? now : now.text === variant.text ? undefined : 'its EntityManager has changed');
  if (reason !== undefined) {
    throw new Unstored(compute, value, reason);
  }
  return value;
}

/** @returns a reason if the result must not be stored */
async function variantOf({
  identity,
  managers,
}: Pick<Target, 'identity' | 'managers'>): Promise<ValueVariant | string> {
  if (managers.obstacle !== undefined) {
    return managers.obstacle;
  }
  try {
    const described = await describeManagers(managers);
    return 'obstacle' in described
      ? described.obstacle
      : {
          text: JSON.stringify([identity.variant, described.managers]),
          managers: described.managers,
        };
  } catch (error) {
    for (const em of [...managers.given, ...managers.reached]) {
      functionPartsIn(em)?.events.reportError('read', error);
    }
    return 'a database whose name cannot be read';
  }
}

/** One variant of a value. Caches of this package separate variants, and delete them together. */
function cacheOf(cache: TimedCache, key: string, variant: ValueVariant) {
  const own = isOwn(cache) ? cache : undefined;
  const other = keyOf(key, variant);
  return {
    get: () => (own ? own.get(key, variant) : cache.get(other)),
    delete: () => cache.delete(own ? key : other),
    through<T>(compute: () => Promise<T>, timeout: number): Promise<T> {
      if (own) {
        return own.through(key, compute, { timeout }, variant);
      }
      currentScope().computation?.enter()?.('a cache whose deletions cannot be observed');
      return cache.through(other, compute, { timeout });
    },
  };
}

function isOwn(cache: TimedCache): cache is StoreCache | FileCache {
  return cache instanceof StoreCache || cache instanceof FileCache;
}

/** The key of a variant in a cache without variants. */
function keyOf(key: string, { text }: ValueVariant): string {
  return `${key}:${hash('sha256', text, 'base64url')}`;
}

function controlsOf(fn: AnyFunction, self: unknown): TimedControls<AnyFunction> {
  const { targetOf, timeout } = known.get(fn)!;
  const find = async (args: unknown[]) => {
    const { cache, key, ...target } = targetOf(self, args);
    const variant = await variantOf(target);
    return typeof variant === 'string' ? undefined : cacheOf(cache, key, variant);
  };
  const forget = async (args: unknown[]) => {
    const { cache, key } = targetOf(self, args);
    if (isOwn(cache)) {
      await cache.delete(key);
    } else {
      await (await find(args))?.delete();
    }
  };
  return {
    invalidate: (...args) => forget(args),
    key(...args) {
      const { key } = targetOf(self, args);
      return {
        async get() {
          const found = await find(args);
          if (!found) {
            throw new CacheMiss(key);
          }
          return found.get();
        },
        async set(value) {
          const { cache, key, ...target } = targetOf(self, args);
          const variant = variantOf(target);
          if (isOwn(cache)) {
            return cache.set(key, value, { timeout }, variant);
          }
          const known = await variant;
          if (typeof known !== 'string') {
            await cache.set(keyOf(key, known), value, { timeout });
          }
        },
        delete: () => forget(args),
      };
    },
  };
}

function findCache(managers: CallManagers, { cache }: TimedOptions, name: string): TimedCache {
  if (cache !== undefined) {
    return typeof cache === 'function' ? cache() : cache;
  }
  const em: EntityManager | undefined = [...managers.given, ...managers.reached][0];
  const source = em ?? onlyOrm();
  if (!source) {
    throw new CacheopsError(
      `${name}: which cache? Give the option cache: getCacheops(orm).cache, a fileCache(), or a function that gives one.`,
    );
  }
  return getCacheops(source).cache;
}
