import { expect } from 'chai';
import fc from 'fast-check';
import { SEED } from '../support/seed.js';
import { redisUrl } from '../support/servers.js';
import { type Backend, memoryBackend, redisBackend } from './oracle/backends.js';
import { type Database, embeddedDatabase, postgresDatabase } from './oracle/databases.js';
import { describeHistory } from './oracle/describe_step.js';
import { type History, histories, STEPS_A_HISTORY } from './oracle/history.js';
import { Oracle } from './oracle/oracle.js';
import { hitRate } from './oracle/tally.js';

/** Steps of all histories together. */
const STEPS = Number(process.env.ORACLE_STEPS || 16_000);
/** With this many reads, the hit rate is meaningful. */
const ENOUGH = 1000;
/** Least share of queries answered by the cache. With a shared session, many queries run in transactions. */
const HITS = 0.15;
/** How long a failing history is shrunk, in milliseconds. */
const SHRINKING = 60_000;

interface Case {
  readonly name: string;
  readonly newDatabase: () => Promise<Database>;
  readonly newBackend: () => Promise<Backend>;
  /** share of the steps */
  readonly share: number;
  readonly maxSteps?: number;
}

describe('The oracle: after any actions in any order, the cache answers like the database', () => {
  const cases: readonly Case[] = [
    {
      name: 'from memory',
      newDatabase: postgresDatabase,
      newBackend: async () => memoryBackend(),
      share: 0.45,
    },
    {
      name: 'from Redis',
      newDatabase: postgresDatabase,
      newBackend: async () => redisBackend(await redisUrl()),
      share: 0.45,
    },
    {
      name: 'from memory, on PGlite',
      newDatabase: embeddedDatabase,
      newBackend: async () => memoryBackend(),
      share: 0.1,
      // each error takes some of PGlite's stack, which was used up after 28,000 steps
      maxSteps: 20_000,
    },
  ];
  for (const { name, newDatabase, newBackend, share, maxSteps = Infinity } of cases) {
    it(name, async () => {
      const oracle = await Oracle.create(newDatabase, await newBackend());
      const { tally, handles } = oracle.world;
      try {
        const started = performance.now();
        const result = await fc.check(fc.asyncProperty(histories, untilLate(oracle)), {
          numRuns: Math.ceil(Math.min(STEPS * share, maxSteps) / STEPS_A_HISTORY),
        });
        if (result.failed) {
          throw failure(result);
        }
        console.log(`      ${tally.describe(handles, performance.now() - started)}`);
        // a cache that never answers is never wrong
        if (tally.reads > ENOUGH) {
          expect(hitRate(handles)).to.be.greaterThan(HITS);
        }
      } finally {
        await oracle.close();
      }
    }).timeout(24 * 3_600_000);
  }
});

/** Some time after the first failure every history passes, so that shrinking ends. */
function untilLate(oracle: Oracle): (history: History) => Promise<void> {
  let end = Number.POSITIVE_INFINITY;
  return async history => {
    if (performance.now() > end) {
      return;
    }
    try {
      await oracle.play(history);
    } catch (error) {
      end = Math.min(end, performance.now() + SHRINKING);
      throw error;
    }
  };
}

function failure({ counterexample, errorInstance, numShrinks }: fc.RunDetails<[History]>): Error {
  const lines = [
    `It fails with SEED=${SEED} ORACLE_STEPS=${STEPS}. The shortest history, after ${numShrinks} reductions:`,
    counterexample ? describeHistory(counterexample[0]) : '',
    (errorInstance as Error | undefined)?.message ?? '',
  ];
  return new Error(lines.join('\n'), { cause: errorInstance });
}
