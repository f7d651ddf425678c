import { raw } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import {
  Article,
  ArticleTranslation,
  Author,
  Category,
  Content,
  Page,
  Post,
  Tag,
} from '../../fixtures/legacy/index.js';

type Run = (em: EntityManager) => Promise<unknown>;

const STRATEGIES = ['joined', 'select-in', 'balanced'] as const;

/** The SQL of each loading strategy and each kind of pagination. */
const POPULATED: Record<string, Run> = Object.fromEntries(
  STRATEGIES.flatMap(
    strategy =>
      [
        [
          `populate to-one, ${strategy}`,
          em => em.find(Article, { id: { $gt: 0 } }, { populate: ['author', 'category.parent'], strategy }),
        ],
        [
          `populate to-many, ${strategy}`,
          em => em.find(Article, {}, { populate: ['tags', 'comments.author'], strategy }),
        ],
        [
          `populate to-many of pages, ${strategy}`,
          em =>
            em.find(
              Article,
              { author: { name: 'Ann' } },
              {
                populate: ['tags', 'translations'],
                strategy,
                limit: 2,
                offset: 1,
                orderBy: { author: { name: 'asc' } },
              },
            ),
        ],
        [
          `populate with conditions of its own, ${strategy}`,
          em =>
            em.find(
              Author,
              {},
              {
                populate: ['articles.comments'],
                populateWhere: { articles: { status: 'published' } },
                strategy,
              },
            ),
        ],
        [
          `populate what the condition infers, ${strategy}`,
          em =>
            em.find(
              Author,
              { articles: { tags: { name: 'a' } } },
              { populate: ['articles.tags'], populateWhere: 'infer', strategy },
            ),
        ],
        [`populate all, ${strategy}`, em => em.find(Tag, {}, { populate: ['*'], strategy })],
        [
          `populate some fields, ${strategy}`,
          em => em.find(Article, {}, { fields: ['title', 'author.name', 'tags.name'], strategy }),
        ],
        [
          `populate an inherited table, ${strategy}`,
          em => em.find(Category, {}, { populate: ['parent.children'], strategy }),
        ],
      ] satisfies [string, Run][],
  ),
);

export const QUERIES: Record<string, Run> = {
  ...POPULATED,
  'a condition on columns': em =>
    em.find(Article, {
      status: { $in: ['draft', 'published'] },
      price: { $gt: '1.5' },
      title: { $like: "a'(from b" },
    }),
  'a condition on a missing relation': em => em.find(Article, { category: null, author: { $ne: null } }),
  'a condition on relations': em =>
    em.find(Article, {
      author: { home: { city: 'x' }, office: { city: 'y' } },
      category: { parent: { name: 'a' } },
    }),
  'several conditions on collections': em =>
    em.find(Article, {
      $and: [{ tags: { name: 'a' } }, { tags: { name: 'b' } }, { comments: { text: 'c' } }],
    }),
  alternatives: em =>
    em.find(Article, { $or: [{ title: 'a' }, { author: { name: 'b' } }, { $not: { tags: { name: 'c' } } }] }),
  $some: em => em.find(Author, { articles: { $some: { status: 'published', tags: { name: 'a' } } } }),
  $none: em => em.find(Author, { articles: { $none: { comments: { text: 'a' } } } }),
  $every: em => em.find(Article, { tags: { $every: { name: 'a' } } }),
  '$some in $none': em => em.find(Author, { articles: { $none: { tags: { $some: { name: 'a' } } } } }),
  $size: em => em.find(Article, { tags: { $size: 2 } }),
  $exists: em => em.find(Article, { category: { $exists: true }, slug: { $exists: false } } as never),
  'a composite key': em =>
    em.find(ArticleTranslation, [
      [1, 'en'],
      [2, 'de'],
    ] as never),
  'a relation to a composite key': em =>
    em.find(Article, { translations: { locale: 'en' } }, { orderBy: { translations: { title: 'asc' } } }),
  'single table inheritance': em => em.find(Content, { title: 'a' }),
  'a child of single table inheritance': em => em.find(Post, { pinned: true }, { orderBy: { id: 'desc' } }),
  'one of a child': em => em.findOne(Page, { markup: 'a' }),
  json: em => em.find(Author, { settings: { theme: { dark: true }, size: { $gt: 3 } } }),
  one: em => em.findOne(Article, { slug: 'a-b' as never }, { populate: ['author'] }),
  'one of pages': em => em.findOne(Article, { tags: { name: 'a' } }, { orderBy: { title: 'asc' } }),
  'a page and its number': em =>
    em.findAndCount(Article, { tags: { name: { $in: ['a', 'b'] } } }, { limit: 1, populate: ['comments'] }),
  'a count over collections': em => em.count(Article, { comments: { approved: true } }),
  'a cursor': em => em.findByCursor(Article, { first: 2, orderBy: { title: 'asc', id: 'desc' } } as never),
  'the page behind a cursor': async em => {
    const cursor = await em.findByCursor(Article, {
      first: 1,
      populate: ['author'],
      orderBy: { author: { name: 'asc' }, id: 'asc' },
    } as never);
    return em.findByCursor(Article, {
      first: 1,
      after: cursor.endCursor,
      orderBy: { author: { name: 'asc' }, id: 'asc' },
    } as never);
  },
  'raw fragments': em =>
    em.find(Article, { [raw('lower(title)')]: 'a', views: { $gt: raw('1 + 1') } } as never, {
      orderBy: { [raw('length(title)')]: 'asc' } as never,
    }),
  'a union of conditions': em =>
    em.find(Article, { status: 'draft' }, { unionWhere: [{ title: 'a' }, { tags: { name: 'b' } }] } as never),
  'a union of conditions, of pages': em =>
    em.find(Article, {}, {
      unionWhere: [{ title: 'a' }, { author: { name: 'b' } }],
      unionWhereStrategy: 'union-all',
      limit: 3,
      populate: ['author'],
    } as never),
  'a collection': async em => (await em.findOneOrFail(Author, { articles: { $some: {} } })).articles.init(),
  'part of a collection': async em =>
    (await em.findOneOrFail(Article, { tags: { $some: {} } })).tags.matching({
      where: { name: { $ne: 'b' } },
      limit: 1,
    }),
  'the size of a collection': async em =>
    (await em.findOneOrFail(Article, { tags: { $some: {} } })).tags.loadCount(),
  'a lazily loaded reference': async em =>
    (await em.findOneOrFail(Article, { id: { $gt: 0 } })).author.load(),
};

export async function seed(em: EntityManager): Promise<void> {
  const ann = em.create(Author, { name: 'Ann', email: 'ann@example.org' });
  for (const title of ['a', 'b', 'c']) {
    const article = em.create(Article, { title, author: ann });
    article.tags.add(em.create(Tag, { name: title }));
  }
  await em.flush();
}
