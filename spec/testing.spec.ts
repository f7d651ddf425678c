import { AssertionError } from 'node:assert';
import { expect } from 'chai';
import { Article, Tag } from '../fixtures/legacy/index.js';
import { CacheopsError } from '../lib/index.js';
import { emptyCache, expectReads, readsOf } from '../lib/testing.js';
import { startBlog } from './orm/support/blog.js';
import { joinUncached, type Started } from './orm/support/start.js';

describe('the testing helper', () => {
  let blog: Started;

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  const tags = () => blog.orm.em.fork().find(Tag, { name: 'red' });

  it('counts hits, misses and reads that are not cached, when the results are stored', async () => {
    expect(await readsOf(blog.orm, tags)).to.deep.include({ hits: 0, misses: 1, bypassed: 0 });
    const { result, reads, ...totals } = await readsOf(blog.orm.em, async () => {
      await blog.orm.em.fork().count(Article, {}, { cacheops: false });
      return tags();
    });
    expect(totals).to.deep.equal({ hits: 1, misses: 0, bypassed: 1 });
    expect(result.map(({ name }) => name)).to.deep.equal(['red']);
    expect(reads.map(({ entity, op, source }) => [entity, op, source])).to.deep.equal([
      ['Article', 'count', 'database'],
      ['Tag', 'fetch', 'cache'],
    ]);
  });

  it('returns the result of the block if its reads are as expected', async () => {
    const found = await expectReads(blog.orm, { misses: 1 }, tags);
    expect(found).to.have.length(1);
    expect(await expectReads(blog.orm, { hits: 1 }, () => tags().then(() => 'done'))).to.equal('done');
    expect(await expectReads(blog.orm, {}, () => 'nothing was read')).to.equal('nothing was read');
  });

  it('throws an error that lists the reads if there are others', async () => {
    const error = await expectReads(blog.orm, { hits: 1 }, tags).catch(thrown => thrown);
    expect(error).to.be.instanceOf(AssertionError);
    expect(error.message).to.equal(
      'expected 1 hits, 0 misses, 0 not cached, and there were 0 hits, 1 misses, 0 not cached:\n' +
        '  fetch of Tag: miss',
    );
    expect(error).to.deep.include({
      actual: { hits: 0, misses: 1, bypassed: 0 },
      expected: { hits: 1, misses: 0, bypassed: 0 },
    });
    const more = await expectReads(blog.orm, { hits: 1 }, () => Promise.all([tags(), tags()])).catch(
      thrown => thrown,
    );
    expect(more.message).to.match(/there were 2 hits/);
  });

  it('passes on what the block throws, and stops listening', async () => {
    const error = await expectReads(blog.orm, {}, () => Promise.reject(new Error('of the block'))).catch(
      thrown => thrown,
    );
    expect(error.message).to.equal('of the block');
    expect(blog.cache.events.listenerCount('read')).to.equal(0);
  });

  it('empties the cache', async () => {
    await readsOf(blog.orm, tags);
    await emptyCache(blog.orm);
    await expectReads(blog.orm, { misses: 1 }, tags);
    await expectReads(blog.orm, { hits: 1 }, tags);
  });

  it('refuses a misspelt number, and an ORM without a cache', async () => {
    expect(await expectReads(blog.orm, { hit: 1 } as object, tags).catch(thrown => thrown))
      .to.be.instanceOf(CacheopsError)
      .with.property('message')
      .that.matches(/^expectReads\(\): there is no option 'hit'\. Did you mean 'hits'\?/);
    const uncached = await joinUncached({ entities: [Tag] });
    try {
      expect(await emptyCache(uncached).catch(thrown => thrown)).to.be.instanceOf(CacheopsError);
    } finally {
      await uncached.close();
    }
  });
});
