import type { EntityManager } from '@mikro-orm/core';
import { expect } from 'chai';
import { Article, Tag } from '../../fixtures/legacy/index.js';
import { encodeResult } from '../../lib/functions/result.js';
import { CacheopsError, cached, cachedAs } from '../../lib/index.js';
import { decodeValue, encodeValue } from '../../lib/orm/computed/value_codec.js';
import { startBlog } from '../orm/support/blog.js';
import type { Started } from '../orm/support/start.js';

type Em = EntityManager;

interface Filter {
  title?: string;
  dates?: Date[];
  bytes?: Buffer;
  pattern?: RegExp;
  url?: URL;
  more?: Map<string, Set<string>>;
}

const filter = (): Required<Filter> => ({
  title: 'a',
  dates: [new Date(0)],
  bytes: Buffer.from('a'),
  pattern: /a/g,
  url: new URL('http://a/'),
  more: new Map([['a', new Set(['a'])]]),
});

/** Changes everything that can be changed. */
function change(given: Required<Filter>): void {
  given.title = 'b';
  given.dates[0]!.setTime(1);
  given.dates.push(new Date(1));
  given.bytes.fill('b');
  given.pattern.lastIndex = 1;
  given.url.host = 'b';
  given.more.get('a')!.add('b');
  given.more.set('b', new Set());
}

function describeFilter({ title, dates, bytes, pattern, url, more }: Required<Filter>): string {
  const parts = Array.from(more, ([key, items]) => [key, ...items]);
  return JSON.stringify([title, dates, String(bytes), pattern.lastIndex, url, parts]);
}

describe('the arguments of a cached function', () => {
  let blog: Started;

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  const fork = () => blog.orm.em.fork();
  const kinds = {
    'cachedAs()': (fn: (em: Em, given: Required<Filter>) => Promise<string>, name: string) =>
      cachedAs(Tag, { name })(fn),
    'cached()': (fn: (em: Em, given: Required<Filter>) => Promise<string>, name: string) =>
      cached({ timeout: 60, name })(fn),
  };

  for (const [kind, wrap] of Object.entries(kinds)) {
    it(`are the arguments as they were when it was called, with ${kind}`, async () => {
      let computed = 0;
      const fn = wrap(async (_em, given) => {
        computed++;
        await new Promise(resolve => setImmediate(resolve));
        return describeFilter(given);
      }, 'as they were');
      const given = filter();
      const before = describeFilter(given);
      const found = fn(fork(), given);
      change(given);
      const after = describeFilter(given);
      expect(after).to.not.equal(before);
      expect(await found).to.equal(before);
      await blog.cache.idle();
      expect(await fn(fork(), filter())).to.equal(before);
      expect(computed).to.equal(1);
      expect(await fn(fork(), given)).to.equal(after);
    });

    it(`may be changed by it, and its result belongs to the original arguments, with ${kind}`, async () => {
      const fn = wrap(async (_em, given) => {
        const before = describeFilter(given);
        change(given);
        await new Promise(resolve => setImmediate(resolve));
        return `${before} ${describeFilter(given)}`;
      }, 'changed');
      const given = filter();
      const first = await fn(fork(), given);
      await blog.cache.idle();
      expect(describeFilter(given)).to.equal(describeFilter(filter()));
      expect(await fn(fork(), given)).to.equal(first);
    });
  }

  it('later changes do not reach a value that is set by key', async () => {
    const fn = cached({ timeout: 60, name: 'set' })(async (_em: Em, _given: object) => ({ of: 'nobody' }));
    const [value, given] = [{ of: 'a' }, { key: 'a' }];
    const setting = fn.key(fork(), given).set(value);
    value.of = 'b';
    given.key = 'b';
    await setting;
    expect(await fn(fork(), { key: 'a' })).to.deep.equal({ of: 'a' });
    expect(await fn(fork(), { key: 'b' })).to.deep.equal({ of: 'nobody' });
  });

  it('contain entities as they were when it was called', async () => {
    const fn = cachedAs(Tag, { name: 'entities' })(async (_em: Em, { article }: { article: Article }) => {
      await new Promise(resolve => setImmediate(resolve));
      return article.title;
    });
    const em = fork();
    const article = await em.findOneOrFail(Article, 1);
    const found = fn(em, { article });
    article.title = 'Changed';
    expect(await found).to.equal('First');
    await blog.cache.idle();
    const other = fork();
    expect(await fn(other, { article: await other.findOneOrFail(Article, 1) })).to.equal('First');
  });

  it('contain one object in several places if the original arguments do', async () => {
    const fn = cachedAs(Tag, { name: 'twice' })(
      async (_em: Em, one: object, { two }: { two: object }) => one === two,
    );
    const shared = {};
    expect([await fn(fork(), shared, { two: shared }), await fn(fork(), {}, { two: {} })]).to.deep.equal([
      true,
      false,
    ]);
  });
});

