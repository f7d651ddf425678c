import { MikroORM, type Options } from '@mikro-orm/postgresql';
import type { Redis } from 'ioredis';
import { type CacheopsOptions, cacheops, MemoryStore } from '../lib/index.js';
import { Article } from './article.js';
import { answerFromShelf, redisShelf } from './floor.js';
import { RedisResultCache } from './result_cache.js';

/** One ORM for each subject of the comparison. */
export interface Subjects {
  readonly uncached: MikroORM;
  readonly resultCache: MikroORM;
  readonly redis: MikroORM;
  readonly redisFloor: MikroORM;
  readonly memory: MikroORM;
  readonly memoryFloor: MikroORM;
  /** like `redis` and `memory`, in place of another process that has filled the cache */
  readonly otherRedis: MikroORM;
  readonly otherMemory: MikroORM;
}

export interface Places {
  readonly databaseUrl: string;
  readonly redisUrl: string;
  /** begins every key in Redis */
  readonly prefix: string;
}

const TIMEOUT = 3600;

/** Long, so that a busy machine shows in the 99th percentile and does not open the circuit breaker. */
export const STORE_TIMEOUT = 5000;

export async function makeSubjects(places: Places, client: Redis): Promise<Subjects> {
  const { prefix, redisUrl } = places;
  const onRedis = () => connect(places, cached({ redis: redisUrl, prefix: `${prefix}cacheops:` }));
  const store = new MemoryStore({ maxSize: 512 * 2 ** 20 });
  const inMemory = () => connect(places, cached({ store }));

  const redisFloor = await connect(places);
  answerFromShelf(redisFloor, redisShelf(client, `${prefix}floor:`));
  const memoryFloor = await connect(places);
  answerFromShelf(memoryFloor, new Map());
  return {
    uncached: await connect(places),
    resultCache: await connect(places, {
      resultCache: {
        adapter: RedisResultCache,
        options: { url: redisUrl, prefix: `${prefix}orm:` },
        global: TIMEOUT * 1000,
      },
    }),
    redis: await onRedis(),
    redisFloor,
    memory: await inMemory(),
    memoryFloor,
    otherRedis: await onRedis(),
    otherMemory: await inMemory(),
  };
}

export function cached(options: CacheopsOptions): Options {
  const profiles = { [Article.meta.className]: { ops: 'all', timeout: TIMEOUT } } as const;
  return { extensions: [cacheops({ profiles, storeTimeout: STORE_TIMEOUT, ...options })] };
}

export function connect(
  { databaseUrl }: Pick<Places, 'databaseUrl'>,
  options: Options = {},
): Promise<MikroORM> {
  return MikroORM.init({ clientUrl: databaseUrl, entities: [Article], ...options });
}
