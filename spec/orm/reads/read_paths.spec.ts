import { raw } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, Author, Category, Comment, entities, Tag } from '../../../fixtures/legacy/index.js';
import { createBlog, restoreBlog } from '../support/blog.js';
import { sourcesOf } from '../support/observe.js';
import { snapshotOf } from '../support/snapshot.js';
import { join, joinUncached, type Started } from '../support/start.js';

type Read = (em: EntityManager) => Promise<unknown>;

/** Ways to read that come to the driver each in a form of its own. */
const READS: Record<string, Read> = {
  'the size of many to many': async em => (await em.findOneOrFail(Article, 1)).tags.loadCount(),
  'part of a collection': async em =>
    (await em.findOneOrFail(Author, 1)).articles.matching({
      where: { status: 'published' },
      orderBy: { id: 1 },
    }),
  'some of a collection': em => em.find(Author, { articles: { $some: { status: 'published' } } }),
  'none of a collection': em => em.find(Author, { articles: { $none: { status: 'published' } } }),
  'every one of a collection': em => em.find(Author, { articles: { $every: { status: 'published' } } }),
  'by the size of a collection': em => em.find(Article, { tags: { $size: { $gte: 1 } } } as never),
  'json conditions': em => em.find(Author, { settings: { theme: { dark: true } } } as never),
  'raw conditions': em => em.find(Article, { [raw(alias => `length(${alias}.title)`)]: { $gt: 5 } } as never),
  'a raw order': em =>
    em.find(Article, {}, { orderBy: [{ [raw('length(title)')]: 'desc' }, { id: 1 }] as never }),
  'unions of conditions': em =>
    em.find(Article, {}, { unionWhere: [{ author: 1 }, { status: 'draft' }], orderBy: { id: 1 } } as never),
  'the number of a union': em =>
    em.count(Article, {}, { unionWhere: [{ author: 1 }, { status: 'draft' }] } as never),
  'conditions on what is populated': em =>
    em.find(Author, {}, {
      populate: ['articles'],
      populateWhere: { articles: { status: 'published' } },
    } as never),
  'a self reference, through itself': em =>
    em.find(Category, { parent: { parent: null } }, { populate: ['parent'] }),
  'by an embeddable': em => em.find(Author, { home: { city: 'Springfield' } }),
  'null and not null': em => em.find(Comment, { author: null }),
};

const WRITES: Read[] = [
  em => em.nativeUpdate(Article, { id: 1 }, { status: 'archived', title: 'A' }),
  em => em.nativeUpdate(Article, { id: 3 }, { author: 1 }),
  em => em.nativeUpdate(Author, { id: 2 }, { settings: { theme: { dark: true } } }),
  em => em.nativeUpdate(Author, { id: 1 }, { home: { city: 'Elsewhere' } } as never),
  em => em.nativeUpdate(Tag, { id: 2 }, { name: 'greener' }),
  em => em.nativeUpdate(Category, { id: 1 }, { name: 'Old news' }),
  async em => {
    (await em.findOneOrFail(Article, 1, { populate: ['tags'] })).tags.removeAll();
    await em.flush();
  },
  em => em.nativeDelete(Comment, { author: null }),
  em => em.insert(Article, { id: 9, title: 'Ninth', author: 2 } as never),
];

describe('every way to read', () => {
  let blog: Started;
  let uncached: MikroORM;

  before(async () => {
    await createBlog();
    blog = await join({ entities });
    uncached = await joinUncached({ entities });
  });

  beforeEach(() => restoreBlog(blog));

  after(async () => {
    await uncached.close();
    await blog.orm.close();
  });

  async function snapshot(orm: MikroORM, read: Read): Promise<string> {
    const em = orm.em.fork();
    return snapshotOf(em, await read(em));
  }

  for (const [name, read] of Object.entries(READS)) {
    it(`gives what the database would give, also after a write: ${name}`, async () => {
      const expected = await snapshot(uncached, read);
      expect(await snapshot(blog.orm, read), 'before').to.equal(expected);
      await blog.cache.idle();
      const sources = await sourcesOf(blog.cache, async () => {
        expect(await snapshot(blog.orm, read), 'cached').to.equal(expected);
      });
      expect(new Set(sources)).to.deep.equal(new Set(['cache']));
      for (const write of WRITES) {
        await write(blog.orm.em.fork());
        expect(await snapshot(blog.orm, read), String(write)).to.equal(await snapshot(uncached, read));
        await blog.cache.idle();
      }
    });
  }
});
