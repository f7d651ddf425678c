import { expect } from 'chai';
import fc from 'fast-check';
import { MemoryStore, RedisStore, type Store } from '../../lib/index.js';
import { SEED } from '../support/seed.js';
import { freshDatabase, redisUrl } from '../support/servers.js';
import { type Case, caseOf, cases, Differential, describeTotals, hitRate } from './differential/case.js';
import { EVALUATED, EVALUATED_ANYWHERE } from './differential/pieces.js';

/** Generated catalogs of both stores together. */
const CASES = Number(process.env.DIFFERENTIAL_CASES || 20);
/** With this many reads, the hit rate is meaningful. */
const ENOUGH = 500;
/** Least share of queries answered by the cache: most evaluate what users have defined, which is not cached. */
const HITS = 0.2;
/** Definitions in a catalog with one kind of them. */
const OF_ONE_KIND = 32;
/** How long a failing case is shrunk, in milliseconds. */
const SHRINKING = 60_000;

describe('Generated catalogs: whatever a read evaluates and a write fires, the cache answers like the database', () => {
  const stores: Record<string, { share: number; open: () => Promise<() => Store> }> = {
    'from memory': { share: 0.9, open: async () => () => new MemoryStore() },
    'from Redis': {
      share: 0.1,
      open: async () => {
        const url = await redisUrl();
        return () => new RedisStore(url, { prefix: `differential:${crypto.randomUUID()}:` });
      },
    },
  };
  for (const [index, [name, { share, open }]] of Object.entries(stores).entries()) {
    it(name, async () => {
      const differential = await Differential.create(await freshDatabase('differential'), await open());
      const { totals } = differential;
      try {
        const result = await fc.check(fc.asyncProperty(cases, untilLate(differential)), {
          numRuns: Math.ceil(CASES * share),
          seed: SEED + index,
        });
        if (result.failed) {
          throw failure(result);
        }
        console.log(`      ${describeTotals(totals)}`);
        // a cache that never answers is never wrong
        if (totals.reads > ENOUGH) {
          expect(hitRate(totals)).to.be.greaterThan(HITS);
        }
      } finally {
        await differential.close();
      }
    }).timeout(24 * 3_600_000);
  }

  // in a catalog of several kinds, one of them may be the reason that nothing is cached
  for (const [kind, definitions] of Object.entries({ ...EVALUATED, ...EVALUATED_ANYWHERE })) {
    it(`with ${kind} only`, async () => {
      const pieces = fc.sample(definitions, { numRuns: OF_ONE_KIND, seed: SEED });
      const differential = await Differential.create(
        await freshDatabase('differential'),
        () => new MemoryStore(),
      );
      try {
        await differential.play(caseOf(pieces));
        if (Object.hasOwn(EVALUATED, kind)) {
          expect(differential.totals.hits, 'hits').to.be.greaterThan(0);
        }
      } finally {
        await differential.close();
      }
    }).timeout(600_000);
  }
});

/** Some time after the first failure every case passes, so that shrinking ends. */
function untilLate(differential: Differential): (given: Case) => Promise<void> {
  let end = Number.POSITIVE_INFINITY;
  return async given => {
    if (performance.now() > end) {
      return;
    }
    try {
      await differential.play(given);
    } catch (error) {
      end = Math.min(end, performance.now() + SHRINKING);
      throw error;
    }
  };
}

function failure({ errorInstance, numShrinks }: fc.RunDetails<[Case]>): Error {
  const { message = '' } = (errorInstance as Error | undefined) ?? {};
  return new Error(
    `It fails with SEED=${SEED} DIFFERENTIAL_CASES=${CASES}. The shortest case, after ${numShrinks} reductions:\n${message}`,
    { cause: errorInstance },
  );
}
