import { expect } from 'chai';
import fc from 'fast-check';
import { dependenciesOf, type Occurrence } from '../../lib/query/dependencies.js';
import { ANYTHING, and, type Formula, type Source } from '../../lib/query/formula.js';
import { keySetBound } from '../../lib/query/key_set_bound.js';
import type { OrderTerm, ResultBound } from '../../lib/query/result_bound.js';
import { deltasMatter } from '../../lib/query/row_deltas.js';
import type { WatchedDependency } from '../../lib/query/watch.js';
import { pageBound } from '../../lib/query/window.js';
import type { Canonical } from '../../lib/values/comparable.js';
import type { RowDelta } from '../../lib/values/row_delta.js';

const article: Source = { table: 'article' };

function more(column: string, value: string): Formula {
  return { type: 'test', source: article, column, test: { type: '>', kind: 'integer', value } };
}

/** The only dependency of a query that asks this of articles. */
function dependency(formula: Formula, occurrence: Partial<Occurrence> = {}): WatchedDependency {
  const occurrences = [{ table: 'article', source: article, reads: ['title'], ...occurrence }];
  const [table] = dependenciesOf(formula, occurrences, { limit: 8, granularity: 'full' });
  expect(table!.dependencies).to.have.length(1);
  return table!.dependencies[0]!;
}

function matters(on: WatchedDependency, step: RowDelta, bound: ResultBound | null = null): boolean {
  // as they are stored
  const [stored, kept] = JSON.parse(JSON.stringify([step, bound]));
  return deltasMatter(on, [stored], [kept]);
}

describe('a step', () => {
  const cheap = dependency(more('price', '10'));

  const STEPS: Record<string, [RowDelta, boolean]> = {
    'of a row that comes to match': [[['5'], ['11'], 0], true],
    'of a row that matches no longer': [[['11'], ['5'], 0], true],
    'of a row that matches before and after it': [[['11'], ['12'], 0], false],
    'of a row that matches, in what is read': [[['11'], ['12'], 1], true],
    'of a row that does not match, in what is read': [[['5'], ['6'], 1], false],
    'of NULL, in what is read': [[[null], ['6'], 1], false],
    'of a new row that matches': [[null, ['11'], 1], true],
    'of a new row that does not match': [[null, ['5'], 1], false],
    'of a row that matched and is gone': [[['11'], null, 1], true],
    'of a row that did not match and is gone': [[['5'], null, 1], false],
    'of other columns': [[['5', '6'], ['5', '6'], 0], true],
  };

  for (const [what, [step, expected]] of Object.entries(STEPS)) {
    it(`${what} ${expected ? 'matters' : 'does not matter'}`, () => {
      expect(matters(cheap, step)).to.equal(expected);
    });
  }

  it('matters if there is one among several that does', () => {
    const [harmless, harmful]: RowDelta[] = [
      [['1'], ['2'], 1],
      [['1'], ['11'], 0],
    ] as never;
    expect(deltasMatter(cheap, [harmless!, harmless!], [])).to.equal(false);
    expect(deltasMatter(cheap, [harmless!, harmful!, harmless!], [])).to.equal(true);
  });

  it('matters to a dependency that tests nothing', () => {
    const plain = dependency(ANYTHING);
    expect(plain.watches).to.equal(undefined);
    expect(deltasMatter(plain, [], [])).to.equal(true);
  });

  it('that inserts or deletes what an enforced foreign key refers to does not matter by itself', () => {
    const referred = dependency(more('price', '10'), { referenced: true });
    expect(matters(referred, [null, ['11'], 1])).to.equal(false);
    expect(matters(referred, [['11'], null, 1])).to.equal(false);
    expect(matters(referred, [['10'], ['11'], 0])).to.equal(true);
    // a row that moves from one kind to another looks just like a new one
    const fixed: Formula = { type: 'equals', source: article, column: 'kind', values: ['1'] };
    const ofKind = dependency(and([more('price', '10'), fixed]), { referenced: true });
    expect(matters(ofKind, [null, ['11'], 1])).to.equal(true);
  });

  describe('a new row that others refer to by its key', () => {
    const comment: Source = { table: 'comment' };

    /** The dependency on articles of a query for comments that asks for a price of their article. */
    function ofReferred(key: readonly string[]): WatchedDependency {
      const on = key.map((column): [string, string] => [`article_${column}`, column]);
      const occurrences: Occurrence[] = [
        { table: 'comment', source: comment, reads: [], joinedRows: [{ occurrence: 1, on }] },
        { table: 'article', source: article, reads: [], referenced: true, bounded: key },
      ];
      const tables = dependenciesOf(more('price', '10'), occurrences, { limit: 8, granularity: 'full' });
      const { dependencies } = tables.find(({ table }) => table === 'article')!;
      expect(dependencies).to.have.length(1);
      return dependencies[0]!;
    }

    // id, price
    const INSERTED: RowDelta = [null, ['7', '11'], 1];
    const TOGETHER: Record<string, [readonly RowDelta[], boolean]> = {
      'does not matter by itself': [[INSERTED], false],
      'matters where a row with its key is deleted': [[[['7', '5'], null, 1], INSERTED], true],
      'matters where a row with its key is deleted, whichever is told first': [
        [INSERTED, [['7', '5'], null, 1]],
        true,
      ],
      'matters where a row with its key gets another key': [[[['7', '5'], ['8', '5'], 1], INSERTED], true],
      'does not matter where a row with another key is deleted': [[[['8', '5'], null, 1], INSERTED], false],
      'does not matter where another one is inserted': [[[null, ['7', '5'], 1], INSERTED], false],
      'does not matter where it does not satisfy what is asked of it': [
        [
          [['7', '5'], null, 1],
          [null, ['7', '6'], 1],
        ],
        false,
      ],
    };
    for (const [what, [steps, expected]] of Object.entries(TOGETHER)) {
      it(what, () => {
        expect(deltasMatter(ofReferred(['id']), steps, [])).to.equal(expected);
      });
    }

    it('is told from a row that satisfies before and after, and keeps its key', () => {
      expect(deltasMatter(ofReferred(['id']), [[['7', '11'], ['7', '12'], 0]], [])).to.equal(false);
    });

    it('may come later: that a row which satisfies is deleted matters', () => {
      expect(deltasMatter(ofReferred(['id']), [[['7', '11'], null, 1]], [])).to.equal(true);
      expect(deltasMatter(ofReferred(['id']), [[['7', '5'], null, 1]], [])).to.equal(false);
    });

    it('matters where a row with its whole key is deleted', () => {
      // id, lang, price
      const inserted: RowDelta = [null, ['7', 'de', '11'], 1];
      const deletes = (id: string, lang: string): RowDelta => [[id, lang, '5'], null, 1];
      const two = ofReferred(['id', 'lang']);
      expect(deltasMatter(two, [deletes('7', 'de'), inserted], [])).to.equal(true);
      expect(deltasMatter(two, [deletes('7', 'en'), deletes('8', 'de'), inserted], [])).to.equal(false);
    });
  });

  it('is judged for every occurrence of the table', () => {
    const other: Source = { table: 'article' };
    const formula = and([
      more('price', '10'),
      { type: 'test', source: other, column: 'price', test: { type: '<', kind: 'integer', value: '3' } },
    ]);
    const occurrences = [article, other].map(source => ({ table: 'article', source, reads: [] }));
    const [{ dependencies }] = dependenciesOf(formula, occurrences, {
      limit: 8,
      granularity: 'full',
    }) as never as [{ dependencies: WatchedDependency[] }];
    expect(dependencies).to.have.length(1);
    expect(deltasMatter(dependencies[0]!, [[['5'], ['11'], 0]], [])).to.equal(true);
    expect(deltasMatter(dependencies[0]!, [[['5'], ['2'], 0]], [])).to.equal(true);
    expect(deltasMatter(dependencies[0]!, [[['5'], ['6'], 1]], [])).to.equal(false);
  });
});

