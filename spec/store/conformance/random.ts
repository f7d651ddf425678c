import { expect } from 'chai';
import fc from 'fast-check';
import { EVENTS } from '../model/events.js';
import { World } from '../model/world.js';
import { type MakeSubject, subjects } from '../subject.js';

export function describeRandom(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const numRuns = Number(process.env.CACHEOPS_RUNS ?? 200);

  for (const [name, limits] of Object.entries({
    'with enough room': {},
    'with room for two schemes': { maxSchemes: 2 },
    'with room for two touched dependencies': { maxTouched: 2 },
  })) {
    it(`never leads to a stale result, ${name}`, async () => {
      const subject = await make(limits);
      let worlds = 0;
      let hits = 0;
      let moved = 0;
      await fc.assert(
        fc.asyncProperty(EVENTS, async events => {
          const world = new World(subject, `world${worlds++}`);
          for (const event of events) {
            await world.play(event);
            await world.check();
          }
          hits += world.hits;
          moved += world.moved;
        }),
        { numRuns },
      );

      // an answer that is never given is never stale
      expect(hits).to.be.greaterThan(numRuns);
      if (Object.keys(limits).length === 0) {
        expect(moved).to.be.greaterThan(numRuns / 20);
      }
    }).timeout(600_000);
  }
}
