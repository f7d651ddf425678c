import { expect } from 'chai';
import type { Child } from './processes/child.js';
import { describeMoment, MOMENTS, runCrash } from './processes/crash.js';
import { countFrom, inLanes } from './processes/lanes.js';
import { questions } from './processes/questions.js';
import { ORDERS, type Race, runRace } from './processes/race.js';
import { prepare, type Setting } from './processes/setting.js';
import { readAroundCommit, type SlowCommit } from './processes/slow_commit.js';
import { runStress } from './processes/stress.js';

// A minimum. The environment can raise it.
const RACES = countFrom('RACES', 1000);
const CRASHES = countFrom('CRASHES', 1000);
const READS = countFrom('READS', 6000);

const MINUTE = 60_000;

describe('C1, between processes', function () {
  this.timeout(5 * MINUTE + 100 * RACES);
  const names = Object.keys(questions);
  const rounds = Math.ceil(RACES / (names.length * ORDERS.length));
  let setting: Setting;
  let reader: Child;
  let writer: Child;
  let n = 0;
  let reads = 0;
  let hits = 0;

  before(async () => {
    setting = await prepare(rounds * names.length * ORDERS.length);
    [reader, writer] = await Promise.all([setting.child(), setting.child()]);
  });
  after(async () => {
    console.log(`      ${n} races, ${reads} reads after the commit, ${hits} of them hits`);
    await setting[Symbol.asyncDispose]();
  });

  for (const question of names) {
    it(`no read is stale, in any order of a reader's and a writer's steps (${question})`, async () => {
      const races: Race[] = [];
      for (let round = 0; round < rounds; round++) {
        for (const order of ORDERS) {
          races.push({ question, n: ++n, order, watched: round % 2 === 0 });
        }
      }
      const stale: string[] = [];
      let fills = 0;
      const hitsBefore = hits;
      await inLanes(4, races, async race => {
        const outcome = await runRace({ setting, reader, writer }, race);
        stale.push(...outcome.stale);
        fills += Number(outcome.filled);
        reads += outcome.reads;
        hits += outcome.hits;
      });
      expect(stale).to.deep.equal([]);
      // the test is conclusive: some leases were granted, some refused, and stored entries were hits
      expect(fills).to.be.above(0).and.below(races.length);
      expect(hits - hitsBefore).to.be.above(races.length / 10);
    });
  }
});

describe('C2, between processes, after a crash', function () {
  this.timeout(5 * MINUTE + 200 * CRASHES);
  /** Writers that share a process and die with it: as many real deaths as possible in a short test. */
  const WRITERS = 10;
  const kills = Math.ceil(CRASHES / WRITERS / MOMENTS.length);
  let setting: Setting;
  let reader: Child;
  let lastRow = 0;
  let reads = 0;
  let hits = 0;

  before(async () => {
    setting = await prepare(kills * MOMENTS.length * WRITERS);
    reader = await setting.child();
  });
  after(async () => {
    console.log(`      ${lastRow} writers killed, ${lastRow / WRITERS} processes`);
    console.log(`      ${reads} reads after their death, ${hits} of them hits`);
    await setting[Symbol.asyncDispose]();
  });

  for (const moment of MOMENTS) {
    it(`no read is stale after writers are killed ${describeMoment(moment)}`, async () => {
      const batches = Array.from({ length: kills }, () => Array.from({ length: WRITERS }, () => ++lastRow));
      const wrong: string[] = [];
      let committed = 0;
      await inLanes(8, batches, async rows => {
        const aftermath = await runCrash(setting, reader, { moment, rows });
        wrong.push(...aftermath.wrong);
        committed += aftermath.committed;
        reads += aftermath.reads;
        hits += aftermath.hits;
      });
      expect(wrong).to.deep.equal([]);
      const { step, taking } = moment;
      if (step === 'settle') {
        expect(committed).to.equal(kills * WRITERS);
      } else if (step === 'commit' && taking) {
        expect(committed).to.be.above(0);
      } else {
        expect(committed).to.equal(0);
      }
    });
  }
});

describe('C1, between processes, under load', function () {
  this.timeout(5 * MINUTE + 50 * READS);
  /** rows of a table without a useful index: the database takes milliseconds to find those that are read */
  const ROWS = 20_000;
  const HOT = 8;

  it('no read is stale while several processes read rows slowly and write them', async () => {
    await using setting = await prepare(ROWS, { maxDelay: 3 });
    const [one, two, three, four] = await Promise.all(Array.from({ length: 4 }, () => setting.child()));
    const tally = await runStress({
      readers: [one!, two!],
      writers: [three!, four!],
      rows: Array.from({ length: HOT }, (_, i) => 1 + i * 1000),
      reads: READS,
    });
    expect(tally.stale).to.deep.equal([]);
    expect(tally.hits).to.be.above(tally.reads / 20);
    expect(tally.writes).to.be.above(tally.reads / 50);
    console.log(`      ${tally.reads} reads, ${tally.hits} hits, ${tally.writes} writes, 0 stale`);
  });
});

describe('C1, between processes, with a slow writer', () => {
  let setting: Setting;
  let cast: Pick<SlowCommit, 'setting' | 'reader' | 'writer'>;

  before(async () => {
    setting = await prepare(10);
    const [reader, writer] = await Promise.all([setting.child(), setting.child()]);
    cast = { setting, reader: reader!, writer: writer! };
  });
  after(() => setting[Symbol.asyncDispose]());

  it('no read is stale while a writer is slow to commit after its mark', async () => {
    // longer than the time after which readers ask for the writer's status
    const { before, after } = await readAroundCommit({ ...cast, row: 1, wait: 1500 });
    expect(before.map(({ version }) => version))
      .to.include(1)
      .and.not.include(2);
    expect(after.map(({ version }) => version))
      .to.include(2)
      .and.not.include(1);
  });

  it('no read is stale if the store loses its data before a slow writer commits', async () => {
    const { before, after } = await readAroundCommit({
      ...cast,
      row: 2,
      wait: 300,
      meanwhile: () => setting.clear(),
    });
    expect(before.map(({ version }) => version))
      .to.include(1)
      .and.not.include(2);
    expect(after.map(({ version }) => version))
      .to.include(2)
      .and.not.include(1);
  });
});
