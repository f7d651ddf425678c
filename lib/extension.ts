import type { MikroORM } from '@mikro-orm/core';
import { CacheopsError } from './config/error.js';
import type { CacheopsOptions } from './config/options.js';
import { type ResolvedOptions, validateOptions } from './config/validate.js';
import { install } from './install.js';
import { MemoryStore } from './store/memory/memory_store.js';
import { isCluster, type RedisSource } from './store/redis/client.js';
import { ClusterStore } from './store/redis/cluster_store.js';
import { RedisStore } from './store/redis/redis_store.js';
import type { Store } from './store/store.js';

/** An extension as `MikroORM.init({ extensions })` takes it. */
export interface Extension {
  register(orm: MikroORM<any>): void;
}

/**
 * Caches results of the ORM's reads, and invalidates them when the data changes.
 *
 * ```ts
 * const orm = await MikroORM.init({
 *   entities: [Article, Author],
 *   extensions: [cacheops({ redis: 'redis://127.0.0.1:6379/1', defaults: { timeout: 3600 } })],
 * });
 * ```
 *
 * @throws CacheopsError at once if an option is wrong; and from `MikroORM.init`, if a profile does not fit the
 * entities, or if the database is not PostgreSQL
 */
export function cacheops(options: CacheopsOptions = {}): Extension {
  const resolved = validateOptions(options);
  return {
    register(orm) {
      const { backend } = resolved;
      install(orm, resolved, backend.kind === 'store' ? backend.store : () => makeStore(resolved));
    },
  };
}

// not typed, so that the compiler reports `extensions: [cacheops]`
Object.defineProperty(cacheops, 'register', {
  value: () => {
    throw new CacheopsError('extensions: [cacheops]: the parentheses are missing. Write cacheops().');
  },
});

function makeStore({ backend, prefix, storeTimeout }: ResolvedOptions): Store {
  if (backend.kind === 'redis') {
    const source = (backend.client ?? backend.connection) as RedisSource;
    const options = {
      // the prefix of a function is part of the keys of entries only
      ...(typeof prefix === 'string' && { prefix }),
      commandTimeout: storeTimeout,
    };
    return isCluster(source) ? new ClusterStore(source, options) : new RedisStore(source, options);
  }
  return new MemoryStore(backend.kind === 'memory' && backend.maxSize ? { maxSize: backend.maxSize } : {});
}
