import { raw } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, Author, Category, entities, Post } from '../../../fixtures/legacy/index.js';
import { createBlog } from '../support/blog.js';
import { readsOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';

type Read = (em: EntityManager) => Promise<unknown>;

const articles =
  (where: object, options: object = {}): Read =>
  em =>
    em.find(Article, where, options);

const READS: Record<string, [read: Read, dependencies: string[]]> = {
  'of all columns': [articles({ status: 'draft' }), ['article(status=draft)']],
  'of the columns that it reads': [
    articles({ status: 'draft' }, { fields: ['title'] }),
    ['article(status=draft; reads id, title)'],
  ],
  'of none if it counts': [
    em => em.count(Article, { status: 'draft' }),
    ['article(status=draft; membership)'],
  ],
  'of none if it counts by range': [
    em => em.count(Article, { status: 'draft', views: { $gt: 3n } }),
    ['article(status=draft and views>3; membership)'],
  ],
  'of what a condition compares that is not understood': [
    em => em.count(Article, { status: 'draft', [raw('lower("a0"."title")')]: 'x' }),
    ['article(status=draft; reads title)'],
  ],
  'of any column where a fragment names one without its table': [
    em => em.count(Article, { status: 'draft', [raw('lower(title)')]: 'x' }),
    ['article(status=draft)'],
  ],
  'of what decides about the type of a row': [
    em => em.count(Post, { pinned: true }),
    ['content(pinned=true; reads type)'],
  ],
  'of what it sorts by': [
    articles({ status: 'draft' }, { fields: ['title'], orderBy: { price: 'asc', id: 'asc' } }),
    ['article(status=draft; reads id, price, title)'],
  ],
  'of any column if LIMIT takes the first rows': [
    articles({ status: 'draft' }, { fields: ['title'], limit: 1 }),
    ['article(status=draft)'],
  ],
  'of any column if LIMIT decides between rows that are equal': [
    articles({ status: 'draft' }, { fields: ['title'], orderBy: { title: 'asc' }, limit: 1 }),
    ['article(status=draft)'],
  ],
  'of any column if a subquery has a LIMIT': [
    em =>
      em.find(
        Article,
        {},
        { populate: ['tags'], fields: ['title', 'tags.name'], strategy: 'joined', limit: 1 },
      ),
    ['article', 'article_tags', 'tag'],
  ],
  'of the columns that it reads if LIMIT has nothing to decide': [
    em => em.findOne(Article, { id: 7 }, { fields: ['title'] }),
    ['article(id=7; reads title)'],
  ],
  'of a page': [
    articles({ status: 'draft' }, { fields: ['title'], orderBy: { views: 'desc', id: 'asc' }, limit: 1 }),
    ['article(status=draft; reads id, title, views)'],
  ],
  'of a missing relation': [
    em => em.count(Category, { parent: null }),
    ['category(parent_id=null; membership)'],
  ],
  'of what a filter on a joined row reads': [
    em => em.count(Article, { author: { home: { city: 'x' } } }),
    ['article(reads author_id)', 'author(home_city=x; reads id)'],
  ],
  'of a joined collection': [
    em =>
      em.find(
        Author,
        { id: 1 },
        { populate: ['articles'], fields: ['name', 'articles.title'], strategy: 'joined' },
      ),
    ['author(id=1; reads name)', 'article(author_id=1; reads id, title)'],
  ],
};

describe('the dependencies of a result', () => {
  let blog: Started;

  before(async () => {
    await createBlog();
    blog = await join({ entities, cacheops: {} });
  });

  after(() => blog.orm.close());

  for (const [what, [read, dependencies]] of Object.entries(READS)) {
    it(`a result depends on no more than changes ${what}`, async () => {
      const [event] = await readsOf(blog.cache, () => read(blog.orm.em.fork()));
      expect(event!.dependencies, event!.reason).to.have.members(dependencies);
    });
  }
});
