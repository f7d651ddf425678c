import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
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
  Tag,
} from '../../../fixtures/legacy/index.js';
import { startBlog, uuid } from '../support/blog.js';
import { sourcesOf } from '../support/observe.js';
import { partsOf, snapshotOf } from '../support/snapshot.js';
import { joinUncached, type Started } from '../support/start.js';

type Read = (em: EntityManager) => Promise<unknown>;

const STRATEGIES = ['joined', 'select-in', 'balanced'] as const;

const POPULATED = Object.fromEntries(
  STRATEGIES.flatMap(
    strategy =>
      [
        [
          `relations, ${strategy}`,
          em =>
            em.find(
              Article,
              {},
              { populate: ['author', 'category.parent', 'tags', 'comments.author'], strategy },
            ),
        ],
        [
          `the other side, ${strategy}`,
          em => em.find(Author, {}, { populate: ['articles.tags', 'articles.translations'], strategy }),
        ],
        [`everything, ${strategy}`, em => em.find(Article, { id: 1 }, { populate: ['*'], strategy })],
        [
          `some fields, ${strategy}`,
          em => em.find(Article, {}, { fields: ['title', 'author.name', 'tags.name'], strategy }),
        ],
        [
          `references only, ${strategy}`,
          em => em.find(Article, {}, { populate: ['author:ref' as never, 'tags:ref' as never], strategy }),
        ],
        [
          `what a condition leaves, ${strategy}`,
          em =>
            em.find(
              Author,
              { articles: { tags: { name: 'green' } } },
              { populate: ['articles.tags'], populateWhere: 'infer', strategy },
            ),
        ],
        [
          `a tree, ${strategy}`,
          em => em.find(Category, {}, { populate: ['children.children', 'parent'], strategy }),
        ],
        [
          `pages, ${strategy}`,
          em =>
            em.find(
              Article,
              {},
              { populate: ['tags'], strategy, limit: 2, offset: 1, orderBy: { title: 'desc' } },
            ),
        ],
      ] satisfies [string, Read][],
  ),
);

const READS: Record<string, Read> = {
  ...POPULATED,
  'all columns': em => em.find(Article, {}),
  'no row': em => em.find(Article, { title: 'none' }),
  'no entity': em => em.findOne(Article, { title: 'none' }),
  'one by key': em => em.findOne(Article, 1),
  'embeddables and json': em => em.find(Author, {}),
  'all but some fields': em => em.find(Author, {}, { exclude: ['settings', 'home.city', 'email'] }),
  'part of an embeddable': em => em.find(Author, {}, { fields: ['home.city', 'office.street'] }),
  'a composite key': em => em.find(ArticleTranslation, {}, { populate: ['article'] }),
  'one by composite key': em => em.findOne(ArticleTranslation, { article: 1, locale: 'de' }),
  uuids: em => em.find(Comment, { id: uuid(1) }),
  'single table inheritance': em => em.find(Content, {}),
  'a child of it': em => em.find(Post, {}),
  'a page and its number': em => em.findAndCount(Article, { tags: { name: 'green' } }, { limit: 1 }),
  'a number': em => em.count(Article, { author: { name: 'Ann' } }),
  'a cursor': em => em.findByCursor(Article, { first: 2, orderBy: { id: 'asc' } } as never),
  'the last ones': em => em.findByCursor(Article, { last: 2, orderBy: { id: 'asc' } } as never),
  'rows backwards': em => em.find(Article, {}, { orderBy: { id: 'desc' } }),
  'a collection': async em => (await em.findOneOrFail(Article, 1)).tags.init(),
  'a collection of the other side': async em =>
    (await em.findOneOrFail(Author, 1)).articles.init({ populate: ['tags'] }),
  'part of a collection': async em =>
    (await em.findOneOrFail(Article, 1)).tags.matching({ where: { name: 'red' }, store: true } as never),
  'the size of a collection': async em => (await em.findOneOrFail(Article, 1)).comments.loadCount(),
  'a reference': async em => (await em.findOneOrFail(Article, 1)).author.load(),
  'a reference with relations': async em =>
    (await em.findOneOrFail(Article, 1)).author.load({ populate: ['articles'] }),
  'what is populated later': async em => em.populate(await em.find(Article, {}), ['author', 'tags']),
  'rows without an identity': em => em.find(Article, {}, { disableIdentityMap: true, populate: ['author'] }),
  'the same row in two forms': async em => [
    await em.find(Article, { id: 1 }, { fields: ['title'] }),
    await em.find(Article, { id: 1 }, { populate: ['tags'] }),
    await em.findOne(Author, 1),
  ],
};

describe('a hit', () => {
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

  async function snapshot(orm: MikroORM, read: Read): Promise<string> {
    const em = orm.em.fork();
    return snapshotOf(em, await read(em));
  }

  for (const [name, read] of Object.entries(READS)) {
    it(`gives what the database would give: ${name}`, async () => {
      const expected = await snapshot(uncached, read);
      expect(JSON.parse(expected).changes).to.deep.equal([]);
      await readTwiceAs(expected, read);
    });

    it(`shares no object with another hit: ${name}`, async () => {
      const [first, second] = [blog.orm.em.fork(), blog.orm.em.fork()];
      await read(blog.orm.em.fork());
      await blog.cache.idle();
      await read(first);
      await read(second);
      expect([...partsOf(first)].filter(part => partsOf(second).has(part))).to.deep.equal([]);
    });
  }

  it('is unaffected by changes to the objects of an earlier hit', async () => {
    const read: Read = em => em.find(Author, { id: 1 }, { populate: ['articles'] });
    const expected = await snapshot(uncached, read);
    await readTwiceAs(expected, read);
    const [author] = (await read(blog.orm.em.fork())) as Author[];
    author!.home!.city = 'Elsewhere';
    (author!.settings!.theme as { dark: boolean }).dark = false;
    (author!.settings!.sizes as number[]).push(4);
    author!.articles.getItems()[0]!.publishedAt!.setTime(0);
    expect(await snapshot(blog.orm, read)).to.equal(expected);
  });

  it('keeps unflushed changes of entities in the EntityManager', async () => {
    for (let i = 0; i < 2; i++) {
      const em = blog.orm.em.fork();
      const article = await em.findOneOrFail(Article, 2);
      article.title = 'Changed';
      expect((await em.find(Article, { id: 2 }, { populate: ['tags'] }))[0]!.title).to.equal('Changed');
      await blog.cache.idle();
    }
  });

  it('calls lifecycle hooks as a read from the database does', async () => {
    const loaded: string[] = [];
    blog.orm.em.getEventManager().registerSubscriber({
      getSubscribedEntities: () => [Tag],
      onLoad: ({ entity }) => void loaded.push((entity as Tag).name),
    });
    const read: Read = em => em.find(Tag, {}, { orderBy: { name: 'asc' } });
    await read(blog.orm.em.fork());
    await blog.cache.idle();
    expect(await sourcesOf(blog.cache, () => read(blog.orm.em.fork()))).to.deep.equal(['cache']);
    expect(loaded).to.deep.equal(['blue', 'green', 'red', 'blue', 'green', 'red']);
  });

  async function readTwiceAs(expected: string, read: Read): Promise<void> {
    expect(await snapshot(blog.orm, read), 'before').to.equal(expected);
    await blog.cache.idle();
    const sources = await sourcesOf(blog.cache, async () => {
      expect(await snapshot(blog.orm, read), 'cached').to.equal(expected);
    });
    expect(new Set(sources)).to.deep.equal(new Set(['cache']));
  }
});
