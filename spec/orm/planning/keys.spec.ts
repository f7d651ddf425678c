import type { MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import {
  Article,
  Author,
  Category,
  Content,
  entities,
  Page,
  Post,
  Tag,
  Video,
} from '../../../fixtures/legacy/index.js';
import { startBlog } from '../support/blog.js';
import { asking, expectIsolated, type Variant } from '../support/isolated.js';
import { sourcesOf } from '../support/observe.js';
import { joinUncached, type Started } from '../support/start.js';

const VARIANTS: Record<string, Record<string, Variant>> = {
  parameters: {
    one: asking(em => em.find(Article, { id: 1 })),
    two: asking(em => em.find(Article, { id: 2 })),
    both: asking(em => em.find(Article, { id: { $in: [1, 2] } })),
    others: asking(em => em.find(Article, { id: { $nin: [1, 2] } })),
    none: asking(em => em.find(Article, { id: { $in: [] } })),
    'not one': asking(em => em.find(Article, { id: { $ne: 1 } })),
    null: asking(em => em.find(Article, { category: null })),
    'not null': asking(em => em.find(Article, { category: { $ne: null } })),
    text: asking(em => em.find(Article, { title: '1' })),
    'a text with quotes': asking(em => em.find(Article, { title: '1"},{"title":"2' })),
    'of a date': asking(em => em.find(Article, { publishedAt: new Date('2024-03-31T01:30:00.123Z') })),
    'of the next millisecond': asking(em =>
      em.find(Article, { publishedAt: new Date('2024-03-31T01:30:00.124Z') }),
    ),
    'of a bigint': asking(em => em.find(Article, { views: 2n ** 60n })),
    'of the next bigint': asking(em => em.find(Article, { views: 2n ** 60n + 1n })),
    'of a custom type': asking(em => em.find(Article, { slug: 'the-first-one' as never })),
    'of a relation': asking(em => em.find(Article, { author: 1 })),
    'of another relation': asking(em => em.find(Article, { category: 1 })),
    'of a deep relation': asking(em => em.find(Article, { category: { parent: 1 } })),
    'of a collection': asking(em => em.find(Article, { tags: 1 })),
    'of several groups': asking(em =>
      em.find(Article, { $and: [{ id: { $gt: 1 } }, { $or: [{ id: 2 }, { id: 3 }] }] }),
    ),
    'of several other groups': asking(em =>
      em.find(Article, { $or: [{ id: { $gt: 1 } }, { $and: [{ id: 2 }, { id: 3 }] }] }),
    ),
  },
  'options of a find': {
    plain: asking(em => em.find(Article, {})),
    'some fields': asking(em => em.find(Article, {}, { fields: ['title'] })),
    'other fields': asking(em => em.find(Article, {}, { fields: ['title', 'status'] })),
    'without a field': asking(em => em.find(Article, {}, { exclude: ['title'] })),
    'without another': asking(em => em.find(Article, {}, { exclude: ['status'] })),
    'a relation': asking(em => em.find(Article, {}, { populate: ['author'], strategy: 'joined' })),
    'another relation': asking(em => em.find(Article, {}, { populate: ['category'], strategy: 'joined' })),
    'a reference': asking(em =>
      em.find(Article, {}, { populate: ['tags:ref' as never], strategy: 'joined' }),
    ),
    'a collection': asking(em => em.find(Article, {}, { populate: ['tags'], strategy: 'joined' })),
    'part of a collection': asking(em =>
      em.find(
        Article,
        {},
        { populate: ['tags'], strategy: 'joined', populateWhere: { tags: { name: 'red' } } },
      ),
    ),
    'another part': asking(em =>
      em.find(
        Article,
        {},
        { populate: ['tags'], strategy: 'joined', populateWhere: { tags: { name: 'blue' } } },
      ),
    ),
    'in order': asking(em => em.find(Article, {}, { orderBy: { title: 'asc' } })),
    'in the other order': asking(em => em.find(Article, {}, { orderBy: { title: 'desc' } })),
    'in order of a relation': asking(em =>
      em.find(Article, {}, { orderBy: { category: { name: 'asc' }, id: 1 } }),
    ),
    'in order, nulls first': asking(em =>
      em.find(Article, {}, { orderBy: { price: 'asc nulls first', id: 1 } }),
    ),
    'in order, nulls last': asking(em =>
      em.find(Article, {}, { orderBy: { price: 'asc nulls last', id: 1 } }),
    ),
    'the first ones': asking(em => em.find(Article, {}, { orderBy: { id: 1 }, limit: 2 })),
    'the first one': asking(em => em.find(Article, {}, { orderBy: { id: 1 }, limit: 1 })),
    'the next ones': asking(em => em.find(Article, {}, { orderBy: { id: 1 }, limit: 2, offset: 2 })),
    'a union': asking(em => em.find(Article, {}, { unionWhere: [{ id: 1 }, { id: 2 }] } as never)),
    'another union': asking(em => em.find(Article, {}, { unionWhere: [{ id: 1 }, { id: 3 }] } as never)),
  },
  'kinds of results': {
    rows: asking(em => em.find(Article, { status: 'published' })),
    number: asking(em => em.count(Article, { status: 'published' })),
    'number of others': asking(em => em.count(Article, { status: 'draft' })),
    'number of joined rows': asking(em => em.count(Article, { tags: { name: { $ne: '' } } })),
  },
  cursors: {
    first: asking(
      async em => (await em.findByCursor(Article, { first: 2, orderBy: { id: 1 } } as never)).items,
    ),
    last: asking(
      async em => (await em.findByCursor(Article, { last: 2, orderBy: { id: 1 } } as never)).items,
    ),
    next: asking(
      async em =>
        (await em.findByCursor(Article, { first: 2, after: { id: 1 }, orderBy: { id: 1 } } as never)).items,
    ),
    previous: asking(
      async em =>
        (await em.findByCursor(Article, { last: 2, before: { id: 4 }, orderBy: { id: 1 } } as never)).items,
    ),
  },
  'entities of one table': {
    all: asking(em => em.find(Content, {})),
    pages: asking(em => em.find(Page, {})),
    posts: asking(em => em.find(Post, {})),
    videos: asking(em => em.find(Video, {})),
    'the number of pages': asking(em => em.count(Page, {})),
    'the number of all': asking(em => em.count(Content, {})),
  },
  'entities that look alike': {
    author: asking(em => em.find(Author, { id: 1 }, { fields: ['name'] })),
    category: asking(em => em.find(Category, { id: 1 }, { fields: ['name'] })),
    tag: asking(em => em.find(Tag, { id: 1 }, { fields: ['name'] })),
  },
};

describe('queries', () => {
  let blog: Started;
  let uncached: MikroORM;

  before(async () => {
    blog = await startBlog();
    uncached = await joinUncached({ entities });
  });

  after(async () => {
    await uncached.close();
    await blog.orm.close();
  });

  for (const [what, variants] of Object.entries(VARIANTS)) {
    it(`different queries have different entries: ${what}`, async () => {
      await expectIsolated({ ...blog, uncached }, variants);
    });
  }

  it('equal queries share an entry, whatever EntityManager reads them', async () => {
    const ask = (em: Started['orm']['em']) =>
      em.find(Article, { author: { name: 'Ann' } }, { populate: ['tags'] });
    await ask(blog.orm.em.fork());
    await blog.cache.idle();
    const again = await sourcesOf(blog.cache, async () => {
      await ask(blog.orm.em.fork());
      await blog.orm.em
        .fork()
        .getRepository(Article)
        .find({ author: { name: 'Ann' } }, { populate: ['tags'] });
      await blog.orm.em.fork().transactional(ask as never);
    });
    expect(new Set(again)).to.deep.equal(new Set(['cache']));
  });

  it('queries of two databases share no entry', async () => {
    const other = await startBlogOfItsOwn(blog.store);
    try {
      await other.orm.em.fork().nativeUpdate(Article, { id: 1 }, { title: 'Other' });
      const titles = async ({ orm }: Started) =>
        (await orm.em.fork().find(Article, { id: 1 })).map(a => a.title);
      for (let i = 0; i < 2; i++) {
        expect(await titles(blog)).to.deep.equal(['First']);
        expect(await titles(other)).to.deep.equal(['Other']);
        await blog.cache.idle();
        await other.cache.idle();
      }
    } finally {
      await other.orm.close();
    }
  });
});

/** On an embedded database that is another one, of the same name. */
async function startBlogOfItsOwn(store: Started['store']): Promise<Started> {
  const { join } = await import('../support/start.js');
  const other = await join({ entities, driverOptions: {}, cacheops: { store } });
  await other.orm.schema.create();
  const em = other.orm.em.fork();
  em.create(Article, { id: 1, title: 'First', author: em.create(Author, { name: 'Zoe', email: 'z' }) });
  await em.flush();
  return other;
}
