import { Redis } from 'ioredis';
import { MARKER } from '../../../lib/store/keys.js';
import { RedisStore, type RedisStoreOptions } from '../../../lib/store/redis/redis_store.js';
import type { Subject } from '../subject.js';

/** Milliseconds: so many that a busy machine does not fail a test. */
const PATIENCE = 10_000;

export interface RedisSubject extends Subject {
  readonly store: RedisStore;
  readonly other: RedisStore;
  readonly prefix: string;
  /** a client that is none of theirs */
  readonly client: Redis;
  /** the full name of a key */
  key(name: string): string;
}

/** Two stores with a common, unused prefix. */
export function redisSubject(url: string, options: RedisStoreOptions = {}): RedisSubject {
  const prefix = options.prefix ?? `spec:${crypto.randomUUID()}:`;
  const all = { commandTimeout: PATIENCE, ...options, prefix };
  const store = new RedisStore(url, all);
  const other = new RedisStore(url, all);
  const client = quietClient(url);
  return {
    store,
    other,
    prefix,
    client,
    key: name => prefix + MARKER + name,
    evict: async key => {
      await client.del(prefix + MARKER + key);
    },
    pass: seconds => letTimePass(client, prefix, seconds * 1000),
    async end() {
      // a store of its own, because those under test may be closed
      const cleaner = new RedisStore(url, all);
      await cleaner.clear().catch(() => {});
      await Promise.all([store.close(), other.close(), cleaner.close()]);
      client.disconnect();
    },
  };
}

/** A client that bears that its server goes away. */
export function quietClient(url: string): Redis {
  const client = new Redis(url, { retryStrategy: times => Math.min(times * 10, 100) });
  client.on('error', () => {});
  return client;
}

/** Shortens the life of all keys, which to them is as if time had passed. */
async function letTimePass(client: Redis, prefix: string, milliseconds: number): Promise<void> {
  for (const key of await client.keys(`${prefix}*`)) {
    const left = (await client.pttl(key)) - milliseconds;
    await (left > 0 ? client.pexpire(key, left) : client.del(key));
  }
}
