import type { Redis, RedisOptions } from 'ioredis';
import { isRedisClient, type RedisClient, type RedisConnection } from './source.js';

export type RedisSource = string | RedisConnection | RedisClient;

/** How long the server may take to close a connection, in milliseconds. */
export const DISCONNECT_TIMEOUT = 100;

export function isCluster(source: RedisSource): source is RedisClient {
  return (
    typeof source === 'object' && isRedisClient(source) && 'isCluster' in source && source.isCluster === true
  );
}

/** The prefix that ioredis would add to every key. It becomes part of our prefix, because SCAN ignores it. */
export function keyPrefixOf(source: RedisSource): string {
  if (typeof source === 'string') {
    return (URL.canParse(source) && new URL(source).searchParams.get('keyPrefix')) || '';
  }
  const options: unknown = isRedisClient(source) && 'options' in source ? source.options : source;
  return (options as RedisOptions).keyPrefix ?? '';
}

/**
 * A client of our own that has not connected yet. The user's client is never used itself, because its commands, its
 * queue and its retries must not mix with ours.
 *
 * @param commandTimeout milliseconds
 * @param retryDelay how long to wait before connecting again, in milliseconds
 */
export async function createClient(
  source: RedisSource,
  commandTimeout: number,
  retryDelay: () => number,
): Promise<Redis> {
  const overrides: RedisOptions = {
    lazyConnect: true,
    // a command is sent on the present connection or not at all
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    reconnectOnError: null,
    retryStrategy: retryDelay,
    // its timers fire before unread answers are handled: see Watchdog
    commandTimeout: undefined,
    connectTimeout: Math.max(1000, 4 * commandTimeout),
    disconnectTimeout: DISCONNECT_TIMEOUT,
    enableReadyCheck: true,
    enableAutoPipelining: false,
    readOnly: false,
    monitor: false,
    // the Watchdog does the same, and leaves no timer behind
    socketTimeout: undefined,
    role: 'master',
    keyPrefix: '',
    stringNumbers: false,
    scripts: {},
  };
  if (typeof source === 'object' && isRedisClient(source)) {
    return source.duplicate(overrides);
  }
  const { Redis } = await import('ioredis').catch(cause => {
    throw new Error("ioredis cannot be loaded: is it installed? Try 'npm install ioredis'.", { cause });
  });
  // duplicated, because parameters of a URL would win over the overrides
  const parsed =
    typeof source === 'string'
      ? new Redis(source, { lazyConnect: true })
      : new Redis({ ...source, lazyConnect: true });
  return parsed.duplicate(overrides);
}
