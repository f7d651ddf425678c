import type { Flushes } from './flushes.js';
import type { Reads } from './reads.js';
import { ratio, type Timings } from './timings.js';

/** An aim: a ratio, and its upper bound. */
export interface Aim {
  readonly name: string;
  /** the measured subjects; several for a comparison among them */
  readonly timings: readonly Timings[];
  /** the subject of comparison */
  readonly of: string;
  readonly value: number;
  readonly limit: number;
}

const REDIS_HIT = 1.25;
const MEMORY_HIT = 1.5;
const MISS = 1.2;
const FLUSH = 1.6;
const FLAT = 1.15;

export function readAims({ queries, roundTrip }: Reads): Aim[] {
  return queries.flatMap(({ name, database, redis, redisFloor, memory, memoryFloor }) => [
    ...(database
      ? [
          {
            name: `miss, ${name}`,
            timings: [database.miss],
            of: '(uncached + 2 round trips)',
            // one for the lease, one for the fill
            value: ratio(database.miss, database.uncached, roundTrip, roundTrip),
            limit: MISS,
          },
        ]
      : []),
    {
      name: `Redis hit, ${name}`,
      timings: [redis],
      of: 'its floor',
      value: ratio(redis, redisFloor),
      limit: REDIS_HIT,
    },
    {
      name: `memory hit, ${name}`,
      timings: [memory],
      of: 'its floor',
      value: ratio(memory, memoryFloor),
      limit: MEMORY_HIT,
    },
  ]);
}

export function flushAims({ plain, dependents, compared }: Flushes): Aim[] {
  const relative = dependents.map(({ timings }) => ratio(timings, dependents[0]!.timings));
  return [
    ...dependents.map(({ count, timings }) => ({
      name: `flush, ${count} dependent entries`,
      timings: [timings],
      of: 'a plain one',
      value: ratio(timings, plain),
      limit: FLUSH,
    })),
    {
      name: 'flush of a compared column',
      timings: [compared],
      of: 'a plain one',
      value: ratio(compared, plain),
      limit: FLUSH,
    },
    {
      name: 'flush, whatever depends on it',
      timings: dependents.map(({ timings }) => timings),
      of: 'the shortest',
      value: Math.max(...relative) / Math.min(...relative),
      limit: FLAT,
    },
  ];
}
