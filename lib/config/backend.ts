import { isRedisClient, type RedisClient, type RedisConnection } from '../store/redis/source.js';
import type { Store } from '../store/store.js';
import { checkKeys, isObject, list, show } from './check.js';
import { CacheopsError } from './error.js';
import type { CacheopsOptions } from './options.js';

/** Where results are stored. */
export type Backend =
  // maxSize: bytes; undefined is the store's default
  | { readonly kind: 'memory'; readonly maxSize: number | undefined }
  | { readonly kind: 'redis'; readonly client: RedisClient }
  | { readonly kind: 'redis'; readonly client: undefined; readonly connection: string | RedisConnection }
  | { readonly kind: 'store'; readonly store: Store };

// typed by its keys, so that the compiler reports a missing method
const STORE_METHODS = Object.keys({
  read: true,
  readMany: true,
  reseal: true,
  schemes: true,
  lease: true,
  fill: true,
  mark: true,
  settle: true,
  lift: true,
  drop: true,
  clear: true,
  close: true,
} satisfies Record<keyof Store, true>);

export function backendOf({ redis, memory, store }: CacheopsOptions): Backend {
  const given = Object.entries({ redis, memory, store }).filter(([, value]) => value !== undefined);
  if (given.length > 1) {
    const names = list(given.map(([name]) => name));
    throw new CacheopsError(`${names}: results are kept in one place only. Give one of them.`);
  }
  if (store !== undefined) {
    return { kind: 'store', store: checkStore(store) };
  }
  return redis === undefined ? memoryOf(memory === undefined ? {} : memory) : redisOf(redis);
}

function memoryOf(memory: unknown): Backend {
  checkKeys(memory, ['maxSize'], 'memory');
  const { maxSize } = memory;
  return { kind: 'memory', maxSize: maxSize === undefined ? undefined : checkMaxSize(maxSize) };
}

function checkMaxSize(value: unknown): number {
  // not checkInteger, because more than 2 GiB are allowed
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new CacheopsError(
      `memory.maxSize: ${show(value)} is not a whole number of bytes. Give one from 1.`,
    );
  }
  return value as number;
}

// the message does not show the value, because it may contain a password
function redisOf(redis: unknown): Backend {
  if (typeof redis === 'string' && redis !== '') {
    return { kind: 'redis', client: undefined, connection: redis };
  }
  if (isObject(redis)) {
    if (isRedisClient(redis)) {
      return { kind: 'redis', client: redis };
    }
    const prototype = Object.getPrototypeOf(redis);
    if (prototype === null || prototype === Object.prototype) {
      return { kind: 'redis', client: undefined, connection: redis };
    }
  }
  const what = isObject(redis)
    ? `an instance of ${redis.constructor.name}`
    : redis === ''
      ? "''"
      : typeof redis;
  throw new CacheopsError(
    `redis: ${what} leads to no Redis. Give a URL, options of ioredis, or a Redis or Cluster of ioredis.`,
  );
}

function checkStore(store: unknown): Store {
  const missing = STORE_METHODS.filter(method => !(isObject(store) && typeof store[method] === 'function'));
  if (missing.length > 0) {
    throw new CacheopsError(`store: that is no Store. It lacks the methods ${list(missing)}.`);
  }
  return store as Store;
}
