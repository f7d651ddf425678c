import { isRedisClient, type RedisClient, type RedisConnection } from '../store/redis/source.js';
import type { Store } from '../store/store.js';
import { checkKeys, isObject, list, show } from './check.js';
import { CacheopsError } from './error.js';
import { nearest } from './nearest.js';
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
    checkUrl(redis);
    return { kind: 'redis', client: undefined, connection: redis };
  }
  if (isObject(redis)) {
    if (isRedisClient(redis)) {
      return { kind: 'redis', client: redis };
    }
    const prototype = Object.getPrototypeOf(redis);
    if (prototype === null || prototype === Object.prototype) {
      checkConnection(redis);
      return { kind: 'redis', client: undefined, connection: redis };
    }
  }
  if (isObject(redis) && 'isOpen' in redis && 'sendCommand' in redis) {
    throw new CacheopsError(`redis: that is a client of node-redis (the package redis). ${FORMS}`);
  }
  const what = isObject(redis)
    ? `an instance of ${redis.constructor.name}`
    : redis === ''
      ? "''"
      : typeof redis;
  throw new CacheopsError(`redis: ${what} leads to no Redis. ${FORMS}`);
}

const FORMS = 'Give a URL, options of ioredis, or a Redis or Cluster of ioredis.';

/** `127.0.0.1:6379` and `/run/redis.sock` are not URLs; ioredis takes them, too. */
function checkUrl(text: string): void {
  const [, scheme] = /^([^:/?#]*):\/\//.exec(text) ?? [];
  if (scheme === undefined) {
    return;
  }
  if (!/^rediss?$/i.test(scheme) || !URL.canParse(text)) {
    throw new CacheopsError(
      `redis: '${scheme}://…' is no URL of a Redis. Write redis://127.0.0.1:6379/0, or rediss:// for TLS.`,
    );
  }
  const { pathname } = new URL(text);
  if (!/^(\/\d*)?$/.test(pathname)) {
    throw new CacheopsError(
      `redis: '${pathname}' is no number of a database. Write redis://127.0.0.1:6379/0.`,
    );
  }
}

/** All options of ioredis. A spec compares them with its types. ioredis would ignore others, and use 127.0.0.1. */
const OF_IOREDIS =
  `Connector autoPipeliningIgnoredCommands autoResendUnfulfilledCommands autoResubscribe blockingTimeout
  blockingTimeoutGrace clientInfoTag commandQueue commandTimeout connectTimeout connectionName db disableClientInfo
  disconnectTimeout enableAutoPipelining enableOfflineQueue enableReadyCheck enableTLSForSentinelMode failoverDetector
  family himportFieldsets host keepAlive keyPrefix lazyConnect maxLoadingRetryTime maxRetriesPerRequest monitor name
  natMap noDelay offlineQueue password path port preferredSlaves protocol readOnly reconnectOnError replyMapping
  retryStrategy role scripts sentinelCommandTimeout sentinelMaxConnections sentinelPassword sentinelReconnectStrategy
  sentinelRetryStrategy sentinelTLS sentinelUsername sentinels showFriendlyErrorStack socketTimeout stringNumbers tls
  updateSentinels username`.split(/\s+/);

/** Options of other clients, by what means the same. */
const OF_OTHERS: Readonly<Record<string, string>> = {
  url: 'the URL itself: redis: url',
  socket: 'host, port and tls',
  database: 'db',
};

function checkConnection(options: object): void {
  const name = Object.keys(options).find(key => !OF_IOREDIS.includes(key));
  if (name !== undefined) {
    const meant = Object.hasOwn(OF_OTHERS, name) ? OF_OTHERS[name] : nearest(name, OF_IOREDIS);
    throw new CacheopsError(
      `redis: ioredis has no option '${name}'. ${meant ? `Give ${meant}.` : 'Leave it out, or give a Redis of ioredis.'}`,
    );
  }
}

function checkStore(store: unknown): Store {
  const missing = STORE_METHODS.filter(method => !(isObject(store) && typeof store[method] === 'function'));
  if (missing.length > 0) {
    throw new CacheopsError(`store: that is no Store. It lacks the methods ${list(missing)}.`);
  }
  return store as Store;
}
