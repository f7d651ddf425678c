import { expect } from 'chai';
import { RULES, type Rule } from './chaos/broken.js';
import { faults } from './chaos/faults.js';
import { randomFrom } from './chaos/random.js';
import { head, row } from './chaos/table.js';

const SEED = Number(process.env.CHAOS_SEED ?? Math.floor(Math.random() * 2 ** 31));

// A little of what `npm run chaos` does at length. Rejections that nobody handles fail the test that runs at the time.
describe('C1, C2, C3, C7 and C8: nothing that happens to processes, networks and servers makes a read stale', () => {
  const lines: string[] = [];

  after(() => {
    console.log([`seed ${SEED}`, head(), ...lines].map(text => text.replace(/^/gm, '      ')).join('\n'));
  });

  for (const { name, tries, run, bound = Number.POSITIVE_INFINITY } of faults) {
    if (tries.short > 0) {
      it(name, async () => {
        const findings = await run(tries.short, randomFrom(SEED));
        lines.push(row(name, findings));
        expect(findings.stale, `with CHAOS_SEED=${SEED}`).to.deep.equal([]);
        expect(findings.lost, `with CHAOS_SEED=${SEED}`).to.deep.equal([]);
        expect(findings.broken, `with CHAOS_SEED=${SEED}`).to.deep.equal([]);
        // an answer that is never given is never stale
        expect(findings.hits).to.be.above(0);
        expect(findings.slowest).to.be.below(bound);
      }).timeout(120_000);
    }
  }

  for (const rule of Object.keys(RULES) as Rule[]) {
    it(`finds lost invalidations unless ${RULES[rule]}`, async () => {
      const fault = faults.findLast(({ breakable }) => breakable?.includes(rule))!;
      const { lost } = await fault.run(1, randomFrom(SEED), rule);
      expect(lost, `${fault.name}, with CHAOS_SEED=${SEED}`).not.to.deep.equal([]);
    }).timeout(120_000);
  }
});
