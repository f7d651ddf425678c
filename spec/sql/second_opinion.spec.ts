import { expect } from 'chai';
import fc from 'fast-check';
import { pick, randomFrom } from '../contract/chaos/random.js';
import { SEED } from '../support/seed.js';
import { compare } from './disagreements.js';
import { loadParser } from './postgres_parser.js';
import { anyKind, anyQuery, everyKind, mutate, textsOfSpecs } from './statements.js';

const RUNS = Number(process.env.SECOND_OPINION_RUNS ?? 5_000);
const MUTATIONS = 6;

/** Numbers of texts that PostgreSQL accepts, and that the parsers understand. */
class Tally {
  accepted = 0;
  reads = 0;
  writes = 0;

  /** Compares a text, and fails if the parsers miss something in it. */
  readonly add = (sql: string): void => {
    const comparison = compare(sql);
    if (comparison) {
      this.accepted++;
      this.reads += comparison.isRead ? 1 : 0;
      this.writes += ['insert', 'update', 'delete', 'truncate'].includes(comparison.kind) ? 1 : 0;
      expect(comparison.problems, `${sql}\nwith SEED=${SEED}`).to.deep.equal([]);
    }
  };

  /** Otherwise a test could pass without comparing anything. */
  expectAtLeast(least: Readonly<Record<'accepted' | 'reads' | 'writes', number>>): void {
    const { accepted, reads, writes } = this;
    expect(accepted, 'texts that PostgreSQL accepts').to.be.at.least(least.accepted);
    expect(reads, 'queries that may be cached').to.be.at.least(least.reads);
    expect(writes, 'writes that are understood word by word').to.be.at.least(least.writes);
  }
}

/** Compares with PostgreSQL's own parser. */
describe("the parsers of SQL compared with PostgreSQL's parser", function () {
  this.timeout(120_000);
  const settings = { seed: SEED, numRuns: RUNS };

  before(loadParser);

  it('they find, or refuse, everything in the SQL of the specs', () => {
    const tally = new Tally();
    textsOfSpecs().forEach(tally.add);
    tally.expectAtLeast({ accepted: 700, reads: 100, writes: 200 });
  });

  it('they find, or refuse, everything in each kind of statement, FROM item and expression', () => {
    const tally = new Tally();
    everyKind().forEach(tally.add);
    tally.expectAtLeast({ accepted: 1_700, reads: 400, writes: 200 });
  });

  it('they find, or refuse, everything in statements that combine these kinds', () => {
    const tally = new Tally();
    fc.assert(fc.property(anyKind, tally.add), settings);
    tally.expectAtLeast({ accepted: 0.9 * RUNS, reads: 0.06 * RUNS, writes: 0.05 * RUNS });
  });

  it('they find, or refuse, everything in queries with nested subqueries, joins and expressions', () => {
    const tally = new Tally();
    fc.assert(fc.property(anyQuery, tally.add), settings);
    tally.expectAtLeast({ accepted: 0.25 * RUNS, reads: 0.1 * RUNS, writes: 0 });
  });

  it('they find, or refuse, everything in texts whose tokens are deleted, moved, doubled, quoted, replaced or added', () => {
    const tally = new Tally();
    const random = randomFrom(SEED);
    const texts = [
      ...textsOfSpecs(),
      ...everyKind(),
      ...[anyKind, anyQuery].flatMap(each => fc.sample(each, settings)),
    ];
    for (let i = 0; i < MUTATIONS * RUNS; i++) {
      tally.add(mutate(pick(random, texts), random));
    }
    tally.expectAtLeast({ accepted: 0.3 * RUNS, reads: 0.06 * RUNS, writes: 0.02 * RUNS });
  });
});
