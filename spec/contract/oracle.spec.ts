import { expect } from 'chai';
import fc from 'fast-check';
import { freshDatabase, redisUrl } from '../support/servers.js';
import { memoryBackend, redisBackend } from './oracle/backends.js';
import { describeHistory, describeStep } from './oracle/describe_step.js';
import { type History, histories, STEPS_A_HISTORY } from './oracle/history.js';
import { hitRate } from './oracle/tally.js';
import { type Backend, World } from './oracle/world.js';

/** Of both stores together. */
const STEPS = Number(process.env.ORACLE_STEPS ?? 20_000);
const SEED = Number(process.env.ORACLE_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** How long a history that fails is made shorter, in milliseconds. */
const SHRINKING = Number(process.env.ORACLE_SHRINKING ?? 60_000);

describe('The oracle: whatever is done, in whatever order, the cache answers as the database would', () => {
  const backends: Readonly<Record<string, () => Promise<Backend>>> = {
    memory: async () => memoryBackend(),
    Redis: async () => redisBackend(await redisUrl()),
  };
  for (const [name, makeBackend] of Object.entries(backends)) {
    it(`from ${name}`, async () => {
      const backend = await makeBackend();
      let world: World | undefined;
      try {
        const created = await World.create(await freshDatabase('oracle'), backend);
        world = created;
        const started = performance.now();
        const shrinking = { since: 0 };
        const result = await fc.check(
          fc.asyncProperty(histories, history => playUntilLate(created, history, shrinking)),
          { seed: SEED, numRuns: Math.ceil(STEPS / 2 / STEPS_A_HISTORY) },
        );
        if (result.failed) {
          throw failure(result);
        }
        console.log(`      ${created.tally.describe(created.handles, performance.now() - started)}`);
        console.log(`      seed ${SEED}`);
        // an answer that is never given is never wrong
        expect(hitRate(created.handles)).to.be.greaterThan(0.4);
      } finally {
        await world?.close();
        await backend.end();
      }
    }).timeout(24 * 3_600_000);
  }
});

/** From some time after the first failure, everything passes: so shrinking comes to an end. */
async function playUntilLate(world: World, history: History, shrinking: { since: number }): Promise<void> {
  if (shrinking.since > 0 && performance.now() - shrinking.since > SHRINKING) {
    return;
  }
  try {
    await world.play(
      history,
      process.env.ORACLE_TRACE ? step => console.log(describeStep(step, history.queries)) : undefined,
    );
  } catch (error) {
    shrinking.since ||= performance.now();
    throw error;
  }
}

function failure(result: fc.RunDetails<[History]>): Error {
  const { counterexample, errorInstance, numShrinks } = result;
  const history = counterexample ? describeHistory(counterexample[0]) : '';
  return new Error(
    `ORACLE_SEED=${SEED} ORACLE_STEPS=${STEPS} fails. The shortest history, after ${numShrinks} reductions:\n${history}\n${(errorInstance as Error)?.message}`,
    { cause: errorInstance },
  );
}
