import type { MikroORM } from '@mikro-orm/postgresql';
import type { ReadCounts } from '../lib/index.js';
import { findOne, type Query, queries } from './queries.js';
import type { Subjects } from './subjects.js';
import { Timings } from './timings.js';

/** The measurements of one kind of query. */
export interface ReadTimings {
  readonly name: string;
  /** missing without the database */
  readonly database?: { readonly uncached: Timings; readonly miss: Timings; readonly resultCache: Timings };
  readonly redis: Timings;
  readonly redisFloor: Timings;
  readonly memory: Timings;
  readonly memoryFloor: Timings;
}

/** One way to answer queries. */
export interface Contender {
  readonly timings: Timings;
  readonly orm: MikroORM;
  readonly query: Query;
  /** how often it is asked in a row */
  readonly batch: number;
  readonly key: (ask: number) => number;
  /** the expected outcome of every query, according to `stats()` */
  readonly outcome?: keyof ReadCounts;
}

export interface Line {
  readonly timings: ReadTimings;
  readonly contenders: readonly Contender[];
}

/** Keys that are read repeatedly. */
const HOT = 200;
/** Keys that another process has cached, and that this one reads once each. */
const ONCE = 5000;

export async function fillCaches(subjects: Subjects): Promise<void> {
  const { redis, redisFloor, memory, memoryFloor, resultCache, otherRedis, otherMemory } = subjects;
  for (const query of queries) {
    for (const orm of [redis, redisFloor, memory, memoryFloor, resultCache]) {
      await fill(orm, query, 0, HOT);
    }
  }
  for (const orm of [otherRedis, redisFloor, otherMemory, memoryFloor]) {
    await fill(orm, findOne, HOT, ONCE);
  }
}

async function fill(orm: MikroORM, query: Query, from: number, count: number): Promise<void> {
  for (let key = from; key < from + count; key++) {
    await query.ask(orm.em.fork(), key);
  }
}

/** @param batches their number */
export function linesFor(subjects: Subjects, batches: number): Line[] {
  return [...queries.map(query => lineOf(subjects, query)), askedOnce(subjects, Math.floor(ONCE / batches))];
}

function lineOf(subjects: Subjects, query: Query): Line {
  const hot = (ask: number) => (ask * 7) % HOT;
  // from the end, and each only once; both read the same rows
  const fresh = (ask: number) => query.keys - 1 - ask;
  const { batch } = query;
  const database = { uncached: new Timings(), miss: new Timings(), resultCache: new Timings() };
  const hits = hitsOf(subjects, query, batch, hot);
  return {
    timings: { name: query.name, database, ...hits.timings },
    contenders: [
      { timings: database.uncached, orm: subjects.uncached, query, batch, key: fresh },
      { timings: database.miss, orm: subjects.redis, query, batch, key: fresh, outcome: 'misses' },
      { timings: database.resultCache, orm: subjects.resultCache, query, batch, key: hot },
      ...hits.contenders,
    ],
  };
}

/** Queries that the process has not planned before. */
function askedOnce(subjects: Subjects, batch: number): Line {
  const hits = hitsOf(subjects, findOne, batch, ask => HOT + ask);
  return {
    timings: { name: `${findOne.name}, every key for the first time in this process`, ...hits.timings },
    contenders: hits.contenders,
  };
}

function hitsOf(subjects: Subjects, query: Query, batch: number, key: Contender['key']) {
  const timings = {
    redis: new Timings(),
    redisFloor: new Timings(),
    memory: new Timings(),
    memoryFloor: new Timings(),
  };
  const contenders: Contender[] = [
    { timings: timings.redis, orm: subjects.redis, query, batch, key, outcome: 'hits' },
    { timings: timings.redisFloor, orm: subjects.redisFloor, query, batch, key },
    { timings: timings.memory, orm: subjects.memory, query, batch, key, outcome: 'hits' },
    { timings: timings.memoryFloor, orm: subjects.memoryFloor, query, batch, key },
  ];
  return { timings, contenders };
}
