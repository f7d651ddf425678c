import { expect } from 'chai';
import fc from 'fast-check';
import { affectedBy, type RowPair } from '../../lib/changes/affected_dependencies.js';
import type { Row } from '../../lib/changes/row_image.js';
import type { Canonical, Comparable } from '../../lib/values/comparable.js';
import { schemeOf, schemeOfKinds } from '../../lib/values/encode.js';
import { pathName } from '../../lib/values/path.js';
import type { RowDelta } from '../../lib/values/row_delta.js';
import type { Scheme } from '../../lib/values/scheme.js';

type Values = Readonly<Record<string, Canonical>>;

const KINDS = new Map<string, Comparable>([
  ['id', 'integer'],
  ['kind', 'text'],
  ['price', 'decimal'],
]);

function row(values: Values, kinds: ReadonlyMap<string, Comparable> = KINDS): Row {
  const all = Object.values(values);
  const positions = new Map(Object.keys(values).map((column, i) => [column, i]));
  return { positions, values: all, kinds, stored: all };
}

/** @param changed left out: any column */
const update = (old: Values, now: Values, ...changed: string[]): RowPair => ({
  old: row(old),
  new: row(now),
  changed: changed.length > 0 ? new Set(changed) : undefined,
});

const affected = (scheme: Scheme, ...pairs: RowPair[]) => {
  const found = affectedBy(pairs, scheme);
  return found && Object.fromEntries(found);
};

