import { MemoryStore, RedisStore } from '../../../lib/index.js';
import { quietClient } from '../../store/redis/support.js';
import type { Backend } from './world.js';

/** How many ORMs share the contents of a store. */
const ORMS = 2;

export function memoryBackend(): Backend {
  const store = new MemoryStore();
  return {
    stores: Array.from({ length: ORMS }, () => store),
    evict: async key => store.evict(key),
    evictAll: () => store.clear(),
    end: () => store.close(),
  };
}

export function redisBackend(url: string): Backend {
  const prefix = `oracle:${crypto.randomUUID()}:`;
  const stores = Array.from({ length: ORMS }, () => new RedisStore(url, { prefix, commandTimeout: 10_000 }));
  const client = quietClient(url);
  return {
    stores,
    async evict(key) {
      await client.del(prefix + key);
    },
    // as FLUSHALL does, on a server that may have other keys
    async evictAll() {
      const keys = await client.keys(`${prefix}*`);
      if (keys.length > 0) {
        await client.del(keys);
      }
    },
    async end() {
      await stores[0]!.clear();
      await Promise.all(stores.map(store => store.close()));
      client.disconnect();
    },
  };
}
