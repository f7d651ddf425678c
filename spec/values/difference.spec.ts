import { deserialize, serialize } from 'node:v8';
import { expect } from 'chai';
import fc from 'fast-check';
import { findDifference } from '../../lib/values/difference.js';

const scalar = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.boolean(),
  fc.constantFrom<unknown>(null, undefined, '', 0, -0, '0', Number.NaN),
  fc.date({ noInvalidDate: false }),
  fc.uint8Array({ maxLength: 8 }).map(bytes => Buffer.from(bytes)),
);
const plain = fc.letrec<{ plain: unknown }>(tie => ({
  plain: fc.oneof(
    { maxDepth: 4 },
    { arbitrary: scalar, weight: 3 },
    fc.array(tie('plain'), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(fc.string({ maxLength: 3 }), fc.constantFrom('id', 'length', 'constructor', '__proto__')),
      tie('plain'),
      { maxKeys: 4 },
    ),
  ),
})).plain;

describe('findDifference()', () => {
  it('a value and its copy have no difference', () => {
    fc.assert(
      fc.property(plain, value => {
        expect(findDifference(value, copy(value))).to.equal(undefined);
      }),
      { numRuns: 1000 },
    );
  });

  it('different values have a difference, in either order', () => {
    let different = 0;
    fc.assert(
      fc.property(plain, plain, (a, b) => {
        const same = textOf(a) === textOf(b);
        different += same ? 0 : 1;
        expect(findDifference(a, b) === undefined).to.equal(same);
        expect(findDifference(b, a) === undefined).to.equal(same);
      }),
      { numRuns: 1000 },
    );
    expect(different).to.be.above(500);
  });

  it('a difference has the path and both types', () => {
    const at = new Date(0);
    const cases: readonly [unknown, unknown, string][] = [
      [[{ at }], [{ at: at.toJSON() }], '[0].at: a Date came back as a string'],
      [[{ a: 1 }, { a: undefined }], [{ a: 1 }, {}], '[1]: other keys, or in another order'],
      [{ a: 1, b: 2 }, { b: 2, a: 1 }, 'the result: other keys, or in another order'],
      [[1], [1, 2], 'the result: other keys, or in another order'],
      [{ a: [5n] }, { a: ['5'] }, '.a[0]: a bigint came back as a string'],
      [-0, 0, 'the result: another number came back'],
      [
        Buffer.from('a'),
        new Uint8Array(Buffer.from('a')),
        'the result: a Buffer came back as an instance of Uint8Array',
      ],
      [null, undefined, 'the result: null came back as undefined'],
    ];
    for (const [a, b, words] of cases) {
      expect(findDifference(a, b)).to.equal(words);
    }
  });

  it('a value that cannot be inspected always differs', () => {
    class Interval {
      days = 1;
    }
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    const fn = () => 1;
    const symbol = Symbol('a');
    const hidden = Object.defineProperty({}, 'id', { value: 1 });
    const getter = {
      get id() {
        return 1;
      },
    };
    const marked = Object.assign(new Date(0), { zone: 'UTC' });
    for (const value of [
      new Interval(),
      new Map(),
      /a/,
      fn,
      symbol,
      cyclic,
      hidden,
      getter,
      marked,
      { [symbol]: 1 },
    ]) {
      expect(findDifference([value], [value]), String(value)).to.be.a('string');
    }
  });
});

/** A copy with new containers. */
function copy(value: unknown): unknown {
  if (Buffer.isBuffer(value)) {
    return Buffer.from(value);
  }
  if (Array.isArray(value)) {
    return value.map(copy);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  if (value instanceof Date) {
    return deserialize(serialize(value));
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copy(item)]));
}

/** Text that differs for different values. */
function textOf(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value);
  }
  if (typeof value !== 'object' || value === null) {
    return `${typeof value} ${Object.is(value, -0) ? '-0' : String(value)}`;
  }
  if (value instanceof Date) {
    return `Date ${value.getTime()}`;
  }
  if (Buffer.isBuffer(value)) {
    return `Buffer ${value.toString('hex')}`;
  }
  const entries = Object.entries(value).map(([key, item]) => `${JSON.stringify(key)}:${textOf(item)}`);
  return Array.isArray(value) ? `[${entries}]` : `{${entries}}`;
}
