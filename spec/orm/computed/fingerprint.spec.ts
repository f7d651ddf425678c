import { expect } from 'chai';
import fc from 'fast-check';
import { CacheopsError } from '../../../lib/index.js';
import { fingerprint } from '../../../lib/orm/computed/fingerprint.js';

const textOf = (value: unknown) => fingerprint(value, () => undefined, 'arguments');

/** With a property that is not its like's. */
const withProperty = (value: object, property: PropertyDescriptor = { value: 1, enumerable: true }) =>
  Object.defineProperty(value, 'extra', property);

/** An array of this length with one item, which is undefined. */
const sparse = (length: number, index: number) => Object.assign(new Array(length), { [index]: undefined });

function argumentsOf(..._given: unknown[]): IArguments {
  // biome-ignore lint/complexity/noArguments: it is what is refused
  return arguments;
}

describe('fingerprint()', () => {
  it('gives different texts to different values', () => {
    const shared = {};
    const moved = /a/g;
    moved.lastIndex = 1;
    const values: unknown[] = [
      [], new Array(1), new Array(2), [undefined], sparse(2, 1), sparse(2, 0), sparse(3, 1), [1], ['1'], [1n], [[]], {}, Object.create(null),
      { 0: 1 }, { length: 0 }, { a: 1, b: 2 }, { b: 2, a: 1 }, { a: undefined }, 0, -0, Number.NaN, Infinity, '', 'NaN', 'null', null,
      undefined, 'u', true, 't', new Date(0), new Date(Number.NaN), new Map(), new Set(), new Map([[1, 2]]), new Map([['1', 2]]),
      new Set([1]), new Set([1, 2]), new Set([2, 1]), /a/, /a/g, moved, /b/, new URL('http://a/'), new URL('http://b/'),
      'http://a/', new ArrayBuffer(1), new ArrayBuffer(2), new Uint8Array(1), new Uint8Array(2), Buffer.alloc(1),
      new Uint8ClampedArray(1), new Int8Array(1), new Uint16Array(1), new Int16Array(1), new Float32Array(1), new Uint32Array(1),
      new Int32Array(1), new Float64Array(1), new BigInt64Array(1), new BigUint64Array(1), new DataView(new ArrayBuffer(1)),
      [shared, shared], [{}, {}], [{}, []], '\ud800', '\udc00', ['a', 'b'], ['a,b'], ['a","b'], { __proto__: null, a: 1 },
      JSON.parse('{"__proto__":1}'),
    ]; // biome-ignore format: a list
    const texts = values.map(textOf);
    for (const [i, text] of texts.entries()) {
      expect(texts.indexOf(text), `${i} is taken for another: ${text}`).to.equal(i);
    }
  });

  it('gives equal texts to equal values', () => {
    expect(textOf(Buffer.alloc(100_000, 'x'))).to.equal(textOf(Buffer.alloc(100_000, 'x')));
    const make = () => [
      { a: sparse(3, 1), b: new Map([[{}, new Set(['x'])]]) },
      new Date(5),
      Buffer.from('x'),
      /x/gi,
    ];
    expect(textOf(make())).to.equal(textOf(make()));
    fc.assert(
      fc.property(fc.jsonValue(), value => textOf(value) === textOf(structuredClone(value))),
      { numRuns: 200 },
    );
  });

  it('refuses values that have no text, and names their path', () => {
    class List extends Array {}
    class Dictionary extends Map {}
    class Moment extends Date {}
    class Bytes extends Uint8Array {}
    const accessor = { get: () => 1, enumerable: true };
    const refused: [unknown, string][] = [
      [withProperty([]), 'arguments.extra is a property of an array'],
      [withProperty([], { value: 1 }), 'arguments.extra is a property of an array'],
      [Object.defineProperty([1], 0, accessor), 'arguments["0"] is an accessor'],
      [Object.assign([], { '-1': 1 }), 'arguments["-1"] is a property of an array'],
      [withProperty({}, { value: 1 }), 'arguments.extra is not enumerable'],
      [withProperty({}, accessor), 'arguments.extra is an accessor'],
      [{ [Symbol('s')]: 1 }, 'arguments[Symbol(s)] is under a key that is a symbol'],
      [Object.assign([], { [Symbol('s')]: 1 }), 'under a key that is a symbol'],
      [{ a: new Proxy({}, {}) }, 'arguments.a is a Proxy'],
      [new Proxy([], {}), 'arguments is a Proxy'],
      [new Proxy(new Map(), {}), 'arguments is a Proxy'],
      [new List(), 'an instance of List'],
      [new Dictionary(), 'an instance of Dictionary'],
      [new Moment(), 'an instance of Moment'],
      [new Bytes(1), 'an instance of Bytes'],
      [withProperty(new Map()), 'arguments.extra is a property that its like do not have'],
      [withProperty(new Set()), 'a property that its like do not have'],
      [withProperty(new Date()), 'a property that its like do not have'],
      [withProperty(/a/), 'a property that its like do not have'],
      [withProperty(new Uint8Array(3)), 'a property that its like do not have'],
      [withProperty(new Uint8Array(3), { value: 1 }), 'a property that its like do not have'],
      [withProperty(Buffer.alloc(100_000)), 'a property that its like do not have'],
      [Object.assign(new Float64Array(5000), { [Symbol('s')]: 1 }), 'a property that its like do not have'],
      [Object.assign(new Date(), { toISOString: () => '' }), 'arguments.toISOString is a property'],
      [Object.setPrototypeOf(new Date(0), Object.prototype), 'an instance of a class'],
      [Object.setPrototypeOf(new Map(), null), 'an instance of a class'],
      [Object.setPrototypeOf([], null), 'no real array'],
      [Object.setPrototypeOf([], Object.prototype), 'no real array'],
      [Object.create(Array.prototype), 'an instance of Array'],
      [Object.create(Date.prototype), 'no real Date'],
      [Object.create(URL.prototype), 'no real URL'],
      [Object.setPrototypeOf(new Uint8Array(1), Int8Array.prototype), 'no real Int8Array'],
      [new Uint8Array(new SharedArrayBuffer(1)), 'no real Uint8Array'],
      [new SharedArrayBuffer(1), 'an instance of SharedArrayBuffer'],
      [Object(1), 'an instance of Number'],
      [Object('a'), 'an instance of String'],
      [new Error('x'), 'an instance of Error'],
      [Promise.resolve(), 'an instance of Promise'],
      [new URLSearchParams(), 'an instance of URLSearchParams'],
      [new WeakMap(), 'an instance of WeakMap'],
      [Object.create({}), 'arguments is an instance of'],
      [() => 1, 'a function'],
      [Symbol('s'), 'a symbol'],
      [argumentsOf(1), 'an instance of a class'],
    ]; // biome-ignore format: a list
    for (const [value, message] of refused) {
      expect(() => textOf(value), message).to.throw(CacheopsError, message);
    }
    const cyclic: unknown[] = [];
    cyclic.push([cyclic]);
    expect(() => textOf(cyclic)).to.throw(CacheopsError, 'arguments[0][0] is cyclic');
  });

  it('writes an object once, however often a value contains it', () => {
    let value: unknown[] = [1];
    for (let i = 0; i < 60; i++) {
      value = [value, value];
    }
    expect(textOf(value).length).to.be.below(2000);
  });

  it('runs neither getters nor traps of proxies', () => {
    let runs = 0;
    const handler = new Proxy(
      {},
      {
        get: () => () => {
          runs++;
          throw new Error('a trap');
        },
      },
    );
    expect(() => textOf(new Proxy({}, handler))).to.throw(CacheopsError);
    const counting = { get: () => ++runs, enumerable: true };
    expect(() => textOf(withProperty({}, counting))).to.throw(CacheopsError);
    expect(() => textOf(Object.defineProperty([], 0, counting))).to.throw(CacheopsError);
    expect(runs).to.equal(0);
  });
});
