import type { MikroORM } from '@mikro-orm/postgresql';
import type { Redis } from 'ioredis';
import { type CacheopsStats, getCacheops } from '../lib/index.js';
import { findOne, type Query, queries } from './queries.js';
import type { Subjects } from './subjects.js';
import { shuffled, Timings, time } from './timings.js';

/** All that was measured of one kind of query. */
export interface ReadTimings {
  readonly name: string;
  /** only for keys that are asked for again and again */
  readonly database?: { readonly uncached: Timings; readonly miss: Timings; readonly resultCache: Timings };
  readonly redis: Timings;
  readonly redisFloor: Timings;
  readonly memory: Timings;
  readonly memoryFloor: Timings;
}

export interface Reads {
  readonly queries: readonly ReadTimings[];
  /** of one small command of Redis */
  readonly roundTrip: Timings;
}

/** One way to be answered, and the keys that it is asked for. */
interface Contender {
  readonly timings: Timings;
  readonly query: Query;
  readonly orm: MikroORM;
  readonly key: (ask: number) => number;
  /** what each query has to be, by the cache's own account */
  readonly outcome?: keyof CacheopsStats;
}

const ROUNDS = 60;
/** Before anything counts: compilers and connections get warm. */
const WARM_UP = 8;
/** Keys that are asked for again and again. */
const HOT = 200;
/** Keys that another process has filled, and that this one asks for once each. */
const ONCE = 5000;

export async function measureReads(subjects: Subjects, client: Redis): Promise<Reads> {
  const { redis, redisFloor, memory, memoryFloor, resultCache, otherRedis, otherMemory } = subjects;
  for (const query of queries) {
    for (const orm of [redis, redisFloor, memory, memoryFloor, resultCache]) {
      await fill(orm, query, 0, HOT);
    }
  }
  for (const orm of [otherRedis, redisFloor, otherMemory, memoryFloor]) {
    await fill(orm, findOne, HOT, ONCE);
  }

  const lines = [...queries.map(query => lineOf(subjects, query)), askedOnce(subjects)];
  const contenders = lines.flatMap(line => line.contenders);
  const roundTrip = new Timings();
  const asked = new Map<Contender, number>();
  for (let round = -WARM_UP; round < ROUNDS; round++) {
    for (const contender of shuffled(contenders)) {
      const from = asked.get(contender) ?? 0;
      asked.set(contender, from + contender.query.batch);
      const measured = await askBatch(contender, from);
      if (round >= 0) {
        contender.timings.rounds.push(measured);
      }
    }
    const pings: number[] = [];
    for (let i = 0; i < 20; i++) {
      pings.push(await time(() => client.ping()));
    }
    if (round >= 0) {
      roundTrip.rounds.push(pings);
    }
  }
  return { queries: lines.map(line => line.timings), roundTrip };
}

async function fill(orm: MikroORM, query: Query, from: number, count: number): Promise<void> {
  for (let key = from; key < from + count; key++) {
    await query.ask(orm.em.fork(), key);
  }
  await idle(orm);
}

function lineOf(subjects: Subjects, query: Query) {
  const hot = (ask: number) => (ask * 7) % HOT;
  // the same keys for both, in both of which the database is asked
  const fresh = (ask: number) => HOT + ((ask * 3) % (query.keys - HOT));
  const { uncached, resultCache, redis, redisFloor, memory, memoryFloor } = subjects;
  const timings = {
    name: query.name,
    database: { uncached: new Timings(), miss: new Timings(), resultCache: new Timings() },
    ...hits(),
  };
  const { database } = timings;
  const contenders: Contender[] = [
    { timings: database.uncached, query, orm: uncached, key: fresh },
    { timings: database.miss, query, orm: redis, key: fresh, outcome: 'misses' },
    { timings: database.resultCache, query, orm: resultCache, key: hot },
    { timings: timings.redis, query, orm: redis, key: hot, outcome: 'hits' },
    { timings: timings.redisFloor, query, orm: redisFloor, key: hot },
    { timings: timings.memory, query, orm: memory, key: hot, outcome: 'hits' },
    { timings: timings.memoryFloor, query, orm: memoryFloor, key: hot },
  ];
  return { timings: timings as ReadTimings, contenders };
}
