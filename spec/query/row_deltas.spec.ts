import { expect } from 'chai';
import fc from 'fast-check';
import { dependenciesOf, type Occurrence } from '../../lib/query/dependencies.js';
import { ANYTHING, and, type Formula, type Source } from '../../lib/query/formula.js';
import { keySetBound } from '../../lib/query/key_set_bound.js';
import { pageBound } from '../../lib/query/page_bound.js';
import type { OrderTerm, ResultBound } from '../../lib/query/result_bound.js';
import { deltasMatter } from '../../lib/query/row_deltas.js';
import type { WatchedDependency } from '../../lib/query/watch.js';
import type { Canonical } from '../../lib/values/comparable.js';
import type { RowDelta } from '../../lib/values/row_delta.js';

const article: Source = { table: 'article' };

function more(column: string, value: string): Formula {
  return { type: 'test', source: article, column, test: { type: '>', kind: 'integer', value } };
}

/** The only dependency of a query with this condition on articles. */
function dependency(formula: Formula, occurrence: Partial<Occurrence> = {}): WatchedDependency {
  const occurrences = [{ table: 'article', source: article, reads: ['title'], ...occurrence }];
  const [table] = dependenciesOf(formula, occurrences, { limit: 8, granularity: 'full' });
  expect(table!.dependencies).to.have.length(1);
  return table!.dependencies[0]!;
}

function matters(on: WatchedDependency, delta: RowDelta, bound: ResultBound | null = null): boolean {
  // as they are stored
  const [stored, kept] = JSON.parse(JSON.stringify([delta, bound]));
  return deltasMatter(on, [stored], [kept]);
}

