import { expect } from 'chai';
import { SEED } from '../support/seed.js';
import { RULES, type Rule } from './chaos/broken.js';
import { faults } from './chaos/faults.js';
import { randomFrom } from './chaos/random.js';
import { head, row } from './chaos/table.js';

/** Factor on the longest read allowed: other specs run at the same time, and the machine may be slow. */
const PATIENCE = 5;

// A short version of `npm run chaos`. An unhandled rejection fails the test that runs at that moment.
describe('C1, C2, C3, C7 and C8: faults of processes, networks and servers never make a read stale', () => {
  const lines: string[] = [];

  after(() => {
    console.log([head(), ...lines].map(text => text.replace(/^/gm, '      ')).join('\n'));
  });

  for (const { name, tries, run, bound = Number.POSITIVE_INFINITY } of faults) {
    if (tries.short > 0) {
      it(name, async () => {
        const findings = await run(tries.short, randomFrom(SEED));
        lines.push(row(name, findings));
        expect(findings.stale, `with SEED=${SEED}`).to.deep.equal([]);
        expect(findings.lost, `with SEED=${SEED}`).to.deep.equal([]);
        expect(findings.broken, `with SEED=${SEED}`).to.deep.equal([]);
        // a process that never gets an answer gets no stale one
        expect(findings.hits).to.be.above(0);
        expect(findings.slowest).to.be.below(PATIENCE * bound);
      }).timeout(600_000);
    }
  }

  for (const rule of Object.keys(RULES) as Rule[]) {
    it(`invalidations are lost unless ${RULES[rule]}`, async () => {
      const fault = faults.findLast(({ breakable }) => breakable?.includes(rule))!;
      const random = randomFrom(SEED);
      let { lost } = await fault.run(1, random, rule);
      // on a busy machine, the fault may be over before a write meets it
      for (let again = 0; again < 2 && lost.length === 0; again++) {
        ({ lost } = await fault.run(1, random, rule));
      }
      expect(lost, `${fault.name}, with SEED=${SEED}`).not.to.deep.equal([]);
    }).timeout(600_000);
  }
});