describe('results and values that cannot be stored exactly', () => {
  class Dictionary extends Map {}
  class Collection extends Set {}
  class Moment extends Date {}
  class List extends Array {}
  class Bytes extends Uint8Array {}
  class Failure extends Error {
    readonly code = 1;
  }
  const withProperty = (value: object, property: PropertyDescriptor = { value: 1, enumerable: true }) =>
    Object.defineProperty(value, 'extra', property);

  it('are refused with the path of the value that would be lost', () => {
    const refused: [unknown, string][] = [
      [new Dictionary(), 'an instance of Dictionary'],
      [new Collection(), 'an instance of Collection'],
      [new Moment(0), 'an instance of Moment'],
      [List.from([1]), 'an instance of List'],
      [new Bytes(1), 'an instance of Bytes'],
      [new Failure('x'), 'an instance of Failure'],
      [new Error('x'), 'an instance of Error'],
      [/a/, 'an instance of RegExp'],
      [new URL('http://a/'), 'an instance of URL'],
      [new Proxy({}, {}), 'a Proxy'],
      [new Proxy([], {}), 'a Proxy'],
      [Object.setPrototypeOf(new Map(), Object.prototype), 'an instance of a class'],
      [() => 1, 'a function'],
      [Symbol('x'), 'a symbol'],
      [new Uint8Array(new SharedArrayBuffer(1)), 'no real Uint8Array'],
    ];
    for (const [value, what] of refused) {
      for (const encode of [encodeResult, encodeValue]) {
        expect(() => encode({ of: [value] }, undefined), what).to.throw(
          CacheopsError,
          `.of[0] is ${what}, which cannot`,
        );
      }
    }
  });

  it('are refused with the path of a property that would be lost', () => {
    for (const value of [[], new Map(), new Set(), new Date(0), Buffer.alloc(1), new ArrayBuffer(1)]) {
      expect(() => encodeValue({ of: withProperty(value) }, undefined)).to.throw(
        CacheopsError,
        /^value\.of\.extra is a property (of an array|that its like do not have), which cannot be stored/,
      );
    }
    const get = () => {
      throw new Error('it was run');
    };
    const refused: [object, string][] = [
      [withProperty({}, { get, enumerable: true }), 'value.of.extra is an accessor'],
      [withProperty({}, { value: 1 }), 'value.of.extra is not enumerable'],
      [Object.defineProperty([], 0, { get, enumerable: true }), 'value.of["0"] is an accessor'],
      [{ [Symbol('x')]: 1 }, 'value.of[Symbol(x)] is under a key that is a symbol'],
      [Object.assign([], { [Symbol('x')]: 1 }), 'value.of[Symbol(x)] is under a key that is a symbol'],
    ];
    for (const [of, message] of refused) {
      expect(() => encodeValue({ of }, undefined)).to.throw(CacheopsError, message);
    }
  });

  it('do not include these values, which are stored exactly', () => {
    const shared = { a: 1 };
    const sparse = new Array(5);
    sparse[2] = 'x';
    const values: unknown[] = [
      sparse,
      new Array(3),
      [shared, shared],
      JSON.parse('{"__proto__":1}'),
      new Map<unknown, unknown>([[shared, new Set([shared])]]),
      new Date(Number.NaN),
      Buffer.from('x'),
      new Float64Array([1.5, -0]),
      new ArrayBuffer(2),
      [Number.NaN, -0, 1n, '\ud800', undefined],
    ]; // biome-ignore format: a list
    for (const value of values) {
      const found = decodeValue(encodeValue(value, undefined), undefined);
      expect(found).to.deep.equal(value);
      expect(Object.getPrototypeOf(found)).to.equal(Object.getPrototypeOf(value));
      if (Array.isArray(value)) {
        expect(Object.keys(found as object)).to.deep.equal(Object.keys(value));
      }
    }
  });
});