describe('a window', () => {
  const price = (terms: Partial<OrderTerm> = {}): OrderTerm => ({
    column: 'price',
    kind: 'decimal',
    desc: false,
    nullsFirst: false,
    ...terms,
  });
  const id: OrderTerm = { column: 'id', kind: 'integer', desc: false, nullsFirst: false };
  const rows = dependency(ANYTHING, { bounded: ['price', 'id'] });

  /** Does a row with this price and id matter, as a new one, to a window that ends with that one? */
  function isIn(
    order: readonly OrderTerm[],
    last: readonly unknown[],
    row: readonly [id: Canonical, price: Canonical],
  ): boolean {
    return matters(rows, [null, row, 1], pageBound(order, last));
  }

  it('ends behind its last row, and what is equal to it', () => {
    expect(isIn([price()], ['1.50'], ['9', '1.5'])).to.equal(true);
    expect(isIn([price()], ['1.50'], ['9', '1.51'])).to.equal(false);
    expect(isIn([price()], ['1.50'], ['9', '1.49'])).to.equal(true);
    expect(isIn([price({ desc: true })], ['1.50'], ['9', '1.49'])).to.equal(false);
    expect(isIn([price({ desc: true })], ['1.50'], ['9', '1.51'])).to.equal(true);
  });

  it('goes on with the next term where the first is equal', () => {
    expect(isIn([price(), id], ['1.5', 7], ['7', '1.5'])).to.equal(true);
    expect(isIn([price(), id], ['1.5', 7], ['8', '1.5'])).to.equal(false);
    expect(isIn([price(), id], ['1.5', 7], ['8', '1'])).to.equal(true);
  });

  it('has NULL where the order has it', () => {
    expect(isIn([price()], ['1.5'], ['1', null])).to.equal(false);
    expect(isIn([price({ nullsFirst: true })], ['1.5'], ['1', null])).to.equal(true);
    expect(isIn([price()], [null], ['1', '1000'])).to.equal(true);
    expect(isIn([price({ nullsFirst: true })], [null], ['1', '-1000'])).to.equal(false);
    expect(isIn([price(), id], [null, 3], ['4', null])).to.equal(false);
  });

  it('is as wide as the milliseconds in which its last row is known', () => {
    const at: OrderTerm = { column: 'price', kind: 'instant', desc: false, nullsFirst: false };
    const last = new Date('2024-01-01T00:00:00.123Z');
    const around = (microseconds: number) => String(last.getTime() * 1000 + microseconds);
    for (const microseconds of [-1000, -999, 0, 1, 999, 1000]) {
      expect(isIn([at, id], [last, 7], ['8', around(microseconds)]), `${microseconds}`).to.equal(true);
    }
    expect(isIn([at, id], [last, 7], ['1', around(1001)])).to.equal(false);
    expect(isIn([{ ...at, desc: true }, id], [last, 7], ['1', around(-1001)])).to.equal(false);
  });

  it('ends before a term whose value is not understood', () => {
    expect(pageBound([price(), id], ['1.5', {}])).to.deep.equal({
      type: 'window',
      order: [price()],
      bound: [['1.5', '1.5']],
    });
    for (const last of [[1.5, 7], [undefined, 7], [], ['abc']]) {
      expect(pageBound([price(), id], last), String(last)).to.equal(null);
    }
  });

  it('says nothing where its columns are not tested', () => {
    const bound = pageBound([{ ...price(), column: 'weight' }], ['1'])!;
    expect(matters(rows, [null, ['9', '2'], 1], bound)).to.equal(true);
  });
});

