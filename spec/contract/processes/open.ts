import { AsyncLocalStorage } from 'node:async_hooks';
import { MikroORM } from '@mikro-orm/postgresql';
import type { RedisOptions } from 'ioredis';
import { type CacheopsOptions, cacheops, getCacheops, type ReadEvent } from '../../../lib/index.js';
import type { RedisSource } from '../../../lib/store/redis/client.js';
import { RedisStore } from '../../../lib/store/redis/redis_store.js';
import type { Rule } from '../chaos/broken.js';
import { entities } from './schema.js';
import { SteppedStore } from './stepped_store.js';

/** The database and the Redis that processes share. */
export interface Place {
  readonly database: string;
  /** URL, or ioredis options as JSON */
  readonly redis: string | RedisOptions;
  readonly prefix: string;
  /** see {@link SteppedStore} */
  readonly maxDelay?: number;
  /**
   * Store timeout, in milliseconds. Default: 10 s, so that a busy machine does not count as an outage, which has weaker
   * promises.
   */
  readonly storeTimeout?: number;
  readonly onStoreFailure?: 'degrade' | 'throw';
  /** see {@link CacheopsOptions} */
  readonly retryAfter?: number;
  /** the rule that other processes break: see `chaos/broken.ts` */
  readonly broken?: Rule | undefined;
}

export interface Opened extends AsyncDisposable {
  readonly orm: MikroORM;
  readonly store: RedisStore;
}

const readEvents = new AsyncLocalStorage<ReadEvent[]>();

export async function openOrm({ database, redis, prefix, maxDelay, ...place }: Place): Promise<Opened> {
  const store = new RedisStore(redis as RedisSource, {
    prefix,
    commandTimeout: place.storeTimeout ?? 10_000,
  });
  const policy: CacheopsOptions = {
    ...(place.onStoreFailure && { onStoreFailure: place.onStoreFailure }),
    ...(place.retryAfter && { retryAfter: place.retryAfter }),
  };
  const orm = await MikroORM.init({
    clientUrl: database,
    entities,
    pool: { max: 12 },
    extensions: [cacheops({ store: new SteppedStore(store, maxDelay), profiles: {}, ...policy })],
  });
  trackReads(orm);
  return {
    orm,
    store,
    async [Symbol.asyncDispose]() {
      await orm.close();
      await store.close();
    },
  };
}

/** Makes {@link sourced} track an ORM's reads. */
export function trackReads(orm: MikroORM): void {
  getCacheops(orm).events.on('read', event => readEvents.getStore()?.push(event));
}

/** The answer of a read, whether all of it came from the cache, and its duration in milliseconds. */
export async function sourced<T>(read: () => Promise<T>): Promise<{ answer: T; hit: boolean; took: number }> {
  const events: ReadEvent[] = [];
  const began = performance.now();
  const answer = await readEvents.run(events, read);
  const took = performance.now() - began;
  return { answer, hit: events.length > 0 && events.every(({ source }) => source === 'cache'), took };
}
