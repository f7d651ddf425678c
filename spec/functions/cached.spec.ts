import type { EntityManager } from '@mikro-orm/core';
import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import sinon from 'sinon';
import { Article, Tag } from '../../fixtures/legacy/index.js';
import { Cached, CacheMiss, CacheopsError, cached, cachedMethod, MemoryStore } from '../../lib/index.js';
import { startBlog } from '../orm/support/blog.js';
import { readsOf } from '../orm/support/observe.js';
import type { Started } from '../orm/support/start.js';

use(chaiAsPromised);

type Em = EntityManager;

describe('cached()', () => {
  let blog: Started;
  let now = 0;
  let computed = 0;
  const fork = () => blog.orm.em.fork();

  beforeEach(async () => {
    computed = 0;
    blog = await startBlog({ cacheops: { store: new MemoryStore({ now: () => now }) } });
  });

  afterEach(() => blog.orm.close());

  const next = cached({ timeout: 60, name: 'next' })(async (_em: Em, _key?: unknown) => ++computed);

  it('caches the results of a function for a time, whatever is written', async () => {
    expect([await next(fork()), await next(fork())]).to.deep.equal([1, 1]);
    await fork().nativeUpdate(Tag, { id: 1 }, { name: 'x' });
    now += 59_999;
    expect(await next(fork())).to.equal(1);
    now += 2;
    expect(await next(fork())).to.equal(2);
  });

  it('caches results by the arguments: entities by their key, other values by their content', async () => {
    const article = await fork().findOneOrFail(Article, 1);
    const part = await fork().findOneOrFail(Article, 1, { fields: ['title'] });
    expect(await next(fork(), article)).to.equal(await next(fork(), part));
    expect(await next(fork(), await fork().findOneOrFail(Article, 2))).to.equal(2);
    expect(await next(fork(), '1')).to.not.equal(await next(fork(), 1));
    await expect(next(fork(), { fn: () => 1 })).to.be.rejectedWith(
      CacheopsError,
      'arguments[1].fn is a function',
    );
    const unsaved = fork().create(Tag, { name: 'x' });
    await expect(next(fork(), unsaved)).to.be.rejectedWith(
      CacheopsError,
      'arguments[1] is a Tag that is not in the database yet',
    );
  });

  it('its controls invalidate, get and set results', async () => {
    const em = fork();
    const entry = next.key(em, 'a');
    await expect(entry.get()).to.be.rejectedWith(CacheMiss);
    await next(em, 'a');
    await next(em, 'b');
    expect(await entry.get()).to.equal(1);
    await next.invalidate(em, 'a');
    await expect(entry.get()).to.be.rejectedWith(CacheMiss, /^There is nothing in the cache under "next:/);
    expect([await next(em, 'a'), await next(em, 'b')]).to.deep.equal([3, 2]);
    await entry.set(7);
    expect(await next(em, 'a')).to.equal(7);
    await entry.delete();
    expect(await next(em, 'a')).to.equal(4);
    await cached({ timeout: 60, name: 'next' })(async (_em: Em) => 0).invalidate(em);
  });

  it('extra is part of the key', async () => {
    let locale = 'de';
    const fn = cached({ timeout: 60, name: 'extra', extra: () => locale })(async (_em: Em) => ++computed);
    await fn(fork());
    locale = 'fr';
    expect(await fn(fork())).to.equal(2);
    locale = 'de';
    expect(await fn(fork())).to.equal(1);
  });

  it('concurrent calls compute once, and each gets a copy', async () => {
    const list = cached({ timeout: 60, name: 'list' })(async (_em: Em) => [++computed]);
    const lists = await Promise.all(Array.from({ length: 10 }, () => list(fork())));
    expect(lists).to.deep.equal(lists.map(() => [1]));
    expect(new Set(lists).size).to.equal(10);
  });

  it('stores undefined, but no errors', async () => {
    const failing = sinon.stub().onFirstCall().rejects(new Error('once')).resolves(undefined);
    const fn = cached({ timeout: 60, name: 'failing' })(async (_em: Em) => failing());
    await expect(fn(fork())).to.be.rejectedWith('once');
    expect([await fn(fork()), await fn(fork())]).to.deep.equal([undefined, undefined]);
    expect(failing.callCount).to.equal(2);
  });

  it('a function may call itself, also with the same arguments', async () => {
    const sum: (em: Em, n: number) => Promise<number> = cached({ timeout: 60, name: 'sum' })(
      async (em: Em, n: number): Promise<number> => (n === 0 ? 0 : n + (await sum(em, n - 1))),
    );
    expect(await sum(fork(), 10)).to.equal(55);
    let depth = 0;
    const again: (em: Em) => Promise<number> = cached({ timeout: 60, name: 'again' })(
      async (em: Em): Promise<number> => (++depth < 3 ? again(em) : depth),
    );
    expect(await again(fork())).to.equal(3);
  });

  it('finds its cache by an argument, this, the only ORM or the option', async () => {
    const plain = cached({ timeout: 60, name: 'plain' })(async (n: number) => n + ++computed);
    expect([await plain(1), await plain(1)]).to.deep.equal([2, 2]);
    const other = await startBlog();
    try {
      await expect(plain(1)).to.be.rejectedWith(CacheopsError, /^plain: which cache\? Give the option cache/);
      const told = cached({ timeout: 60, name: 'plain', cache: () => blog.cache.cache })(
        async (n: number) => -n,
      );
      expect(await told(1)).to.equal(2);
    } finally {
      await other.orm.close();
    }
  });

  it('throws at once if options are wrong', () => {
    const misuse = cached as unknown as (options: unknown) => unknown;
    expect(() => misuse({})).to.throw(
      CacheopsError,
      'cached(): timeout: undefined is not a whole number of seconds',
    );
    expect(() => misuse({ timeout: 1, ops: 'all' })).to.throw("cached(): there is no option 'ops'");
    expect(() => misuse({ timeout: 1, cache: {} })).to.throw('cached(): cache: {} is no cache');
    expect(() => cachedMethod({ list: () => 1 }, 'list')).to.throw(
      CacheopsError,
      'list is no method with @Cached',
    );
  });

  it('announces events, and is counted in stats()', async () => {
    const fn = cached({ timeout: 60, name: 'told' })(async (_em: Em, n: number) => n);
    const before = blog.cache.stats();
    const reads = await readsOf(blog.cache, async () => {
      await fn(fork(), 1);
      await fn(fork(), 1);
      await blog.cache.cache.get('nothing').catch(() => undefined);
    });
    expect(reads.map(({ op, source, reason }) => [op, source, reason])).to.deep.equal([
      ['value', 'database', 'miss'],
      ['value', 'cache', undefined],
      ['value', 'database', 'miss'],
    ]);
    expect(reads[0]!.entity).to.contain('told');
    expect(reads[2]!.entity).to.equal('nothing');
    const { hits, misses, fills } = blog.cache.stats();
    expect([hits - before.hits, misses - before.misses, fills - before.fills]).to.deep.equal([1, 2, 1]);
  });

  describe('its cache', () => {
    it('gets, sets and deletes values by key, each with its own timeout', async () => {
      const { cache } = blog.cache;
      await expect(cache.get('a')).to.be.rejectedWith(CacheMiss, 'There is nothing in the cache under "a".');
      await cache.set('a', { n: [1n, undefined] }, { timeout: 10 });
      await cache.set('b', undefined);
      expect(await cache.get('a')).to.deep.equal({ n: [1n, undefined] });
      expect(await cache.get('b')).to.equal(undefined);
      now += 10_001;
      await expect(cache.get('a')).to.be.rejectedWith(CacheMiss);
      expect(await cache.get('b')).to.equal(undefined);
      await cache.delete('b');
      await expect(cache.get('b')).to.be.rejectedWith(CacheMiss);
      await expect(cache.set('c', { f: () => 1 })).to.be.rejectedWith(CacheopsError, 'value.f is a function');
      await expect(cache.set('c', 1, { timeout: -1 })).to.be.rejectedWith(CacheopsError, 'timeout: -1');
    });

    it('invalidateAll() deletes values, writes do not', async () => {
      const { cache } = blog.cache;
      await cache.set('a', 1);
      await fork().nativeUpdate(Tag, { id: 1 }, { name: 'x' });
      expect(await cache.get('a')).to.equal(1);
      await blog.cache.invalidateAll();
      await expect(cache.get('a')).to.be.rejectedWith(CacheMiss);
    });

    it('misses if the store fails, and announces an error event', async () => {
      const { cache } = blog.cache;
      await cache.set('a', 1);
      blog.store.read = () => Promise.reject(new Error('down'));
      await expect(cache.get('a')).to.be.rejectedWith(CacheMiss);
      expect(await cache.through('a', async () => 2)).to.equal(2);
      expect(blog.cache.stats().errors).to.be.at.least(1);
    });

    it('uses a prefix by tenant, and a serializer', async () => {
      await blog.orm.close();
      let tenant = 'a:';
      blog = await startBlog({
        cacheops: {
          prefix: ({ function: key }) => `${tenant}${key}:`,
          serializer: { encode: JSON.stringify, decode: text => JSON.parse(text as string) },
        },
      });
      const { cache } = blog.cache;
      await cache.set('k', { at: new Date(0) });
      expect(await cache.get('k')).to.deep.equal({ at: '1970-01-01T00:00:00.000Z' });
      tenant = 'b:';
      await expect(cache.get('k')).to.be.rejectedWith(CacheMiss);
    });
  });

  describe('as @Cached() on a method', () => {
    class Rates {
      computed = 0;

      @Cached({ timeout: 60 })
      async rates(currency: string): Promise<string> {
        return `${currency} ${++this.computed}`;
      }
    }

    it('caches results by class, method and arguments', async () => {
      class Others extends Rates {}
      const rates = new Rates();
      expect([await rates.rates('EUR'), await rates.rates('EUR'), await rates.rates('USD')]).to.deep.equal([
        'EUR 1',
        'EUR 1',
        'USD 2',
      ]);
      expect(await new Rates().rates('USD')).to.equal('USD 2');
      expect(await new Others().rates('USD')).to.equal('USD 1');
      await cachedMethod(rates, 'rates').invalidate('EUR');
      expect([await rates.rates('EUR'), await rates.rates('USD')]).to.deep.equal(['EUR 3', 'USD 2']);
    });

    it('throws if options are wrong', () => {
      const decorate = (options: never) => () => {
        class Service {
          @(Cached(options) as MethodDecorator)
          async list() {}
        }
        return Service;
      };
      expect(decorate({ timeout: 1, ops: 'all' } as never)).to.throw(
        CacheopsError,
        "@Cached() on list: there is no option 'ops'",
      );
      expect(decorate({ timeout: 0 } as never)).to.throw(CacheopsError, '@Cached() on list: timeout: 0');
    });
  });
});
