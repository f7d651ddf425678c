import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import {
  Article,
  ArticleTranslation,
  Author,
  Category,
  Comment,
  Content,
  entities,
  Post,
  Slug,
  Tag,
} from '../../../fixtures/legacy/index.js';
import { withGranularity } from '../../../lib/config/granularity.js';
import { createBlog, uuid } from '../support/blog.js';
import { readsOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';

type Read = (em: EntityManager) => Promise<unknown>;

const articles =
  (where: object): Read =>
  em =>
    em.find(Article, where);

const READS: Record<string, [read: Read, dependencies: string[]]> = {
  everything: [articles({}), ['article']],
  equality: [articles({ status: 'draft' }), ['article(status=draft)']],
  $eq: [articles({ status: { $eq: 'draft' } }), ['article(status=draft)']],
  null: [articles({ category: null, slug: { $eq: null } }), ['article(category_id=null and slug=null)']],
  $in: [articles({ id: { $in: [1, 2] } }), ['article(id=1)', 'article(id=2)']],
  'a list': [articles({ id: [1, 2, 2] }), ['article(id=1)', 'article(id=2)']],
  'a key': [em => em.findOne(Article, 7), ['article(id=7)']],
  'a composite key': [
    em => em.findOne(ArticleTranslation, { article: 1, locale: 'de' }),
    ['article_translation(article_id=1 and locale=de)'],
  ],
  'composite keys': [
    em =>
      em.find(ArticleTranslation, [
        [1, 'de'],
        [2, 'fr'],
      ] as never),
    ['article_translation(article_id=1 and locale=de)', 'article_translation(article_id=2 and locale=fr)'],
  ],
  'what is no equality': [
    articles({ status: { $ne: 'draft' }, views: { $gt: 3n }, title: { $like: 'a%' } }),
    ['article'],
  ],
  'what is not all equality': [articles({ status: 'draft', price: { $gt: '3' } }), ['article(status=draft)']],
  'equality twice': [articles({ id: { $in: [1, 2], $gt: 1 } }), ['article(id=1)', 'article(id=2)']],
  $nin: [articles({ id: { $nin: [1, 2] } }), ['article']],
  $or: [
    articles({ $or: [{ status: 'draft' }, { author: 1 }] }),
    ['article(status=draft)', 'article(author_id=1)'],
  ],
  '$or with something wide': [articles({ $or: [{ status: 'draft' }, { views: { $gt: 3n } }] }), ['article']],
  $and: [articles({ $and: [{ status: 'draft' }, { author: 1 }] }), ['article(author_id=1 and status=draft)']],
  '$and of $or': [
    articles({ $and: [{ $or: [{ id: 1 }, { id: 2 }] }, { $or: [{ author: 1 }, { author: 2 }] }] }),
    [
      'article(author_id=1 and id=1)',
      'article(author_id=2 and id=1)',
      'article(author_id=1 and id=2)',
      'article(author_id=2 and id=2)',
    ],
  ],
  $not: [articles({ $not: { status: 'draft' } }), ['article']],
  '$not of $ne': [articles({ $not: { status: { $ne: 'draft' } } }), ['article(status=draft)']],
  '$not of several': [
    articles({ $not: { status: { $ne: 'draft' }, author: { $ne: 1 } } }),
    ['article(status=draft)', 'article(author_id=1)'],
  ],
  '$not of $and': [
    articles({ $not: { $and: [{ status: { $ne: 'draft' } }, { author: { $ne: 1 } }] } }),
    ['article(status=draft)', 'article(author_id=1)'],
  ],
  '$not of $or': [
    articles({ $not: { $or: [{ status: { $ne: 'draft' } }, { author: { $ne: 1 } }] } }),
    ['article(author_id=1 and status=draft)'],
  ],
  '$not of operators': [
    articles({ $not: { id: { $ne: 1, $nin: [2] } } }),
    ['article(id=1)', 'article(id=2)'],
  ],
  '$not twice': [articles({ $not: { $not: { status: 'draft' } } }), ['article(status=draft)']],
  'values in canonical form': [
    articles({ price: '01.50', views: 3n, publishedAt: new Date('2024-01-01T00:00:00.5Z') }),
    ['article(price=1.5 and published_at=1704067200500000 and views=3)'],
  ],
  'other values': [
    em => em.find(Author, { bornOn: '1980-02-29', reputation: 7, name: 'A,n%' }),
    ['author(born_on=1980-02-29 and name=A,n% and reputation=7)'],
  ],
  booleans: [em => em.find(Comment, { approved: false }), ['comment(approved=false)']],
  uuids: [em => em.find(Comment, { id: uuid(1).toUpperCase() }), [`comment(id=${uuid(1)})`]],
  'custom types': [articles({ slug: Slug.of('A b') }), ['article(slug=a-b)']],
  'embeddables in columns': [
    em => em.find(Author, { home: { city: 'x', country: null } }),
    ['author(home_city=x and home_country=null)'],
  ],
  'embeddables in json': [
    em => em.find(Author, { office: { city: 'x' }, name: 'a' }),
    ['author(office.city=x and name=a)'],
  ],
  'a text in json': [
    em => em.find(Author, { settings: { a: { b: 'x' } }, name: 'a' }),
    ['author(settings.a.b=x and name=a)'],
  ],
  json: [em => em.find(Author, { settings: { a: 1 }, name: 'a' }), ['author(name=a)']],
  'a foreign key': [articles({ author: 1 }), ['article(author_id=1)']],
  'a foreign key as an object': [articles({ author: { id: 1 } }), ['article(author_id=1)']],
  'a foreign key in a list': [
    articles({ author: { id: { $in: [1, 2] } } }),
    ['article(author_id=1)', 'article(author_id=2)'],
  ],
  'an entity': [em => em.find(Article, { author: em.getReference(Author, 1) }), ['article(author_id=1)']],
  'a relation': [
    articles({ status: 'draft', author: { name: 'Ann' } }),
    ['article(status=draft)', 'author(name=Ann)'],
  ],
  'a relation that may be missing': [articles({ category: { parent: null } }), ['article', 'category']],
  'a relation and its key': [
    articles({ author: { id: 1, name: 'Ann' } }),
    ['article(author_id=1)', 'author(id=1 and name=Ann)'],
  ],
  'a deep relation': [
    em => em.find(Comment, { article: { author: { name: 'Ann' }, status: 'draft' } }),
    ['comment', 'article(status=draft)', 'author(name=Ann)'],
  ],
  'a relation to the same table': [
    em => em.find(Category, { name: 'a', parent: { name: 'b' } }),
    ['category(name=a)', 'category(name=b)'],
  ],
  'a relation in $or': [
    articles({ $or: [{ status: 'draft' }, { author: { name: 'Ann' } }] }),
    ['article', 'author'],
  ],
  'relations in $not': [articles({ $not: { author: { name: { $ne: 'Ann' } } } }), ['article', 'author']],
  'a collection': [
    em => em.find(Author, { articles: { status: 'draft' } }),
    ['author', 'article(status=draft)'],
  ],
  'a collection of many': [articles({ tags: { name: 'red' } }), ['article', 'article_tags', 'tag(name=red)']],
  'a collection by key': [em => em.find(Tag, { articles: 1 }), ['tag', 'article_tags(article_id=1)']],
  'a collection with groups': [
    em => em.find(Author, { articles: { $or: [{ status: 'draft' }, { status: 'archived' }] } }),
    ['author', 'article'],
  ],
  // the condition stands around a query of its own, which names both tables again
  $some: [
    em => em.find(Author, { name: 'a', articles: { $some: { status: 'draft' } } }),
    ['author(name=a)', 'article(status=draft)'],
  ],
  $none: [
    em => em.find(Author, { name: 'a', articles: { $none: { status: 'draft' } } }),
    ['author(name=a)', 'article(status=draft)'],
  ],
  'a joined populate': [
    em => em.find(Article, { id: 1 }, { populate: ['author', 'tags'], strategy: 'joined' }),
    ['article(id=1)', 'author', 'article_tags(article_id=1)', 'tag'],
  ],
  'a joined populate of the same table': [
    em => em.find(Category, { name: 'a' }, { populate: ['parent'], strategy: 'joined' }),
    ['category'],
  ],
  pages: [
    em => em.find(Article, { status: 'draft' }, { populate: ['tags'], strategy: 'joined', limit: 2 }),
    ['article', 'article_tags', 'tag'],
  ],
  'an order by a relation': [
    em => em.find(Article, { id: 1 }, { orderBy: { author: { name: 1 } } }),
    ['article(id=1)', 'author'],
  ],
  'single table inheritance': [em => em.find(Post, { title: 'a' }), ['content(title=a)']],
  'all of single table inheritance': [em => em.find(Content, { type: 'post' }), ['content(type=post)']],
  'a number': [
    em => em.count(Article, { status: 'draft', author: { name: 'Ann' } }),
    ['article(status=draft)', 'author(name=Ann)'],
  ],
  'an impossible condition': [articles({ id: { $in: [] } }), ['article']],
};

describe('with the granularity of equality', () => {
  let blog: Started;

  before(async () => {
    await createBlog();
    blog = await join({ entities, cacheops: withGranularity({ maxIn: 3, maxConjunctions: 4 }, 'equality') });
  });

  after(() => blog.orm.close());

  for (const [what, [read, dependencies]] of Object.entries(READS)) {
    it(`a result depends on the rows of its condition: ${what}`, async () => {
      const [event] = await readsOf(blog.cache, () => read(blog.orm.em.fork()));
      expect(event!.dependencies, event!.reason).to.have.members(dependencies);
    });
  }

  it('a condition with more alternatives than maxConjunctions depends on the whole table', async () => {
    const dependencies = async (where: object) =>
      (await readsOf(blog.cache, () => blog.orm.em.fork().find(Article, where)))[0]!.dependencies;
    const ids = (...values: number[]) => ({ id: { $in: values } });
    expect(await dependencies(ids(1, 2, 3))).to.have.length(3);
    expect(await dependencies(ids(1, 2, 3, 4))).to.deep.equal(['article']);
    expect(await dependencies({ ...ids(1, 2, 3, 4), status: 'draft' })).to.deep.equal([
      'article(status=draft)',
    ]);
    expect(await dependencies({ ...ids(1, 2), author: { $in: [1, 2] } })).to.have.length(4);
    expect(await dependencies({ ...ids(1, 2, 3), author: { $in: [1, 2] } })).to.have.members([
      'article(author_id=1)',
      'article(author_id=2)',
    ]);
    expect(await dependencies({ $or: [ids(1, 2, 3), { author: { $in: [1, 2] } }] })).to.deep.equal([
      'article',
    ]);
  });
});
