import { defineEntity, LockMode, p, raw, sql } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, Author, entities, Tag } from '../../../fixtures/legacy/index.js';
import { createBlog } from '../support/blog.js';
import { embedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';

const cached = { ops: 'all', timeout: 60 } as const;

const ArticleView = defineEntity({
  name: 'ArticleView',
  tableName: 'article_view',
  cacheops: cached,
  properties: { id: p.integer().primary(), title: p.string() },
});

const Reading = defineEntity({
  name: 'Reading',
  tableName: 'reading',
  cacheops: cached,
  properties: { id: p.integer().primary(), region: p.integer().primary() },
});

const Virtual = defineEntity({
  name: 'Virtual',
  cacheops: cached,
  expression: 'select title, id from article',
  properties: { id: p.integer(), title: p.string() },
});

const Random = defineEntity({
  name: 'Random',
  tableName: 'author',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    dice: p
      .float()
      .persist(false)
      .formula(() => 'random()'),
  },
});

const Aged = defineEntity({
  name: 'Aged',
  tableName: 'author',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    old: p
      .boolean()
      .persist(false)
      .formula(author => `${author}.born_on < current_date`),
  },
});

const Past = defineEntity({
  name: 'Past',
  tableName: 'author',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    old: p
      .boolean()
      .persist(false)
      .formula(author => `${author}.born_on < 'today'`),
  },
});

const Counted = defineEntity({
  name: 'Counted',
  tableName: 'author',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    articles: p
      .integer()
      .persist(false)
      .formula(table => `(select count(*) from article where author_id = ${table}.id)`),
  },
});

const ids = { id: p.integer().primary() };
const Draft = defineEntity({ name: 'Draft', cacheops: cached, properties: ids });
const Split = defineEntity({ name: 'Split', cacheops: cached, properties: ids });
const Parent = defineEntity({ name: 'Parent', cacheops: cached, properties: ids });
const Passing = defineEntity({ name: 'Passing', cacheops: cached, properties: ids });
const Sketch = defineEntity({
  name: 'Sketch',
  cacheops: cached,
  properties: { ...ids, draft: () => p.manyToOne(Draft).joinColumn('draft') },
});
const DraftView = defineEntity({
  name: 'DraftView',
  cacheops: { ...cached, tables: ['author'] },
  properties: ids,
});
const UNLOGGED = 'an unlogged table, which a crash of the database empties';

type Read = (em: EntityManager) => Promise<unknown>;

const UNCACHED: Record<string, [reason: string, read: Read]> = {
  'a pessimistic lock': [
    'a lock',
    em => em.transactional(tx => tx.findOne(Article, 1, { lockMode: LockMode.PESSIMISTIC_WRITE })),
  ],
  'a shared lock': [
    'a lock',
    em => em.transactional(tx => tx.find(Article, {}, { lockMode: LockMode.PESSIMISTIC_READ })),
  ],
  'a refresh': ['a refresh', em => em.find(Article, {}, { refresh: true })],
  'a view': [
    'article_view, which is not a table: name the tables behind it in the option tables',
    em => em.find(ArticleView, {}),
  ],
  'a number in a view': [
    'article_view, which is not a table: name the tables behind it in the option tables',
    em => em.count(ArticleView, {}),
  ],
  'a table with a partition on another server': [
    'reading, which has rules, or partitions in other databases',
    em => em.find(Reading, { region: 1 }),
  ],
  'an unlogged table': [`draft, ${UNLOGGED}`, em => em.find(Draft, { id: 1 })],
  'a number in an unlogged table': [`draft, ${UNLOGGED}`, em => em.count(Draft)],
  'a table with an unlogged partition': [`split, ${UNLOGGED}`, em => em.find(Split, {})],
  'a table with an unlogged child': [`parent, ${UNLOGGED}`, em => em.find(Parent, {})],
  'a condition on rows of an unlogged table': [
    `draft, ${UNLOGGED}`,
    em => em.find(Sketch, { draft: { $or: [{ id: 1 }, { id: { $gt: 5 } }] } }, { populate: ['draft'] }),
  ],
  'a view of an unlogged table, whatever tables are declared': [
    `draft_view, ${UNLOGGED}`,
    em => em.find(DraftView, {}),
  ],
  'a virtual entity': [
    'a virtual entity: name the tables behind it in the option tables',
    em => em.find(Virtual, {}),
  ],
  'a random formula': ['a call of random()', em => em.find(Random, {})],
  'a formula of the clock': ['current_date, which is not the same at every time', em => em.find(Aged, {})],
  'a formula with a word for a time': ['a value that is read by the clock', em => em.find(Past, { id: 1 })],
  'a condition with now()': [
    'current_timestamp, which is not the same at every time',
    em => em.find(Article, { publishedAt: { $lt: sql.now() } } as never),
  ],
  'a raw condition of the clock': [
    'current_timestamp, which is not the same at every time',
    em => em.find(Article, { publishedAt: { $lt: raw('current_timestamp') } } as never),
  ],
  'a raw key with a function': [
    'a call of clock_timestamp()',
    em => em.find(Article, { [raw('clock_timestamp()')]: { $ne: null } } as never),
  ],
  'an order by chance': [
    'a call of random()',
    em => em.find(Article, {}, { orderBy: { [raw('random()')]: 'asc' } as never }),
  ],
  'a word for a time': [
    'a value that is read by the clock',
    em => em.find(Author, { bornOn: { $lt: 'today' } }),
  ],
  'two words for a time': [
    'a value that is read by the clock',
    em => em.find(Article, { publishedAt: { $lt: 'Tomorrow 12:00' as never } }),
  ],
  'a raw word for a time': [
    'a value that is read by the clock',
    em => em.find(Article, { [raw(`published_at < 'now' and true`)]: true } as never),
  ],
};

