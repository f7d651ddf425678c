import type { MikroORM } from '@mikro-orm/postgresql';
import { getCacheops, MemoryStore } from '../lib/index.js';
import { freshDatabase, redisUrl, stopServers } from '../spec/support/servers.js';
import { Article, fillDatabase } from './article.js';
import { cached, connect } from './subjects.js';
import { shuffled, Timings, time } from './timings.js';

/*
 * The cost of a find by a list of keys: without a cache, and with all, half or none of it cached; and of the same list
 * as one result. In rounds that measure everything.
 */

const ROUNDS = 60;
const WARM_UP = 15;
/** From here on, every key is read once. */
const FRESH = 2000;

interface Contender {
  readonly name: string;
  readonly orm: MikroORM;
  readonly timings: Timings;
  readonly keys: () => number[];
  readonly options?: object;
}

const databaseUrl = await freshDatabase('bench_lists');
const prefix = `bench:${crypto.randomUUID().slice(0, 8)}:`;
const uncached = await connect({ databaseUrl });
const memory = await connect({ databaseUrl }, cached({ store: new MemoryStore() }));
const redis = await connect({ databaseUrl }, cached({ redis: await redisUrl(), prefix }));

let next = FRESH;

/** @param warm how many of them are cached */
function listOf(size: number, warm: number): number[] {
  const keys = Array.from({ length: warm }, (_, i) => i + 1);
  while (keys.length < size) {
    keys.push(++next);
  }
  return keys;
}

function contendersOf(size: number): Contender[] {
  const make = (name: string, orm: MikroORM, warm: number, options?: object): Contender => ({
    name: `${size} keys, ${name}`,
    orm,
    timings: new Timings(),
    keys: () => listOf(size, warm),
    ...(options && { options }),
  });
  return [
    make('uncached', uncached, 0),
    ...Object.entries({ memory, redis }).flatMap(([place, orm]) => [
      make(`${place}, all cached`, orm, size),
      make(`${place}, all cached, as one result`, orm, size, { cacheops: { lock: true } }),
      make(`${place}, half cached`, orm, size / 2),
      make(`${place}, none cached`, orm, 0),
    ]),
  ];
}

try {
  await fillDatabase(uncached);
  const contenders = [20, 100].flatMap(contendersOf);
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (const { orm, keys, timings, options } of shuffled(contenders)) {
      const list = keys();
      const em = orm.em.fork();
      const took = await time(() => em.find(Article, { id: list }, { orderBy: { id: 'asc' }, ...options }));
      if (orm !== uncached) {
        await getCacheops(orm).idle();
      }
      if (round >= WARM_UP) {
        timings.rounds.push([took]);
      }
    }
  }
  for (const { name, timings } of contenders) {
    console.log(`${name}: ${Math.round(timings.median)} µs`);
  }
} finally {
  await getCacheops(redis).invalidateAll();
  await Promise.all([uncached, memory, redis].map(orm => orm.close()));
  await stopServers();
}