describe('a row delta', () => {
  const cheap = dependency(more('price', '10'));

  const DELTAS: Record<string, [RowDelta, boolean]> = {
    'an update after which the row satisfies the condition': [[['5'], ['11'], 0], true],
    'an update after which the row fails the condition': [[['11'], ['5'], 0], true],
    'an update of a row that satisfies the condition before and after, in columns that are not read,': [
      [['11'], ['12'], 0],
      false,
    ],
    'an update of a row that satisfies the condition, in a column that is read,': [[['11'], ['12'], 1], true],
    'an update of a row that fails the condition, in a column that is read,': [[['5'], ['6'], 1], false],
    'an update from NULL to a value that fails the condition': [[[null], ['6'], 1], false],
    'an insertion of a row that satisfies the condition': [[null, ['11'], 1], true],
    'an insertion of a row that fails the condition': [[null, ['5'], 1], false],
    'a deletion of a row that satisfies the condition': [[['11'], null, 1], true],
    'a deletion of a row that fails the condition': [[['5'], null, 1], false],
    'a delta with the columns of another scheme': [[['5', '6'], ['5', '6'], 0], true],
    'a deletion with the columns of another scheme': [[['5', '6'], null, 2], true],
    'an insertion with the columns of another scheme': [[null, ['5', '6'], 2], true],
    'a delta without a row': [[null, null, 2], false],
  };

  for (const [what, [delta, expected]] of Object.entries(DELTAS)) {
    it(`${what} ${expected ? 'matters' : 'does not matter'}`, () => {
      expect(matters(cheap, delta)).to.equal(expected);
    });
  }

  it('a delta matters if one of several watches accepts it', () => {
    const [harmless, harmful]: RowDelta[] = [
      [['1'], ['2'], 1],
      [['1'], ['11'], 0],
    ] as never;
    expect(deltasMatter(cheap, [harmless!, harmless!], [])).to.equal(false);
    expect(deltasMatter(cheap, [harmless!, harmful!, harmless!], [])).to.equal(true);
  });

  it('every delta matters to a dependency that tests nothing', () => {
    const plain = dependency(ANYTHING);
    expect(plain.watches).to.equal(undefined);
    expect(deltasMatter(plain, [], [])).to.equal(true);
  });

  it('an insertion or deletion does not matter if an enforced foreign key refers to the row', () => {
    const referred = dependency(more('price', '10'), { referenced: true });
    expect(matters(referred, [null, ['11'], 2])).to.equal(false);
    expect(matters(referred, [['11'], null, 2])).to.equal(false);
    expect(
      deltasMatter(
        referred,
        [
          [['11'], null, 2],
          [null, ['11'], 2],
        ],
        [],
      ),
    ).to.equal(false);
    expect(matters(referred, [['10'], ['11'], 0])).to.equal(true);
    // a row that moves from one kind to another is not a new one
    const fixed: Formula = { type: 'equals', source: article, column: 'kind', values: ['1'] };
    const ofKind = dependency(and([more('price', '10'), fixed]), { referenced: true });
    expect(matters(ofKind, [null, ['11'], 1])).to.equal(true);
    expect(matters(ofKind, [null, ['11'], 2])).to.equal(false);
  });

  describe('a new row with a key that others refer to', () => {
    const comment: Source = { table: 'comment' };

    /** The dependency on articles of a query for comments with a condition on the article's price. */
    function ofReferred(key: readonly string[]): WatchedDependency {
      const on = key.map((column): [string, string] => [`article_${column}`, column]);
      const occurrences: Occurrence[] = [
        { table: 'comment', source: comment, reads: [], joinedRows: [{ occurrence: 1, on, isMany: false }] },
        { table: 'article', source: article, reads: [], referenced: true, bounded: key },
      ];
      const tables = dependenciesOf(more('price', '10'), occurrences, { limit: 8, granularity: 'full' });
      const { dependencies } = tables.find(({ table }) => table === 'article')!;
      expect(dependencies).to.have.length(1);
      return dependencies[0]!;
    }

    // id, price
    const INSERTED: RowDelta = [null, ['7', '11'], 2];
    const TOGETHER: Record<string, [readonly RowDelta[], boolean]> = {
      'an insertion does not matter by itself': [[INSERTED], false],
      'an insertion matters if an earlier delta deleted its key': [[[['7', '5'], null, 2], INSERTED], true],
      'an insertion matters if a later delta deletes its key': [[INSERTED, [['7', '5'], null, 2]], true],
      'an insertion matters if an update removed its key from another row': [
        [[['7', '5'], ['8', '5'], 1], INSERTED],
        true,
      ],
      'an insertion does not matter if another key is deleted': [[[['8', '5'], null, 2], INSERTED], false],
      'an insertion does not matter if another row is inserted': [[[null, ['7', '5'], 2], INSERTED], false],
      'an insertion of a deleted key does not matter if the row fails the condition': [
        [
          [['7', '5'], null, 2],
          [null, ['7', '6'], 2],
        ],
        false,
      ],
      'an update to a key that was deleted does not matter if the row satisfies the condition throughout': [
        [
          [['7', '5'], null, 2],
          [['7', '11'], ['7', '12'], 0],
        ],
        false,
      ],
      'a delta without a row does not matter': [
        [
          [['7', '5'], null, 2],
          [null, null, 2],
        ],
        false,
      ],
    };
    for (const [what, [deltas, expected]] of Object.entries(TOGETHER)) {
      it(what, () => {
        expect(deltasMatter(ofReferred(['id']), deltas, [])).to.equal(expected);
      });
    }

    it('an update that keeps the key and the predicate does not re-insert the row', () => {
      expect(deltasMatter(ofReferred(['id']), [[['7', '11'], ['7', '12'], 0]], [])).to.equal(false);
    });

    it('a deletion of a joined row that satisfies the predicate matters, because its key may be inserted again', () => {
      expect(deltasMatter(ofReferred(['id']), [[['7', '11'], null, 2]], [])).to.equal(true);
      expect(deltasMatter(ofReferred(['id']), [[['7', '5'], null, 2]], [])).to.equal(false);
    });

    it('an insertion matters if an earlier delta deleted its whole key', () => {
      // id, lang, price
      const inserted: RowDelta = [null, ['7', 'de', '11'], 2];
      const deletes = (id: string, lang: string): RowDelta => [[id, lang, '5'], null, 2];
      const two = ofReferred(['id', 'lang']);
      expect(deltasMatter(two, [deletes('7', 'de'), inserted], [])).to.equal(true);
      expect(deltasMatter(two, [deletes('7', 'en'), deletes('8', 'de'), inserted], [])).to.equal(false);
    });
  });

  it('a delta matters if it matters to any occurrence of the table', () => {
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

describe('a page bound', () => {
  const price = (terms: Partial<OrderTerm> = {}): OrderTerm => ({
    column: 'price',
    kind: 'decimal',
    desc: false,
    nullsFirst: false,
    ...terms,
  });
  const id: OrderTerm = { column: 'id', kind: 'integer', desc: false, nullsFirst: false };
  const weight = price({ column: 'weight' });
  const rows = dependency(ANYTHING, { bounded: ['price', 'id'] });

  /** Does the insertion of a row with this price and id matter to a page that ends with that one? */
  function isIn(
    order: readonly OrderTerm[],
    last: readonly unknown[],
    row: readonly [id: Canonical, price: Canonical],
  ): boolean {
    return matters(rows, [null, row, 1], pageBound(order, last));
  }

  it('a row that sorts after the last row does not matter, but a tie does', () => {
    expect(isIn([price()], ['1.50'], ['9', '1.5'])).to.equal(true);
    expect(isIn([price()], ['1.50'], ['9', '1.51'])).to.equal(false);
    expect(isIn([price()], ['1.50'], ['9', '1.49'])).to.equal(true);
    expect(isIn([price({ desc: true })], ['1.50'], ['9', '1.49'])).to.equal(false);
    expect(isIn([price({ desc: true })], ['1.50'], ['9', '1.51'])).to.equal(true);
  });

  it('a tie in the first term is decided by the next one', () => {
    expect(isIn([price(), id], ['1.5', 7], ['7', '1.5'])).to.equal(true);
    expect(isIn([price(), id], ['1.5', 7], ['8', '1.5'])).to.equal(false);
    expect(isIn([price(), id], ['1.5', 7], ['8', '1'])).to.equal(true);
  });

  it('NULL is sorted as in the order', () => {
    expect(isIn([price()], ['1.5'], ['1', null])).to.equal(false);
    expect(isIn([price({ nullsFirst: true })], ['1.5'], ['1', null])).to.equal(true);
    expect(isIn([price()], [null], ['1', '1000'])).to.equal(true);
    expect(isIn([price({ nullsFirst: true })], [null], ['1', '-1000'])).to.equal(false);
    expect(isIn([price(), id], [null, 3], ['4', null])).to.equal(false);
    expect(isIn([price(), id], [null, 3], ['2', null])).to.equal(true);
    expect(isIn([price({ nullsFirst: true }), id], [null, 3], ['4', null])).to.equal(false);
  });

  it('a row within the milliseconds of the last row matters', () => {
    const at: OrderTerm = { column: 'price', kind: 'instant', desc: false, nullsFirst: false };
    const last = new Date('2024-01-01T00:00:00.123Z');
    const around = (microseconds: number) => String(last.getTime() * 1000 + microseconds);
    for (const microseconds of [-1000, -999, 0, 1, 999, 1000]) {
      expect(isIn([at, id], [last, 7], ['8', around(microseconds)]), `${microseconds}`).to.equal(true);
    }
    expect(isIn([at, id], [last, 7], ['1', around(1001)])).to.equal(false);
    expect(isIn([{ ...at, desc: true }, id], [last, 7], ['1', around(-1001)])).to.equal(false);
  });

  it('a bound ends before a term with a value that is not understood', () => {
    expect(pageBound([price(), id], ['1.5', {}])).to.deep.equal({
      type: 'window',
      order: [price()],
      bound: [['1.5', '1.5']],
    });
    for (const last of [[1.5, 7], [undefined, 7], [], ['abc']]) {
      expect(pageBound([price(), id], last), String(last)).to.equal(null);
    }
  });

  it('a page bound with an untested column is ignored', () => {
    for (const order of [[weight], [price(), weight], [weight, price()]]) {
      const bound = pageBound(
        order,
        order.map(() => '1'),
      )!;
      expect(matters(rows, [null, ['9', '2'], 2], bound)).to.equal(true);
    }
  });
});

describe('a key set bound', () => {
  const id = [{ name: 'id', kind: 'integer' as const }];
  const author = dependency(ANYTHING, { bounded: ['id'] });
  const ANN = keySetBound(id, [[7], ['8'], [9n], [null], [7]], false)!;

  it('only changes of rows in the key set matter', () => {
    expect(ANN).to.deep.equal({ type: 'keys', columns: ['id'], keys: ['7', '8', '9'], filters: false });
    expect(matters(author, [['7'], ['7'], 1], ANN)).to.equal(true);
    expect(matters(author, [['7'], ['7'], 0], ANN)).to.equal(false);
    expect(matters(author, [['1'], ['1'], 1], ANN)).to.equal(false);
    expect(matters(author, [null, ['8'], 1], ANN)).to.equal(true);
  });

  it('a row outside the key set matters if it starts to satisfy the conditions on joined rows', () => {
    const asked = dependency(more('age', '17'), { bounded: ['id'] });
    const filtering = keySetBound(id, [[7]], true)!;
    // age, id
    expect(matters(asked, [['17', '1'], ['18', '1'], 0], filtering)).to.equal(true);
    expect(matters(asked, [['18', '1'], ['19', '1'], 1], filtering)).to.equal(false);
    expect(matters(asked, [['18', '7'], ['19', '7'], 1], filtering)).to.equal(true);
    expect(matters(asked, [['17', '1'], ['18', '1'], 0], { ...filtering, filters: false })).to.equal(false);
  });

  it('a row outside the key set matters if it satisfies the conditions and its key changes', () => {
    const asked = dependency(more('age', '17'), { bounded: ['id'] });
    const filtering = keySetBound(id, [[7]], true)!;
    // age, id
    expect(matters(asked, [['18', '1'], ['18', '2'], 0], filtering)).to.equal(true);
    expect(matters(asked, [['18', '1'], ['18', '7'], 0], filtering)).to.equal(true);
    expect(matters(asked, [['17', '1'], ['17', '2'], 0], filtering)).to.equal(false);
    expect(matters(asked, [['18', '1'], ['18', '2'], 0], { ...filtering, filters: false })).to.equal(false);
  });

  it('a row outside the key set matters if one of the filter columns changes', () => {
    const asked = dependency(more('age', '17'), { bounded: ['id', 'city'] });
    const filtering = keySetBound(id, [[7]], true, ['city'])!;
    // age, city, id
    expect(matters(asked, [['18', 'a', '1'], ['18', 'b', '1'], 0], filtering)).to.equal(true);
    expect(matters(asked, [['18', 'a', '1'], ['19', 'a', '1'], 0], filtering)).to.equal(false);
  });

  it('a key set bound with an untested column is ignored', () => {
    const lang = { name: 'lang', kind: 'text' as const };
    const byLang = pageBound([{ column: 'lang', kind: 'text', desc: false, nullsFirst: false }], ['a'])!;
    const untested: Record<string, ResultBound> = {
      key: keySetBound([lang], [['a']], false)!,
      'one of two keys': keySetBound([...id, lang], [[7, 'a']], false)!,
      'filter column': keySetBound(id, [[7]], true, ['lang'])!,
      'column of its page': { ...keySetBound(id, [[7]], false)!, window: byLang },
    };
    for (const [what, bound] of Object.entries(untested)) {
      expect(matters(author, [['1'], ['1'], 1], bound), what).to.equal(true);
    }
  });

  it('there is no key set bound if a key is not understood, or if there are too many keys', () => {
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

  it('keys are compared in all their columns', () => {
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
