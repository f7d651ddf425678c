import type { EntityManager } from '@mikro-orm/core';
import { expect } from 'chai';
import { Article, Tag } from '../../fixtures/legacy/index.js';
import { cached, cachedAs } from '../../lib/index.js';
import { startBlog } from '../orm/support/blog.js';
import { sourcesOf } from '../orm/support/observe.js';
import type { Started } from '../orm/support/start.js';
import { gate } from '../support/gate.js';
import { answersOf } from './support/counted.js';

type Em = EntityManager;

describe('disabling the cache', () => {
  let blog: Started;
  let computed = 0;
  const fork = () => blog.orm.em.fork();
  const tags = cachedAs(Tag, { name: 'off: tags' })(async (em: Em) => {
    computed++;
    return (await em.find(Tag, {}, { orderBy: { id: 1 } })).map(({ name }) => name).join();
  });
  const timed = cached({ timeout: 60, name: 'off: timed' })(async (_em: Em) => ++computed);

  beforeEach(async () => {
    computed = 0;
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  describe('disabled()', () => {
    it('runs functions without the cache: nothing is read or stored, and entities belong to the caller', async () => {
      const own = cachedAs(Tag, { name: 'off: own' })(async (em: Em) => em.findOneOrFail(Tag, 1));
      await blog.cache.disabled(async () => {
        const em = fork();
        const tag = await em.findOneOrFail(Tag, 1);
        tag.name = 'not flushed';
        expect((await own(em)).name).to.equal('not flushed');
        expect([await timed(fork()), await timed(fork())]).to.deep.equal([1, 2]);
        expect(await answersOf(blog, () => tags(fork()))).to.deep.equal(['disabled']);
      });
      expect(await answersOf(blog, () => tags(fork()))).to.deep.equal(['miss']);
      expect(await timed(fork())).to.equal(5);
    });

    it('applies to calls inside, and not to concurrent calls', async () => {
      await tags(fork());
      await blog.cache.idle();
      const inside = gate();
      const off = blog.cache.disabled(async () => {
        await inside.pass();
        return answersOf(blog, async () => {
          await new Promise(resolve => setImmediate(resolve));
          await tags(fork());
        });
      });
      await inside.reached;
      expect(await answersOf(blog, () => tags(fork()))).to.deep.equal(['cache']);
      inside.open();
      expect(await off).to.deep.equal(['disabled']);
      expect(await answersOf(blog, () => tags(fork()))).to.deep.equal(['cache']);
    });

    it('ends with the function, also if it throws', async () => {
      await tags(fork());
      await blog.cache.idle();
      await blog.cache.disabled(() => Promise.reject(new Error('no'))).catch(() => undefined);
      expect(await answersOf(blog, () => tags(fork()))).to.deep.equal(['cache']);
    });
  });

  it('enabled: false runs functions without the cache, and invalidates results of other processes', async () => {
    await tags(fork());
    await blog.cache.idle();
    const { join } = await import('../orm/support/start.js');
    const { entities } = await import('../../fixtures/legacy/index.js');
    const off = await join({ entities, cacheops: { store: blog.store, enabled: false } });
    try {
      const em = off.orm.em.fork();
      expect(await answersOf(off, () => tags(em))).to.deep.equal(['disabled']);
      expect([await timed(em), await timed(em)]).to.deep.equal([3, 4]);
      await em.nativeUpdate(Tag, { id: 1 }, { name: 'x' });
      expect(await tags(fork())).to.equal('x,green,blue');
    } finally {
      await off.orm.close();
    }
  });

  describe('noInvalidation()', () => {
    const rename = (name: string) => fork().nativeUpdate(Tag, { id: 1 }, { name });

    it('defers invalidation, and records the skipped tables', async () => {
      await tags(fork());
      await fork().find(Article, {});
      await blog.cache.idle();
      const skipped = blog.cache.skippedInvalidations();
      await blog.cache.noInvalidation(async () => {
        await rename('a');
        await rename('b');
      }, skipped);
      expect(await tags(fork())).to.equal('red,green,blue');
      expect([...skipped.tables].map(table => table.replace(/^.*\//, ''))).to.include('public.tag');
      const dropped: unknown[] = [];
      blog.cache.events.on('invalidation', ({ tables }) =>
        dropped.push(...tables.map(({ table, all }) => [table, all])),
      );
      await skipped.invalidate();
      expect(await tags(fork())).to.equal('b,green,blue');
      expect(await sourcesOf(blog.cache, () => fork().find(Article, {}))).to.deep.equal(['cache']);
      expect(dropped.length).to.be.at.least(1);
      expect(skipped.tables.size).to.equal(0);
      dropped.length = 0;
      await skipped.invalidate(); // again, there is nothing
      expect(dropped).to.deep.equal([]);
    });

    it('records flushes, cascades and raw statements', async () => {
      const skipped = blog.cache.skippedInvalidations();
      await blog.cache.noInvalidation(async () => {
        const em = fork();
        em.create(Tag, { name: 'new' });
        await em.flush();
        await em.execute('delete from comment');
        await em.nativeDelete(Article, { id: 4 });
      }, skipped);
      const names = [...skipped.tables].map(table => table.replace(/^.*\/public\./, '')).sort();
      expect(names).to.include.members(['article', 'article_translation', 'comment', 'tag']);
    });

    it('does not apply to concurrent writes', async () => {
      await tags(fork());
      await blog.cache.idle();
      const skipped = blog.cache.skippedInvalidations();
      const inside = gate();
      const quiet = blog.cache.noInvalidation(async () => {
        await inside.pass();
        await fork().nativeUpdate(Article, { id: 1 }, { title: 'x' });
      }, skipped);
      await inside.reached;
      await rename('seen');
      expect(await tags(fork())).to.equal('seen,green,blue');
      inside.open();
      await quiet;
      expect([...skipped.tables].map(table => table.replace(/^.*\/public\./, ''))).to.not.include('tag');
    });

    it('keeps tables that the store could not invalidate', async () => {
      const skipped = blog.cache.skippedInvalidations();
      await blog.cache.noInvalidation(() => rename('a'), skipped);
      const { drop } = blog.store;
      blog.store.drop = () => Promise.reject(new Error('down'));
      await skipped.invalidate().then(
        () => expect.fail('it was not taken'),
        error => expect(error.message).to.equal('down'),
      );
      blog.store.drop = drop;
      expect(skipped.tables.size).to.be.at.least(1);
      await skipped.invalidate();
      expect(skipped.tables.size).to.equal(0);
    });
  });
});
