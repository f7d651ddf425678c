import { MemoryStore, RedisStore, type Store } from '../../../lib/index.js';
import { quietClient } from '../../store/redis/support.js';
import type { Evictor } from './observed_store.js';

/** Where the ORMs of a world keep their results. */
export interface Backend extends Evictor {
  /** The store of one ORM, as in a separate process: all have the same contents. */
  storeOf(orm: number): Store;
  end(): Promise<void>;
}

export function memoryBackend(): Backend {
  const store = new MemoryStore();
  return {
    storeOf: () => store,
    evict: async key => store.evict(key),
    evictAll: () => store.clear(),
    end: () => store.close(),
  };
}

export function redisBackend(url: string): Backend {
  const prefix = `oracle:${crypto.randomUUID()}:`;
  const stores: RedisStore[] = [];
  const client = quietClient(url);
  return {
    storeOf: orm => (stores[orm] ??= new RedisStore(url, { prefix, commandTimeout: 10_000 })),
    async evict(key) {
      await client.del(prefix + key);
    },
    // like FLUSHALL, on a server that may hold other keys
    async evictAll() {
      const keys = await client.keys(`${prefix}*`);
      if (keys.length > 0) {
        await client.del(keys);
      }
    },
    async end() {
      await stores[0]?.clear();
      await Promise.all(stores.map(store => store.close()));
      client.disconnect();
    },
  };
}