describe('the dependencies that changes of rows affect', () => {
  const row1 = { id: '1', kind: 'a', price: '5' };
  const row2 = { ...row1, price: '6' };
  /** `kind = …`, to readers of prices */
  const priced = schemeOf(['kind'], ['id'], ['price']);

  const CASES: Record<string, [Scheme, RowPair[], Record<string, RowDelta[] | undefined>]> = {
    'an insertion': [
      priced,
      [{ old: undefined, new: row(row1), changed: undefined }],
      { a: [[null, ['5'], 2]] },
    ],
    'a deletion': [
      priced,
      [{ old: row(row1), new: undefined, changed: undefined }],
      { a: [[['5'], null, 2]] },
    ],
    'a change of a tested column': [priced, [update(row1, row2, 'price')], { a: [[['5'], ['6'], 0]] }],
    'a change of a column that is read': [
      priced,
      [update(row1, { ...row1, id: '2' }, 'id')],
      { a: [[['5'], ['5'], 1]] },
    ],
    'a change of both': [
      priced,
      [update(row1, { ...row2, id: '2' }, 'id', 'price')],
      { a: [[['5'], ['6'], 1]] },
    ],
    'a change of any column': [priced, [update(row1, row1)], { a: [[['5'], ['5'], 1]] }],
    'a change of no column that matters': [priced, [update(row1, row1, 'title')], {}],
    'a tested column that was set to its own value': [priced, [update(row1, row1, 'price')], {}],
    'a compared column that was set to its own value': [priced, [update(row1, row1, 'kind')], {}],
    'a row that moves': [
      priced,
      [update(row1, { ...row2, kind: 'b' }, 'kind', 'price')],
      { a: [[['5'], null, 1]], b: [[null, ['6'], 1]] },
    ],
    'a row that moves by one of two columns': [
      schemeOf(['id', 'kind'], [], ['price']),
      [update(row1, { ...row1, kind: 'b' }, 'kind')],
      { '1,a': [[['5'], null, 1]], '1,b': [[null, ['5'], 1]] },
    ],
    'a change of one of two tested columns': [
      schemeOf([], [], ['id', 'price']),
      [update(row1, row2, 'price')],
      { '': [[['1', '5'], ['1', '6'], 0]] },
    ],
    'the same change of several rows': [
      priced,
      [update(row1, row2, 'price'), update(row1, row2, 'price'), update(row2, row1, 'price')],
      {
        a: [
          [['5'], ['6'], 0],
          [['6'], ['5'], 0],
        ],
      },
    ],
    'the same change of rows with different values': [
      priced,
      [update(row1, row2, 'price'), update({ ...row1, kind: 'b' }, { ...row2, kind: 'b' }, 'price')],
      { a: [[['5'], ['6'], 0]], b: [[['5'], ['6'], 0]] },
    ],
    'changes of which one is unknown': [
      priced,
      [update(row1, row2, 'price'), update({ kind: 'a' }, row2, 'price'), update(row2, row1, 'price')],
      { a: undefined },
    ],
    'a new row of which a tested value is unknown': [
      priced,
      [{ old: undefined, new: row({ kind: 'a' }), changed: undefined }],
      { a: undefined },
    ],
    'a row whose tested value is unknown, and that was set in such a column': [
      priced,
      [update(row1, { kind: 'a' }, 'price')],
      { a: undefined },
    ],
    'a scheme that tests nothing': [schemeOf(['kind'], ['id']), [update(row1, row2, 'id')], { a: undefined }],
    'a scheme that tests nothing, and a column that it does not read': [
      schemeOf(['kind'], ['id']),
      [update(row1, row2, 'price')],
      {},
    ],
    'a scheme that tests nothing, and a compared column that was set to its own value': [
      schemeOf(['kind'], ['id']),
      [update(row1, row1, 'kind')],
      {},
    ],
    'a scheme that reads all columns': [schemeOf(['kind']), [update(row1, row2, 'price')], { a: undefined }],
  };
  for (const [what, [scheme, pairs, expected]] of Object.entries(CASES)) {
    it(what, () => expect(affected(scheme, ...pairs)).to.deep.equal(expected));
  }

  it('a path may change with the column that contains it', () => {
    const size = pathName({ column: 'meta', keys: ['size'] });
    const [s, m] = [{ [size]: 's' }, { [size]: 'm' }];
    expect(affected(schemeOf([size], []), update(s, m, 'meta'))).to.deep.equal({
      s: undefined,
      m: undefined,
    });
    expect(affected(schemeOf([], [], [size]), update(s, m, 'meta'))).to.deep.equal({
      '': [[['s'], ['m'], 0]],
    });
    expect(affected(schemeOf([], [], [size]), update(s, m, 'other'))).to.deep.equal({});
  });

  it('all may be affected if a compared value is not known, before or after', () => {
    for (const pair of [update({ price: '5' }, row1), update(row1, { price: '5' })]) {
      expect(affected(priced, pair)).to.equal(undefined);
    }
  });

  describe('if readers compare columns by kinds', () => {
    const scheme = schemeOfKinds(priced, column => KINDS.get(column));
    const changed = new Set(['price']);

    it('the kinds are part of the scheme', () => {
      expect(scheme).to.include({ columns: priced.columns, tests: priced.tests, reads: priced.reads });
      expect(scheme.kinds).to.deep.equal(['text', 'decimal']);
      const other = schemeOfKinds(priced, column => (column === 'price' ? 'integer' : KINDS.get(column)));
      const unknown = schemeOfKinds(priced, () => undefined);
      expect(unknown.kinds).to.deep.equal(['', '']);
      expect(new Set([priced, scheme, other, unknown].map(({ id }) => id)).size).to.equal(4);
      expect(schemeOfKinds(priced, column => KINDS.get(column))).to.equal(scheme);
      const untested = schemeOf(['kind'], ['id']);
      expect(schemeOfKinds(untested, column => KINDS.get(column)).kinds).to.deep.equal(['text']);
      const whole = schemeOf([]);
      expect(schemeOfKinds(whole, column => KINDS.get(column))).to.equal(whole);
    });

    it('values of these kinds are known', () => {
      const pair = { old: row(row1), new: row(row2), changed };
      expect(affected(scheme, pair)).to.deep.equal({ a: [[['5'], ['6'], 0]] });
    });

    it('tested values of other kinds are unknown, in the old row and in the new one', () => {
      const integers = new Map([...KINDS, ['price', 'integer'] as const]);
      for (const [old, now] of [
        [integers, integers],
        [KINDS, integers],
        [integers, KINDS],
      ]) {
        const pair = { old: row(row1, old), new: row(row2, now), changed };
        expect(affected(scheme, pair)).to.deep.equal({ a: undefined });
        const moved = { old: row(row1, old), new: row({ ...row2, kind: 'b' }, now), changed: undefined };
        expect(affected(scheme, moved)).to.deep.equal({
          a: old === KINDS ? [[['5'], null, 1]] : undefined,
          b: now === KINDS ? [[null, ['6'], 1]] : undefined,
        });
      }
    });

    it('compared values of another kind are unknown, and all may be affected', () => {
      const padded = new Map([...KINDS, ['kind', 'padded'] as const]);
      for (const [old, now] of [
        [padded, KINDS],
        [KINDS, padded],
      ]) {
        expect(affected(scheme, { old: row(row1, old), new: row(row2, now), changed })).to.equal(undefined);
      }
    });
  });

  it('a change that affects nothing leaves all compared, tested and read columns as they are', () => {
    const value = fc.constantFrom('1', '2', null);
    const values = fc.record({ id: value, kind: value, price: value, title: value });
    const some = fc.subarray(['id', 'kind', 'price', 'title']);
    fc.assert(
      fc.property(
        values,
        values,
        some,
        fc.option(some, { nil: undefined }),
        some,
        (old, now, by, reads, tests) => {
          const columns = ['id', 'kind', 'price', 'title'] as const;
          const differs = columns.filter(column => old[column] !== now[column]);
          const pair = { old: row(old), new: row(now), changed: new Set<string>(differs) };
          const found = affectedBy([pair], schemeOf(by, reads, tests))!;
          const relevant = [...by, ...tests, ...(reads ?? columns)];
          const isAffected = differs.some(column => relevant.includes(column)) || !reads;
          expect(found.size > 0).to.equal(isAffected);
        },
      ),
    );
  });
});
