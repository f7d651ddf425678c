import type { Redis, RedisOptions } from 'ioredis';
import { isRedisClient, type RedisClient, type RedisConnection } from './source.js';

export type RedisSource = string | RedisConnection | RedisClient;

/** How long a server may take to take leave of a connection, in milliseconds. */
export const DISCONNECT_TIMEOUT = 100;

export function isCluster(source: RedisSource): source is RedisClient {
  return (
    typeof source === 'object' && isRedisClient(source) && 'isCluster' in source && source.isCluster === true
  );
}

/** What ioredis would put before every key. It becomes part of our prefix, since SCAN does not heed it. */
export function keyPrefixOf(source: RedisSource): string {
  if (typeof source === 'string') {
    return (URL.canParse(source) && new URL(source).searchParams.get('keyPrefix')) || '';
  }
  const options: unknown = isRedisClient(source) && 'options' in source ? source.options : source;
  return (options as RedisOptions).keyPrefix ?? '';
}

/**
 * A client of our own that has not connected yet. What the user made is never used itself: another's commands, and
 * their being queued and sent again, must not mix with ours.
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
    // an answer must come from the connection that was asked, or not at all
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    reconnectOnError: null,
    retryStrategy: retryDelay,
    // its timers come before the answers that wait to be read: see Watchdog
    commandTimeout: undefined,
    connectTimeout: Math.max(1000, 4 * commandTimeout),
    disconnectTimeout: DISCONNECT_TIMEOUT,
    enableReadyCheck: true,
    enableAutoPipelining: false,
    readOnly: false,
    monitor: false,
    // ours does the same, and leaves no timer behind
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
  // by way of a duplicate, because what a URL says would win over the overrides
  const parsed =
    typeof source === 'string'
      ? new Redis(source, { lazyConnect: true })
      : new Redis({ ...source, lazyConnect: true });
  return parsed.duplicate(overrides);
}
