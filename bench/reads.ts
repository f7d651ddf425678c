import type { Redis } from 'ioredis';
import { getCacheops } from '../lib/index.js';
import { type Contender, fillCaches, linesFor, type ReadTimings } from './contenders.js';
import type { Subjects } from './subjects.js';
import { shuffled, Timings, time } from './timings.js';

export interface Reads {
  readonly queries: readonly ReadTimings[];
  /** of one small command of Redis */
  readonly roundTrip: Timings;
}

const ROUNDS = 50;
/** Rounds to warm up compilers and connections, which do not count. */
const WARM_UP = 8;
const PINGS = 20;

export async function measureReads(subjects: Subjects, client: Redis): Promise<Reads> {
  await fillCaches(subjects);
  const lines = linesFor(subjects, WARM_UP + ROUNDS);
  const contenders = lines.flatMap(line => line.contenders);
  const roundTrip = new Timings();
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (const contender of shuffled(contenders)) {
      contender.timings.rounds.push(await askBatch(contender, round));
    }
    roundTrip.rounds.push(await repeat(PINGS, () => time(() => client.ping())));
  }
  for (const timings of [roundTrip, ...contenders.map(contender => contender.timings)]) {
    timings.rounds.splice(0, WARM_UP);
  }
  return { queries: lines.map(line => line.timings), roundTrip };
}

/** @throws Error if a result did not come from the expected source */
async function askBatch({ orm, query, batch, key, outcome }: Contender, round: number): Promise<number[]> {
  const cacheops = outcome && getCacheops(orm);
  const before = outcome && cacheops!.stats()[outcome];
  const measured = await repeat(batch, async i => {
    // like each request; creating it is not part of the query
    const em = orm.em.fork();
    return time(() => query.ask(em, key(round * batch + i)));
  });
  await cacheops?.idle();
  if (outcome && cacheops!.stats()[outcome] !== before! + batch) {
    throw new Error(`${query.name}: ${batch} ${outcome} were expected; ${JSON.stringify(cacheops!.stats())}`);
  }
  return measured;
}

async function repeat(times: number, run: (i: number) => Promise<number>): Promise<number[]> {
  const results: number[] = [];
  for (let i = 0; i < times; i++) {
    results.push(await run(i));
  }
  return results;
}
