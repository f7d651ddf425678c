import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import { entities, Tag } from '../../../fixtures/legacy/index.js';
import { cacheops, getCacheops, RedisStore } from '../../../lib/index.js';
import { sourcesOf } from './observe.js';

/** A task of the parent: a number of simultaneous reads of a tag. */
export interface Order {
  readonly id: number;
  readonly reads: number;
  readonly lock: boolean;
}

/** The sources of the results, and the duration in milliseconds. */
export interface Outcome {
  readonly sources: readonly string[];
  readonly duration: number;
}

const [clientUrl, redis, prefix] = process.argv.slice(2) as [string, string, string];
const store = new RedisStore(redis, { prefix, commandTimeout: 10_000 });
const orm = await MikroORM.init({
  clientUrl,
  entities,
  metadataProvider: ReflectMetadataProvider,
  extensions: [cacheops({ store })],
});
const { lease } = store;
let looks = 0;
store.lease = (address, ttl) => {
  // a process that asks a second time whether it is the first is waiting
  if (address.key === 'lock' && ++looks === 2) {
    process.send!('waits');
  }
  return lease.call(store, address, ttl);
};

process.on('message', async ({ id, reads, lock }: Order) => {
  looks = 0;
  const started = performance.now();
  const sources = await sourcesOf(getCacheops(orm), () =>
    Promise.all(
      Array.from({ length: reads }, () => orm.em.fork().findOneOrFail(Tag, id, { cacheops: { lock } })),
    ),
  );
  process.send!({ sources, duration: performance.now() - started } satisfies Outcome);
});
process.on('disconnect', async () => {
  await orm.close();
  await store.close();
});
process.send!('ready');