describe('a read that is never cached', () => {
  let blog: Started;

  before(async () => {
    await createBlog();
    await (await embedded()).exec(`create view article_view as select id, title from article;
      create table reading (id int, region int) partition by list (region);
      create table near_reading partition of reading for values in (1);
      create unlogged table draft (id int primary key);
      create table split (id int primary key) partition by range (id);
      create unlogged table split_low partition of split for values from (0) to (10);
      create table parent (id int primary key); create unlogged table heir () inherits (parent);
      create table sketch (id int primary key, draft int);
      create view draft_view as select s.id from sketch as s join draft on draft.id = s.draft;
      create foreign data wrapper elsewhere; create server far_away foreign data wrapper elsewhere;
      create foreign table far_reading partition of reading for values in (2) server far_away`);
    blog = await join({
      entities: [
        ...[...entities, ArticleView, Reading, Virtual, Random, Aged, Past, Counted],
        ...[Draft, Split, Parent, Passing, Sketch, DraftView],
      ],
      discovery: { checkDuplicateTableNames: false },
    });
  });

  after(() => blog.orm.close());

  it('a temporary table is read from the database every time', async () => {
    const pglite = await embedded();
    await pglite.exec('create temporary table passing (id int primary key)');
    const { orm, cache } = await join({ entities: [Passing] });
    for (let i = 0; i < 2; i++) {
      const read = () => orm.em.fork().find(Passing, {});
      expect(await sourcesOf(cache, read)).to.deep.equal(['a session with settings of its own']);
    }
    await orm.close();
    await pglite.exec('drop table passing');
  });

  for (const [what, [reason, read]] of Object.entries(UNCACHED)) {
    it(`${what} is read from the database every time`, async () => {
      for (let i = 0; i < 2; i++) {
        expect(await sourcesOf(blog.cache, () => read(blog.orm.em.fork()))).to.deep.equal([reason]);
      }
    });
  }

  it('em.refresh() reads from the database', async () => {
    const em = blog.orm.em.fork();
    const article = await em.findOneOrFail(Article, 1);
    await blog.cache.idle();
    expect(await sourcesOf(blog.cache, () => em.refresh(article))).to.deep.equal(['scope']);
    expect(await sourcesOf(blog.cache, () => em.refreshOrFail(article))).to.deep.equal(['scope']);
  });

  it('loading an entity again with refresh reads from the database', async () => {
    const em = blog.orm.em.fork();
    const article = await em.findOneOrFail(Article, 1, { populate: ['author'] });
    await blog.cache.idle();
    const again = await sourcesOf(blog.cache, async () => {
      await article.author.load({ refresh: true });
      await article.tags.init();
      await article.tags.init();
    });
    expect(again.filter(source => source === 'a refresh')).to.have.length.of.at.least(2);
  });

  it('em.lock() reads from the database', async () => {
    await blog.orm.em.fork().transactional(async em => {
      const article = await em.findOneOrFail(Article, 1);
      await em.lock(article, LockMode.PESSIMISTIC_WRITE);
      await em.nativeUpdate(Article, { id: 1 }, { body: 'locked' });
    });
  });

  it('raw SQL goes to the database', async () => {
    const read = async () => {
      const em = blog.orm.em.fork();
      await em.execute('select 1 from article');
      await em
        .getKysely()
        .selectFrom('article' as never)
        .selectAll()
        .execute();
    };
    expect(await sourcesOf(blog.cache, read)).to.deep.equal([]);
  });

  it('queries that only look like such reads are cached', async () => {
    for (const read of [
      em => em.find(Tag, { name: 'red today' }),
      em => em.find(Tag, { [raw('lower(name)')]: 'red' } as never),
      em => em.find(Counted, {}),
    ] satisfies Read[]) {
      await read(blog.orm.em.fork());
      await blog.cache.idle();
      expect(await sourcesOf(blog.cache, () => read(blog.orm.em.fork()))).to.deep.equal(['cache']);
    }
  });

  it('a change of a table that a formula reads invalidates the result', async () => {
    const read = async () =>
      (await blog.orm.em.fork().find(Counted, {}, { orderBy: { id: 1 } })).map(row => row.articles);
    const before = await read();
    await blog.cache.idle();
    await blog.orm.em.fork().nativeUpdate(Article, { id: 4 }, { author: 1 });
    expect(await read()).not.to.deep.equal(before);
  });
});
