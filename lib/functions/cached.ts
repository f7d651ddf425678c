import { hash } from 'node:crypto';
import { EntityManager } from '@mikro-orm/core';
import { checkInteger, checkKeys, isObject, show } from '../config/check.js';
import { CacheopsError } from '../config/error.js';
import { entityKey } from '../orm/entity_graph.js';
import { onlyOrm } from '../orm/functions.js';
import { getCacheops } from '../orm/handle.js';
import type { TimedCache } from './cache.js';
import type { AnyFunction, CachedFunction, Extra } from './cached_as.js';
import { fingerprint } from './fingerprint.js';
import { type Identity, identityOf } from './identity.js';

export interface TimedOptions {
  /** how long a result may be used, in seconds */
  timeout: number;
  /** is part of the key, beside the arguments: a value, or a function of `this` and the arguments */
  extra?: Extra;
  /**
   * Where results are kept: `getCacheops(orm).cache`, a {@link fileCache}, or a function that gives one when it is
   * needed.
   *
   * Default: that of the first argument that is an EntityManager, of `this.em`, or of the only ORM in this program
   */
  cache?: TimedCache | (() => TimedCache);
  /** tells the function from others; needed where several are made of one source text */
  name?: string;
}

/** What is kept for one set of arguments. */
export interface TimedKey<Result> {
  /** @throws CacheMiss if there is nothing */
  get(): Promise<Result>;
  set(value: Result): Promise<void>;
  delete(): Promise<void>;
}

/** What can be done with what is kept of a function. */
export interface TimedControls<F extends AnyFunction> {
  /** Forgets the result for these arguments, also one that is being computed. */
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
 * Keeps what a function gives for a time, by its arguments, and whatever happens meanwhile. An entity among the
 * arguments stands for its key.
 *
 * ```ts
 * const rates = cached({ timeout: 600 })(async (currency: string) => fetchRates(currency));
 * await rates('EUR');
 * await rates.invalidate('EUR');
 * await rates.key('EUR').set({ USD: 1.08 });
 * ```
 *
 * @throws CacheopsError at once if an option is wrong; and by the function, if its arguments or its result are of a
 * kind that cannot be stored
 */
export function cached(options: TimedOptions): <F extends AnyFunction>(fn: F) => TimedFunction<F> {
  const checked = parseTimedOptions(options, 'cached()');
  return fn => {
    const identity = identityOf(fn, checked.name, 'cached()');
    const made = timed(fn, checked, () => identity);
    return Object.assign(made, controlsOf(made, undefined)) as TimedFunction<typeof fn>;
  };
}

/**
 * What `cached()` gives functions, of a method with `@Cached({ timeout })`.
 *
 * ```ts
 * await cachedMethod(service, 'rates').invalidate('EUR');
 * ```
 *
 * @throws CacheopsError if it has none
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

type KeyOf = (self: unknown, args: unknown[]) => { readonly cache: TimedCache; readonly key: string };

interface Known {
  readonly keyOf: KeyOf;
  readonly timeout: number;
}

const known = new WeakMap<object, Known>();

/** @internal */
export function timed<F extends AnyFunction>(
  fn: F,
  options: TimedOptions,
  identity: (self: unknown) => Identity,
): CachedFunction<F> {
  const keyOf: KeyOf = (self, args) => {
    const { name, digest } = identity(self);
    const { extra } = options;
    const more = typeof extra === 'function' ? extra(self, ...args) : extra;
    const text = `${digest} ${fingerprint(args, describe, 'arguments')} ${fingerprint(more, describe, 'extra')}`;
    return {
      cache: findCache(self, args, options, name),
      key: `${name}:${hash('sha256', text, 'base64url')}`,
    };
  };
  const made = async function (this: unknown, ...args: unknown[]) {
    const { cache, key } = keyOf(this, args);
    return cache.through(key, async () => fn.apply(this as never, args), { timeout: options.timeout });
  };
  Object.defineProperty(made, 'name', { value: fn.name });
  Object.defineProperty(made, 'length', { value: fn.length });
  known.set(made, { keyOf, timeout: options.timeout });
  return made as unknown as CachedFunction<F>;
}

function controlsOf(fn: AnyFunction, self: unknown): TimedControls<AnyFunction> {
  const { keyOf, timeout } = known.get(fn)!;
  return {
    async invalidate(...args) {
      const { cache, key } = keyOf(self, args);
      await cache.delete(key);
    },
    key(...args) {
      const { cache, key } = keyOf(self, args);
      return {
        get: () => cache.get(key),
        set: value => cache.set(key, value, { timeout }),
        delete: () => cache.delete(key),
      };
    },
  };
}

function describe(value: object, path: string): string | undefined {
  return value instanceof EntityManager ? 'em' : entityKey(value, path);
}

function findCache(self: unknown, args: unknown[], { cache }: TimedOptions, name: string): TimedCache {
  if (cache !== undefined) {
    return typeof cache === 'function' ? cache() : cache;
  }
  const own = (self as { em?: unknown } | null | undefined)?.em;
  const em = [...args, self, own].find(value => value instanceof EntityManager);
  const source = em ?? onlyOrm();
  if (!source) {
    throw new CacheopsError(
      `${name}: which cache? Give the option cache: getCacheops(orm).cache, a fileCache(), or a function that gives one.`,
    );
  }
  return getCacheops(source).cache;
}
