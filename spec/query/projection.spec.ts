import { expect } from 'chai';
import fc, { type Arbitrary } from 'fast-check';
import { ANYTHING, and, type Formula, or, type Source, wider } from '../../lib/query/formula.js';
import { columnsOf, compile } from '../../lib/query/predicate.js';
import { given, type Projection, projectionOf } from '../../lib/query/projection.js';
import type { Canonical } from '../../lib/values/comparable.js';
import { formula, type JoinedRow, joinedRow, SOURCES, satisfies } from './formulas.js';

const source: Source = { table: 'article' };

function equals(column: string, ...values: Canonical[]): Formula {
  return { type: 'equals', source, column, values };
}

function more(column: string, value: string): Formula {
  return { type: 'test', source, column, test: { type: '>', kind: 'integer', value } };
}

/** Does the row of this source satisfy the projection? */
function matches({ expression }: Projection, joined: JoinedRow, of: Source): boolean {
  const row = joined.get(of)!;
  const tests = [...row.keys()];
  return compile(expression, tests).matches(tests.map(column => row.get(column)!));
}

/** The same formula with `anything` in the places where `hidden` is true. */
function hiding(real: Formula, hidden: Iterator<boolean>): Formula {
  const hides = hidden.next().value === true;
  if (real.type === 'and' || real.type === 'or') {
    const parts = real.parts.map(part => hiding(part, hidden));
    return hides ? wider({ type: real.type, parts }) : { type: real.type, parts };
  }
  return hides ? ANYTHING : real;
}

/** The complete condition, as the database evaluates it. */
const real: Arbitrary<Formula> = formula.filter(isComplete);

function isComplete(of: Formula): boolean {
  return of.type === 'and' || of.type === 'or'
    ? of.parts.length > 0 && of.parts.every(isComplete)
    : of.type !== 'anything' && of.type !== 'wider';
}

function mentionsIn(of: Formula, about: Source, column: string): number {
  switch (of.type) {
    case 'and':
    case 'or':
      return of.parts.reduce((sum, part) => sum + mentionsIn(part, about, column), 0);
    case 'equals':
    case 'test':
      return of.source === about && of.column === column ? 1 : 0;
    default:
      return 0;
  }
}

describe('projectionOf', () => {
  it('each row of a joined row that satisfies the formula satisfies its projection', () => {
    fc.assert(
      fc.property(formula, joinedRow, (condition, row) => {
        fc.pre(satisfies(row, condition));
        for (const each of SOURCES) {
          expect(matches(projectionOf(condition, each), row, each)).to.equal(true);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('a projection with all references to a column exact decides whether a change of the column matters', () => {
    let changes = 0;
    fc.assert(
      fc.property(
        real,
        fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 40, maxLength: 40 }),
        joinedRow,
        joinedRow,
        (condition, dice, before, other) => {
          const known = hiding(condition, dice.map(die => die > 7)[Symbol.iterator]());
          for (const each of SOURCES) {
            const view = projectionOf(known, each);
            // only columns that may be omitted from the columns read change
            const row = new Map(before.get(each));
            for (const column of row.keys()) {
              const mentions = mentionsIn(condition, each, column);
              if (mentions === 0 || view.exact.get(column) === mentions) {
                row.set(column, other.get(each)!.get(column)!);
              }
            }
            const after = new Map([...before, [each, row]]);
            if (matches(view, before, each) && matches(view, after, each)) {
              changes++;
              expect(satisfies(after, condition)).to.equal(satisfies(before, condition));
            }
          }
        },
      ),
      { numRuns: 20_000 },
    );
    expect(changes).to.be.above(2000);
  });

  it('exact references are counted once each', () => {
    const { exact } = projectionOf(
      and([
        equals('a', '1'),
        or([more('a', '0'), equals('b', null)]),
        or([more('c', '1'), ANYTHING]),
        wider(more('d', '1')),
      ]),
      source,
    );
    expect(Object.fromEntries(exact)).to.deep.equal({ a: 2, b: 1 });
  });

  it('references in an omitted condition are not counted', () => {
    const long = or(Array.from({ length: 50 }, (_, i) => more('a', String(i))));
    const view = projectionOf(and([long, more('b', '1')]), source);
    expect(Object.fromEntries(view.exact)).to.deep.equal({ b: 1 });
    expect([...columnsOf(view.expression)]).to.deep.equal(['b']);
  });

  it('a projection has no more columns than a row delta', () => {
    const view = projectionOf(and(Array.from({ length: 20 }, (_, i) => more(`column ${i}`, '1'))), source);
    expect(columnsOf(view.expression).size).to.equal(8);
    expect(view.exact.size).to.equal(8);
  });

  it('a projection has no more conditions and values than a predicate may evaluate for each row delta', () => {
    const conditions = (count: number) => or(Array.from({ length: count }, (_, i) => more('a', String(i))));
    const values = (count: number) => equals('a', ...Array.from({ length: count }, (_, i) => String(i)));
    for (const [part, most] of [
      [conditions, 40],
      [values, 10_000],
    ] as const) {
      const mentions = (...sizes: number[]) => projectionOf(and(sizes.map(part)), source).exact.get('a') ?? 0;
      const alone = mentions(most);
      expect(alone).to.equal(most === 40 ? 40 : 1);
      expect(mentions(most + 1)).to.equal(0);
      expect(mentions(most - 2, 2)).to.equal(mentions(most - 2) + mentions(2));
      expect(mentions(most - 2, 2, 2, 2)).to.equal(mentions(most - 2) + mentions(2));
      expect(mentions(most - 2, 3, 2)).to.equal(mentions(most - 2) + mentions(2));
    }
  });
});

describe('given', () => {
  it('the rest of an expression decides rows with the known values', () => {
    fc.assert(
      fc.property(formula, joinedRow, (condition, joined) => {
        for (const each of SOURCES) {
          const view = projectionOf(condition, each);
          const [column] = joined.get(each)!.keys();
          const known = new Map([[column!, joined.get(each)!.get(column!)!]]);
          const rest = given(view.expression, known);
          expect(columnsOf(rest).has(column!)).to.equal(false);
          expect(matches({ ...view, expression: rest }, joined, each)).to.equal(matches(view, joined, each));
        }
      }),
      { numRuns: 2000 },
    );
  });
});
