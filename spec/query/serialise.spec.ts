import { expect } from 'chai';
import fc from 'fast-check';
import { serialise, shapeOf } from '../../lib/query/serialise.js';

/** The parts of queries, and values that look like them. */
const scalar = fc.oneof(
  fc.constantFrom<unknown>(
    null,
    undefined,
    true,
    false,
    0,
    -0,
    1,
    1n,
    '1',
    't',
    'n',
    'u',
    'i1',
    '',
    '[',
    '"',
    ',',
  ),
  fc.constantFrom<unknown>(
    Number.NaN,
    Infinity,
    -Infinity,
    'NaN',
    '\ud800',
    '\ufffd',
    new Date(0),
    new Date(1),
  ),
  fc.constantFrom<unknown>(
    new Date(Number.NaN),
    Buffer.from('a'),
    Buffer.from('b'),
    new Date(0).toISOString(),
  ),
  fc.double(),
  fc.string(),
);
const query = fc.letrec<{ query: unknown }>(tie => ({
  query: fc.oneof(
    { maxDepth: 3 },
    { arbitrary: scalar, weight: 2 },
    fc.array(tie('query'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', '$in', 'a~~~b', '__proto__', '"', 'a":n,"b'), tie('query'), {
      maxKeys: 3,
    }),
  ),
})).query;

describe('serialise', () => {
  it('equal queries have the same text', () => {
    fc.assert(
      fc.property(fc.clone(query, 2), ([a, b]) => {
        expect(serialise(a)).to.be.a('string').and.to.equal(serialise(b));
      }),
    );
  });

  it('different queries have different texts', () => {
    fc.assert(
      fc.property(query, query, (a, b) => {
        fc.pre(!isSame(a, b));
        expect(serialise(a)).not.to.equal(serialise(b));
      }),
      { numRuns: 3000 },
    );
  });

  it('different scalars have different texts', () => {
    const scalars = fc.sample(scalar, 150);
    for (const a of scalars) {
      for (const b of scalars) {
        expect(serialise(a) === serialise(b), `${String(a)} and ${String(b)}`).to.equal(isSame(a, b));
      }
    }
  });

  it('values that look alike have different texts', () => {
    const alike: unknown[][] = [
      [[1, 2], [12], [[1], 2], [[1, 2]], '[1,2,]', { 0: 1, 1: 2 }],
      [{ a: null, b: 1 }, { 'a:n,b': 1 }, { 'a":n,"b': 1 }, { a: { b: 1 } }, [{ a: null }, { b: 1 }]],
      [{}, [], '', '{}', '[]', null, [[]], [{}], [undefined], { a: undefined }],
      [new Date(5), 'd5', 5, [new Date(5)]],
      [Buffer.from('a'), 'bYQ==', Buffer.from(''), 'b'],
    ];
    for (const group of alike) {
      const texts = group.map(serialise);
      expect(new Set(texts).size, texts.join('  ')).to.equal(group.length);
    }
  });

  it('a query with a value that has no text is not serialised', () => {
    class Money {
      amount = 1;
    }
    const untold = [
      () => 1,
      Symbol('a'),
      new Money(),
      new Map(),
      new Set([1]),
      /a/,
      new Error('a'),
      Object('a'),
    ];
    const marked = Object.defineProperty({ a: 1 }, '__strict', { value: true });
    for (const value of [...untold, marked, { [Symbol('raw')]: 1 }]) {
      for (const around of [value, [value], { a: { b: [value] } }]) {
        expect(serialise(around)).to.equal(undefined);
      }
    }
  });

  it('a cyclic query is not serialised', () => {
    const cycle: Record<string, unknown> = { name: 'a' };
    cycle.self = [cycle, { cycle }];
    expect(serialise(cycle)).to.equal(undefined);
  });

  it('a typed array is serialised without the rest of its buffer', () => {
    const bytes = new Uint8Array([1, 2, 3, 4]).buffer;
    expect(serialise(new Uint8Array(bytes, 1, 2))).to.equal(serialise(Buffer.from([2, 3])));
  });
});

describe('shapeOf', () => {
  it('queries that differ only in scalars of one type have the same shape', () => {
    const where = (id: number, name: string, tags: number[]) => ({
      id,
      name: { $like: name },
      tags: { $in: tags },
    });
    expect(shapeOf(where(1, 'a', [1]))).to.equal(shapeOf(where(2, 'b', [2, 3])));
  });

  it('queries with different SQL have different shapes', () => {
    const shapes = [
      { a: 1 },
      { b: 1 },
      { a: null },
      { a: '1' },
      { a: { $in: [] } },
      { a: { $in: [1] } },
      { a: { $nin: [1] } },
      { a: { $eq: 1 } },
      { a: { b: 1 } },
      { $and: [{ a: 1 }] },
      { $and: [{ a: 1 }, { a: 1 }] },
      { $and: [{ a: 1 }, { b: 1 }] },
      { $or: [{ a: 1 }, { b: 1 }] },
      { $not: { a: 1 } },
      {},
      [],
      null,
      undefined,
      1,
      new Date(0),
    ].map(shapeOf);
    expect(new Set(shapes).size).to.equal(shapes.length);
  });
});

/**
 * Deep equality that distinguishes 0 from -0, and a key without a value from a missing key; the order of keys counts.
 */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return Object.is(a, b);
  }
  if (a instanceof Date || b instanceof Date) {
    return a instanceof Date && b instanceof Date && Object.is(a.getTime(), b.getTime());
  }
  if (Buffer.isBuffer(a) || Buffer.isBuffer(b)) {
    return Buffer.isBuffer(a) && Buffer.isBuffer(b) && a.equals(b);
  }
  const [left, right] = [Object.entries(a), Object.entries(b)];
  return (
    Array.isArray(a) === Array.isArray(b) &&
    left.length === right.length &&
    left.every(([key, value], i) => right[i]![0] === key && isSame(value, right[i]![1]))
  );
}
