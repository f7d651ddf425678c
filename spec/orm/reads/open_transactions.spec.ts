import { expect } from 'chai';
import fc from 'fast-check';
import { questions, turns } from './open_transactions/arbitrary.js';
import { World } from './open_transactions/world.js';

const RUNS = Number(process.env.OPEN_TRANSACTIONS ?? 16);

describe('during open transactions and slow reads', function () {
  this.timeout(7_200_000);
  let world: World;

  before(async () => {
    world = await World.create();
  });

  after(() => world.close());

  it('every result is what the database would give at that moment', async () => {
    await fc.assert(
      fc.asyncProperty(questions, turns, (asked, deeds) => world.check(asked, deeds)),
      { numRuns: RUNS },
    );
    const { revalidated, asked } = world.tally;
    expect(revalidated, 'hits in spite of what had happened').to.be.above(2 * RUNS);
    expect(asked, 'lookups of joined rows').to.be.above(RUNS);
  });
});
