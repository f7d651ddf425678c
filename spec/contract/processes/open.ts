import { AsyncLocalStorage } from 'node:async_hooks';
import { MikroORM } from '@mikro-orm/postgresql';
import { cacheops, getCacheops, type ReadEvent } from '../../../lib/index.js';
import { RedisStore } from '../../../lib/store/redis/redis_store.js';
import { entities } from './schema.js';
import { SteppedStore } from './stepped_store.js';

/** Which database and which Redis processes share. */
export interface Place {
  readonly database: string;
  readonly redis: string;
  readonly prefix: string;
  /** see {@link SteppedStore} */
  readonly dawdle?: number;
}

export interface Opened extends AsyncDisposable {
  readonly orm: MikroORM;
  readonly store: RedisStore;
}

const heard = new AsyncLocalStorage<ReadEvent[]>();

export async function openOrm({ database, redis, prefix, dawdle }: Place): Promise<Opened> {
  // So patient that a busy machine is not taken for an outage, during which other promises hold.
  const store = new RedisStore(redis, { prefix, commandTimeout: 10_000 });
  const orm = await MikroORM.init({
    clientUrl: database,
    entities,
    pool: { max: 12 },
    extensions: [cacheops({ store: new SteppedStore(store, dawdle), profiles: {} })],
  });
  hearReads(orm);
  return {
    orm,
    store,
    async [Symbol.asyncDispose]() {
      await orm.close();
      await store.close();
    },
  };
}

/** Has {@link sourced} know of an ORM's reads. */
export function hearReads(orm: MikroORM): void {
  getCacheops(orm).events.on('read', event => heard.getStore()?.push(event));
}

/** What a read was answered, and whether all of the answer came from the cache. */
export async function sourced<T>(read: () => Promise<T>): Promise<{ answer: T; hit: boolean }> {
  const events: ReadEvent[] = [];
  const answer = await heard.run(events, read);
  return { answer, hit: events.length > 0 && events.every(({ source }) => source === 'cache') };
}
