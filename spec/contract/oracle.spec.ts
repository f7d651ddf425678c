import { expect } from 'chai';
import fc from 'fast-check';
import { redisUrl } from '../support/servers.js';
import { type Backend, memoryBackend, redisBackend } from './oracle/backends.js';
import { describeHistory } from './oracle/describe_step.js';
import { type History, histories, STEPS_A_HISTORY } from './oracle/history.js';
import { Oracle } from './oracle/oracle.js';
import { hitRate } from './oracle/tally.js';

/** Of both stores together. */
const STEPS = Number(process.env.ORACLE_STEPS ?? 20_000);
const SEED = Number(process.env.ORACLE_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** How long a history that fails is made shorter, in milliseconds. */
const SHRINKING = 60_000;

describe('The oracle: whatever is done, in whatever order, the cache answers as the database would', () => {
  const backends: Readonly<Record<string, () => Promise<Backend>>> = {
    memory: async () => memoryBackend(),
    Redis: async () => redisBackend(await redisUrl()),
  };
  for (const [name, makeBackend] of Object.entries(backends)) {
    it(`from ${name}`, async () => {
      const oracle = await Oracle.create(await makeBackend());
      const { tally, handles } = oracle.world;
      try {
        const started = performance.now();
        const result = await fc.check(fc.asyncProperty(histories, untilLate(oracle)), {
          seed: SEED,
          numRuns: Math.ceil(STEPS / 2 / STEPS_A_HISTORY),
        });
        if (result.failed) {
          throw failure(result);
        }
        console.log(`      ${tally.describe(handles, performance.now() - started)}\n      seed ${SEED}`);
        // an answer that is never given is never wrong
        expect(hitRate(handles)).to.be.greaterThan(0.3);
      } finally {
        await oracle.close();
      }
    }).timeout(24 * 3_600_000);
  }
});

/** From some time after the first failure, everything passes: so shrinking comes to an end. */
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
    `It fails with ORACLE_SEED=${SEED} ORACLE_STEPS=${STEPS}. The shortest history, after ${numShrinks} reductions:`,
    counterexample ? describeHistory(counterexample[0]) : '',
    (errorInstance as Error | undefined)?.message ?? '',
  ];
  return new Error(lines.join('\n'), { cause: errorInstance });
}
