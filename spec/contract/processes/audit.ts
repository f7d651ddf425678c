import { isDeepStrictEqual } from 'node:util';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { getCacheops } from '../../../lib/index.js';
import { inLanes } from './lanes.js';
import { sourced } from './open.js';
import { views } from './views.js';

/** Result of a comparison with the database while no process writes. */
export interface Audit {
  readonly reads: number;
  readonly hits: number;
  /** the longest time that a read took, in milliseconds */
  readonly slowest: number;
  /** answers that differ from the database's */
  readonly stale: readonly string[];
}

/** Asks every query about these rows, cached and uncached. */
export async function audit(em: SqlEntityManager, rows: readonly number[]): Promise<Audit> {
  const cache = getCacheops(em);
  const stale: string[] = [];
  let reads = 0;
  let hits = 0;
  let slowest = 0;
  await inLanes(4, rows, async row => {
    for (const [name, view] of Object.entries(views)) {
      const expected = await cache.disabled(() => view(em.fork(), row));
      const { answer, hit, took } = await sourced(() => view(em.fork(), row));
      reads++;
      hits += Number(hit);
      slowest = Math.max(slowest, took);
      if (!isDeepStrictEqual(answer, expected)) {
        const source = hit ? 'the cache' : 'the database';
        stale.push(
          `${name} of ${row} from ${source}: ${JSON.stringify(answer)}, not ${JSON.stringify(expected)}`,
        );
      }
    }
  });
  return { reads, hits, slowest, stale };
}
