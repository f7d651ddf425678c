import { expect } from 'chai';
import fc from 'fast-check';
import { ANYTHING, and, disjunctiveForm, type Formula, or, type Source } from '../../lib/query/formula.js';
import type { Canonical } from '../../lib/values/comparable.js';
import { formula, joinedRow, satisfies, satisfiesOne } from './formulas.js';

const MANY = 10_000;
const source: Source = { table: 'article' };

function equals(column: string, ...values: Canonical[]): Formula {
  return { type: 'equals', source, column, values };
}

/** As plain objects, with the columns of the only source. */
function conjunctions(of: Formula, limit = MANY): object[] {
  return disjunctiveForm(of, limit).map(conjunction => Object.fromEntries(conjunction.get(source) ?? []));
}

describe('disjunctiveForm', () => {
  it('every row that satisfies the formula satisfies its disjunctive form, for any limit', () => {
    fc.assert(
      fc.property(formula, joinedRow, fc.integer({ min: 1, max: 12 }), (condition, row, limit) => {
        fc.pre(satisfies(row, condition));
        expect(satisfiesOne(row, disjunctiveForm(condition, limit))).to.equal(true);
      }),
      { numRuns: 3000 },
    );
  });

  it('there are at most as many conjunctions as the limit', () => {
    fc.assert(
      fc.property(formula, fc.integer({ min: 1, max: 12 }), (condition, limit) => {
        expect(disjunctiveForm(condition, limit)).to.have.length.at.most(limit);
      }),
      { numRuns: 1000 },
    );
  });

  it('a conjunction of alternatives is multiplied out', () => {
    const condition = and([
      equals('category', '1', '2'),
      or([equals('status', 'new'), equals('author', '7', null)]),
    ]);
    expect(conjunctions(condition)).to.have.deep.members([
      { category: '1', status: 'new' },
      { category: '2', status: 'new' },
      { category: '1', author: '7' },
      { category: '2', author: '7' },
      { category: '1', author: null },
      { category: '2', author: null },
    ]);
  });

  it('several occurrences of a table have separate conditions', () => {
    const other: Source = { table: 'article' };
    const condition = and([equals('a', '1'), { type: 'equals', source: other, column: 'a', values: ['2'] }]);
    const [conjunction] = disjunctiveForm(condition, MANY);
    expect(conjunction!.get(source)).to.deep.equal(new Map([['a', '1']]));
    expect(conjunction!.get(other)).to.deep.equal(new Map([['a', '2']]));
  });

  it('the largest factor is omitted if the product exceeds the limit', () => {
    const condition = and([equals('a', '1', '2', '3', '4'), equals('b', '1', '2'), equals('c', '1')]);
    expect(conjunctions(condition, 4)).to.have.deep.members([
      { b: '1', c: '1' },
      { b: '2', c: '1' },
    ]);
  });

  it('alternatives that exceed the limit become one conjunction without conditions', () => {
    expect(conjunctions(or([equals('a', '1', '2'), equals('b', '1')]), 2)).to.deep.equal([{}]);
    expect(conjunctions(equals('a', '1', '2', '3'), 2)).to.deep.equal([{}]);
  });

  it('a condition that no row satisfies has no conjunctions', () => {
    expect(conjunctions(equals('a'))).to.deep.equal([]);
    expect(conjunctions(and([equals('a'), equals('b', '1')]))).to.deep.equal([]);
  });

  it('`anything` is one conjunction without conditions', () => {
    expect(conjunctions(ANYTHING)).to.deep.equal([{}]);
    expect(conjunctions(and([]))).to.deep.equal([{}]);
    expect(conjunctions(or([equals('a', '1'), ANYTHING]))).to.deep.equal([{ a: '1' }, {}]);
  });
});
