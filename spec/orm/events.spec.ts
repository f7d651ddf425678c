import { expect } from 'chai';
import { Article, Author, Tag } from '../../fixtures/legacy/index.js';
import type { CacheopsEventMap, FillEvent, InvalidationEvent, ReadEvent } from '../../lib/index.js';
import { MemoryStore } from '../../lib/index.js';
import { startBlog } from './support/blog.js';
import type { Started } from './support/start.js';

describe('events', () => {
  let blog: Started;

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  const fork = () => blog.orm.em.fork();

  async function heard<K extends keyof CacheopsEventMap>(
    name: K,
    run: () => unknown,
  ): Promise<CacheopsEventMap[K][0][]> {
    const events: CacheopsEventMap[K][0][] = [];
    const listener = (event: CacheopsEventMap[K][0]) => events.push(event);
    blog.cache.events.on(name, listener as never);
    await run();
    await blog.cache.idle();
    blog.cache.events.off(name, listener as never);
    return events;
  }

  it('tell of each read where it came from, and what it depends on', async () => {
    const read = () => fork().find(Article, { category: 2, $or: [{ status: 'draft' }, { price: '1.50' }] });
    const [miss] = (await heard('read', read)) as ReadEvent[];
    const [hit] = (await heard('read', read)) as ReadEvent[];
    expect(miss).to.deep.include({ entity: 'Article', op: 'fetch', source: 'database', reason: 'miss' });
    expect(hit).to.deep.include({ entity: 'Article', op: 'fetch', source: 'cache' });
    expect(hit).not.to.have.property('reason');
    expect(hit!.key)
      .to.equal(miss!.key)
      .and.to.match(/^Article:/);
    expect(hit!.dependencies).to.have.members([
      'article(category_id=2 and status=draft)',
      'article(category_id=2 and price=1.5)',
    ]);
    expect(hit!.duration).to.be.above(0);
  });

  it('tell why a read was not asked of the cache', async () => {
    const [read] = (await heard('read', () => fork().findOne(Tag, 1, { cacheops: false }))) as ReadEvent[];
    expect(read).to.deep.include({ entity: 'Tag', op: 'get', source: 'database', reason: 'call' });
    expect(read).not.to.have.any.keys('key', 'dependencies');
  });

  it('tell of pivot tables by the entity behind them', async () => {
    const reads = await heard('read', () =>
      fork().find(Article, {}, { populate: ['tags'], strategy: 'select-in' }),
    );
    expect((reads as ReadEvent[]).map(({ entity }) => entity)).to.deep.equal(['Article', 'Tag']);
  });

  it('tell what was stored', async () => {
    const read = () => fork().find(Tag, { name: 'red' });
    const [fill] = (await heard('fill', read)) as FillEvent[];
    expect(fill).to.deep.include({
      entity: 'Tag',
      op: 'fetch',
      dependencies: ['tag(name=red)'],
      timeout: 3600,
    });
    expect(fill!.size).to.be.within(5, 200);
    expect(await heard('fill', read)).to.deep.equal([]);
  });

  it('tell what a flush has dropped, and because of which entities', async () => {
    const [event] = (await heard('invalidation', async () => {
      const em = fork();
      const ann = await em.findOneOrFail(Author, 1);
      ann.reputation = 8;
      em.create(Article, { title: 'New', author: ann });
      em.create(Tag, { name: 'new' });
      em.remove(await em.findOneOrFail(Author, { name: 'Bob' }, { fields: ['id'] }));
      await em.nativeDelete(Article, { author: 2 });
      await em.flush();
    })) as InvalidationEvent[];
    expect(event).to.be.an('object'); // that of nativeDelete
    const events = (await heard('invalidation', async () => {
      const em = fork();
      const ann = await em.findOneOrFail(Author, 1);
      ann.reputation = 9;
      em.create(Article, { title: 'Newer', author: ann });
      em.create(Article, { title: 'Newest', author: ann });
      em.remove(await em.findOneOrFail(Tag, { name: 'new' }));
      await em.flush();
    })) as InvalidationEvent[];
    expect(events).to.have.length(1);
    const tables = Object.fromEntries(events[0]!.tables.map(({ table, ...counts }) => [table, counts]));
    const none = { inserted: 0, updated: 0, deleted: 0, all: false };
    expect(tables.article).to.deep.equal({ ...none, inserted: 2 });
    expect(tables.author).to.deep.equal({ ...none, updated: 1 });
    expect(tables.tag).to.deep.equal({ ...none, deleted: 1 });
    expect(events[0]!.entities).to.have.members(['Article', 'Author', 'Tag']);
  });

  it('tell that all of a table was dropped', async () => {
    const [event] = (await heard('invalidation', () =>
      fork().execute('truncate comment'),
    )) as InvalidationEvent[];
    expect(event!.tables.find(({ table }) => table === 'comment')).to.include({ all: true });
    expect(event!.entities).to.deep.equal([]);
  });

  it('tell nothing of what was rolled back', async () => {
    const events = await heard('invalidation', () =>
      fork()
        .transactional(async em => {
          await em.nativeUpdate(Article, {}, { title: 'x' });
          throw new Error('no');
        })
        .catch(() => undefined),
    );
    expect(events).to.deep.equal([]);
  });

  it('tell of errors of the store, which are nobody else’s', async () => {
    class Broken extends MemoryStore {
      override async read(): Promise<undefined> {
        throw new Error('broken');
      }
    }
    await blog.orm.close();
    blog = await startBlog({ cacheops: { store: new Broken(), retryAfter: 0 } });
    const errors = await heard('error', async () => {
      expect(await fork().find(Tag, {})).to.have.length(3);
    });
    expect(errors).to.have.length.of.at.least(1);
    expect(errors[0]).to.have.property('operation', 'read');
    expect(blog.cache.stats().errors).to.be.at.least(1);
  });

  it('of errors crash nothing where nobody listens', async () => {
    class Broken extends MemoryStore {
      override async fill(): Promise<void> {
        throw new Error('broken');
      }
    }
    await blog.orm.close();
    blog = await startBlog({ cacheops: { store: new Broken() } });
    expect(await fork().find(Tag, {})).to.have.length(3);
    await blog.cache.idle();
    expect(blog.cache.stats().errors).to.be.at.least(1);
  });

  it('are counted', async () => {
    expect(blog.cache.stats()).to.deep.equal({
      hits: 0,
      revalidated: 0,
      shared: 0,
      misses: 0,
      bypassed: 0,
      fills: 0,
      refused: 0,
      audited: 0,
      mismatches: 0,
      invalidations: 0,
      errors: 0,
    });
    await fork().find(Tag, {});
    await blog.cache.idle();
    await fork().find(Tag, {});
    await fork().find(Tag, {}, { cacheops: false });
    await fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
    await fork().find(Tag, {});
    await blog.cache.idle();
    expect(blog.cache.stats()).to.deep.equal({
      hits: 1,
      revalidated: 0,
      shared: 0,
      misses: 2,
      bypassed: 1,
      fills: 2,
      refused: 0,
      audited: 0,
      mismatches: 0,
      invalidations: 1,
      errors: 0,
    });
  });

  it('count on a snapshot of their own', async () => {
    const stats = blog.cache.stats();
    await fork().find(Tag, {});
    expect(stats.misses).to.equal(0);
    stats.hits = 100;
    expect(blog.cache.stats().hits).to.equal(0);
  });
});