describe('the rows contained', () => {
  const id = [{ name: 'id', kind: 'integer' as const }];
  const author = dependency(ANYTHING, { bounded: ['id'] });
  const ANN = keySetBound(id, [[7], ['8'], [9n], [null], [7]], false)!;

  it('matter, and no others', () => {
    expect(ANN.keys).to.deep.equal(['7', '8', '9']);
    expect(matters(author, [['7'], ['7'], 1], ANN)).to.equal(true);
    expect(matters(author, [['7'], ['7'], 0], ANN)).to.equal(false);
    expect(matters(author, [['1'], ['1'], 1], ANN)).to.equal(false);
    expect(matters(author, [null, ['8'], 1], ANN)).to.equal(true);
  });

  it('are joined by those that come to satisfy what is asked of them', () => {
    const asked = dependency(more('age', '17'), { bounded: ['id'] });
    const filtering = keySetBound(id, [[7]], true)!;
    // age, id
    expect(matters(asked, [['17', '1'], ['18', '1'], 0], filtering)).to.equal(true);
    expect(matters(asked, [['18', '1'], ['19', '1'], 1], filtering)).to.equal(false);
    expect(matters(asked, [['18', '7'], ['19', '7'], 1], filtering)).to.equal(true);
    expect(matters(asked, [['17', '1'], ['18', '1'], 0], { ...filtering, filters: false })).to.equal(false);
  });

  it('are joined by those that satisfy what is asked of them, and get another key', () => {
    const asked = dependency(more('age', '17'), { bounded: ['id'] });
    const filtering = keySetBound(id, [[7]], true)!;
    // age, id
    expect(matters(asked, [['18', '1'], ['18', '2'], 0], filtering)).to.equal(true);
    expect(matters(asked, [['18', '1'], ['18', '7'], 0], filtering)).to.equal(true);
    expect(matters(asked, [['17', '1'], ['17', '2'], 0], filtering)).to.equal(false);
    expect(matters(asked, [['18', '1'], ['18', '2'], 0], { ...filtering, filters: false })).to.equal(false);
  });

  it('are joined by those of which a column changes that decides', () => {
    const asked = dependency(more('age', '17'), { bounded: ['id', 'city'] });
    const filtering = keySetBound(id, [[7]], true, ['city'])!;
    // age, city, id
    expect(matters(asked, [['18', 'a', '1'], ['18', 'b', '1'], 0], filtering)).to.equal(true);
    expect(matters(asked, [['18', 'a', '1'], ['19', 'a', '1'], 0], filtering)).to.equal(false);
  });

  it('are not known where a key is not understood, or where they are too many', () => {
    expect(keySetBound(id, [[7], [undefined]], false)).to.equal(null);
    expect(keySetBound([{ name: 'at', kind: 'instant' }], [[new Date()]], false)).to.equal(null);
    expect(
      keySetBound(
        id,
        Array.from({ length: 3000 }, (_, i) => [i]),
        false,
      ),
    ).to.equal(null);
  });

  it('are told apart by all columns of their keys', () => {
    const two = [...id, { name: 'lang', kind: 'text' as const }];
    fc.assert(
      fc.property(fc.tuple(fc.nat(20), fc.string()), fc.tuple(fc.nat(20), fc.string()), (a, b) => {
        const bound = keySetBound(two, [a], false)!;
        const on = dependency(ANYTHING, { bounded: ['id', 'lang'] });
        const isSame = a[0] === b[0] && a[1] === b[1];
        expect(matters(on, [null, [String(b[0]), b[1]], 1], bound)).to.equal(isSame);
      }),
    );
  });
});
