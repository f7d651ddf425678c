import { expect } from 'chai';
import fc from 'fast-check';
import { decodeResult, encodeResult } from '../../../lib/orm/reads/codec.js';

const scalar = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.bigInt(),
  fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }),
  fc.boolean(),
  fc.constantFrom<unknown>(null, undefined, '', 0, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 31) - 1, 1e308, 5e-324),
  fc.date({ noInvalidDate: false }),
  fc.constantFrom(
    new Date(0),
    new Date(-1),
    new Date(2 ** 32 * 1000),
    new Date(2 ** 34 * 1000),
    new Date(-8.64e15),
  ),
  fc.uint8Array({ maxLength: 20 }).map(bytes => Buffer.from(bytes)),
);
/** Rows as a driver gives them: values of all types, nested where relations are joined. */
const result = fc.letrec<{ result: unknown }>(tie => ({
  result: fc.oneof(
    { maxDepth: 4 },
    { arbitrary: scalar, weight: 3 },
    fc.array(tie('result'), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(
        fc.string({ maxLength: 3 }),
        fc.constantFrom('id', 'constructor', 'toJSON', 'length', 'hasOwnProperty'),
      ),
      tie('result'),
      { maxKeys: 4 },
    ),
  ),
})).result;

describe('an encoded result', () => {
  it('decoding restores every type, or the result is not stored', () => {
    let stored = 0;
    fc.assert(
      fc.property(result, value => {
        const payload = encodeResult(value);
        if (payload) {
          stored++;
          expect(describeValue(decodeResult(payload))).to.equal(describeValue(value));
        }
      }),
      { numRuns: 2000 },
    );
    expect(stored).to.be.above(1000);
  });

  it('decoding restores many rows of many shapes', () => {
    const rows = Array.from({ length: 3000 }, (_, i) => ({
      id: i,
      [`column${i % 200}`]: i,
      name: `row ${i}`,
      ...(i % 3 && { parent: { id: i, at: new Date(i) } }),
    }));
    for (let i = 0; i < 3; i++) {
      expect(decodeResult(encodeResult(rows)!)).to.deep.equal(rows);
    }
  });

  it('decoding gives objects that are shared neither with the original nor with another decoding', () => {
    const row = { at: new Date(1), bytes: Buffer.from('abc'), json: { list: [1] } };
    const payload = encodeResult([row])!;
    const [first, second] = [decodeResult(payload), decodeResult(payload)] as (typeof row)[][];
    first![0]!.at.setTime(5);
    first![0]!.bytes.fill(0);
    first![0]!.json.list.push(2);
    payload.fill(0);
    expect(second).to.deep.equal([{ at: new Date(1), bytes: Buffer.from('abc'), json: { list: [1] } }]);
  });

  it('a result that decoding would not restore is not encoded', () => {
    class Interval {
      days = 1;
    }
    const deep: unknown[] = [];
    let inner = deep;
    for (let i = 0; i < 100; i++) {
      inner.push([]);
      inner = inner[0] as unknown[];
    }
    const values = [
      -0,
      new Interval(),
      new Map(),
      () => 1,
      Symbol('a'),
      new Uint8Array(1),
      /a/,
      deep,
      '\ud800',
    ];
    const hidden = Object.defineProperty({ id: 1 }, 'constructor', { value: Interval });
    const cyclic: unknown[] = [];
    cyclic.push(cyclic);
    for (const value of [...values, cyclic, hidden, { [Symbol('a')]: 1 }, JSON.parse('{"__proto__": 1}')]) {
      expect(encodeResult([{ value }]), String(value)).to.equal(undefined);
    }
  });
});

/** Text that differs for values which are not the same. */
function describeValue(value: unknown): string {
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'string'
      ? JSON.stringify(value)
      : `${typeof value} ${Object.is(value, -0) ? '-0' : String(value)}`;
  }
  if (value instanceof Date) {
    return `Date ${value.getTime()}`;
  }
  if (Buffer.isBuffer(value)) {
    return `Buffer ${value.toString('hex')}`;
  }
  const entries = Object.entries(value).map(
    ([key, item]) => `${JSON.stringify(key)}: ${describeValue(item)}`,
  );
  return `${value.constructor === Object || !value.constructor ? 'Object' : value.constructor.name} {${entries}}`;
}
