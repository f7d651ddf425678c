import { AsyncLocalStorage } from 'node:async_hooks';
import { expect } from 'chai';
import { Article, entities, Tag } from '../../../fixtures/legacy/index.js';
import type { PrefixQuery } from '../../../lib/index.js';
import { startBlog } from '../support/blog.js';
import { readsOf, sourcesOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';

describe('a prefix that is a function', () => {
  const tenant = new AsyncLocalStorage<string>();
  const asked: PrefixQuery[] = [];
  let blog: Started;

  beforeEach(async () => {
    asked.length = 0;
    blog = await startBlog({
      cacheops: {
        prefix: query => {
          asked.push(query);
          return `${tenant.getStore() ?? 'nobody'}:`;
        },
      },
    });
  });

  afterEach(() => blog.orm.close());

  const read = (name = 'red') => blog.orm.em.fork().find(Tag, { name });

  it('a prefix separates results, also those of one query', async () => {
    for (const round of ['miss', 'cache']) {
      for (const who of ['one', 'two']) {
        expect(await tenant.run(who, () => sourcesOf(blog.cache, () => read())), who).to.deep.equal([round]);
      }
    }
  });

  it('a prefix is the beginning of the key', async () => {
    const [event] = await tenant.run('one', () => readsOf(blog.cache, () => read()));
    expect(event!.key).to.match(/^one:Tag:/);
  });

  it('a write invalidates results of all prefixes', async () => {
    for (const who of ['one', 'two']) {
      await tenant.run(who, () => read());
    }
    await blog.cache.idle();
    await tenant.run('one', () => blog.orm.em.fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' }));
    for (const who of ['one', 'two']) {
      expect(await tenant.run(who, () => read())).to.deep.equal([]);
    }
  });

  it('prefixes separate results of two versions, and writes of each invalidate both', async () => {
    const { store } = blog;
    const version = (name: string) => join({ entities, cacheops: { store, prefix: () => name } });
    const versions = [await version('v1:'), await version('v2:')];
    const readAll = async () => {
      const sources: string[] = [];
      for (const { orm, cache } of versions) {
        sources.push(...(await sourcesOf(cache, () => orm.em.fork().find(Tag, { name: 'red' }))));
      }
      return sources;
    };
    const states = [await readAll(), await readAll()];
    for (const { orm } of versions) {
      await orm.em.fork().nativeUpdate(Tag, { name: 'red' }, { name: 'crimson' });
      await orm.em.fork().nativeUpdate(Tag, { name: 'crimson' }, { name: 'red' });
      states.push(await readAll(), await readAll());
    }
    const [miss, hit] = [
      ['miss', 'miss'],
      ['cache', 'cache'],
    ];
    expect(states).to.deep.equal([miss, hit, miss, hit, miss, hit]);
    await Promise.all(versions.map(({ orm }) => orm.close()));
  });

  it('the function gets the entity, the tables and the database', async () => {
    await blog.orm.em.fork().find(Article, { author: { name: 'Ann' } });
    expect(asked).to.have.length(1);
    const [{ entity, tables, database }] = asked as [PrefixQuery];
    expect(entity).to.equal('Article');
    expect(database).to.equal('postgres');
    expect(tables.map(table => table.replace(/^.*\//, ''))).to.have.members([
      'public.article',
      'public.author',
    ]);
    expect(entities).to.include(Article);
  });

  it('if the function throws, the query fails', async () => {
    const failing = await startBlog({
      cacheops: {
        prefix: () => {
          throw new Error('no tenant');
        },
      },
    });
    const error = await failing.orm.em
      .fork()
      .find(Tag, {})
      .catch(reason => reason);
    expect(error).to.have.property('message', 'no tenant');
    await failing.orm.close();
  });
});
