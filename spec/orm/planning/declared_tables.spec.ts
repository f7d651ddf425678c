import { defineEntity, p, raw } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, Author, Comment, Content, entities, Tag } from '../../../fixtures/legacy/index.js';
import { CacheopsError, type CacheopsOptions, type TableSources } from '../../../lib/index.js';
import { createBlog } from '../support/blog.js';
import { embedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import { snapshotOf } from '../support/snapshot.js';
import { join, type Started } from '../support/start.js';

const named = { ops: 'all', timeout: 60, tables: () => [Author, Article] } as const;

/** By a text. */
const Productive = defineEntity({
  name: 'Productive',
  cacheops: named,
  expression:
    'select author.name, count(article.id)::int as articles from author left join article on author_id = author.id group by author.id',
  properties: { name: p.string(), articles: p.integer() },
});

/** By a query builder, of which the options tell what it asks for. */
const Written = defineEntity({
  name: 'Written',
  cacheops: named,
  expression: (em: EntityManager) =>
    em
      .createQueryBuilder(Article, 'a')
      .select(['a.title', raw('w.name as writer'), raw('a.author_id')])
      .join('a.author', 'w')
      .where({ status: { $ne: minimum.status } } as never),
  properties: { title: p.string(), writer: p.string(), author: () => p.manyToOne(Author) },
});

/** What expressions capture. */
const minimum = { status: 'draft' };

/** By a function that asks for itself. */
const ByHand = defineEntity({
  name: 'ByHand',
  cacheops: named,
  expression: (async (em: EntityManager) =>
    (await em.execute('select name from author order by id')).map(({ name }) => ({
      name: `${name}!`,
    }))) as never,
  properties: { name: p.string() },
});

const ArticleView = defineEntity({
  name: 'ArticleView',
  tableName: 'article_view',
  cacheops: { ...named, tables: ['article', 'author'] },
  properties: { id: p.integer().primary(), title: p.string(), writer: p.string() },
});

const Kept = defineEntity({
  name: 'Kept',
  tableName: 'kept',
  cacheops: { ...named, tables: [] },
  properties: { id: p.integer().primary(), title: p.string() },
});

const formula = (name: string, expression: string) =>
  defineEntity({
    name,
    tableName: 'author',
    cacheops: named,
    properties: {
      id: p.integer().primary(),
      value: p
        .string()
        .persist(false)
        .formula(author => expression.replaceAll('$', String(author))),
    },
  });

const Ranked = formula('Ranked', 'ranked($.id)');
const UNSTABLE = {
  Clocked: 'clocked($.id)',
  Deep: 'deep($.id)',
  Tenant: 'tenant()',
  Formatted: `to_char(now(), 'YYYY')`,
  Chance: 'random()::text',
  Writing: 'writing($.id)',
};
const unstable = Object.entries(UNSTABLE).map(([name, expression]) => formula(name, expression));

const TodayView = defineEntity({
  name: 'TodayView',
  tableName: 'today_view',
  cacheops: named,
  properties: { id: p.integer().primary() },
});

const DEFINITIONS = `
  create view article_view as
    select article.id, title, name as writer from article join author on author.id = author_id;
  create view today_view as select id from article where published_at < now();
  create materialized view kept as select id, title from article;
  create function ranked(integer) returns text language plpgsql stable as $$
    begin return (select max(title) from article where author_id = $1); end $$;
  create function clocked(integer) returns text language plpgsql stable as $$
    begin return (select max(title) from article where published_at < Now ()); end $$;
  create function deep(integer) returns text language sql stable as 'select clocked($1)';
  create function tenant() returns text language sql stable as $$ select current_setting('app.tenant', true) $$;
  create function writing(integer) returns text language plpgsql as $$
    begin update author set reputation = 1 where id = $1; return ''; end $$;`;

type Read = (em: EntityManager) => Promise<unknown>;

const READS: Record<string, Read> = {
  'a virtual entity of a text': em => em.find(Productive, {}),
  'its number': em => em.count(Productive, { articles: { $gt: 0 } }),
  'some of it': em =>
    em.find(Productive, { articles: { $gt: 0 } }, { orderBy: { name: 'asc' }, limit: 2, offset: 1 }),
  'one of it': em => em.findOne(Productive, { name: 'Ann' }),
  'of a virtual entity, some and their number': em =>
    em.findAndCount(Productive, {}, { limit: 1, orderBy: { name: 1 } }),
  'a virtual entity of a query builder': em => em.find(Written, {}, { orderBy: { title: 1 } }),
  'of that, by a relation': em => em.find(Written, { author: 1 }, { orderBy: { title: 1 } }),
  'of that, and what it refers to': em =>
    em.find(Written, {}, { populate: ['author'], orderBy: { title: 1 } }),
  'a view': em => em.find(ArticleView, {}),
  'some of a view': em =>
    em.find(ArticleView, { writer: { $ne: 'Cid' } }, { orderBy: { id: 'desc' }, limit: 2 }),
  'the number in a view': em => em.count(ArticleView, { title: { $like: 'F%' } }),
  'a function in a formula': em => em.find(Ranked, {}, { orderBy: { id: 1 } }),
  'a function in a raw condition': em =>
    em.find(Author, { [raw(alias => `ranked(${alias}.id)`)]: { $ne: 'First' } } as never, {
      cacheops: { tables: [Article] },
    }),
  'a function in a query builder': em =>
    em
      .createQueryBuilder(Author, 'w')
      .select([raw('max(ranked(w.id)) as best')])
      .cacheops({ tables: [Article] })
      .execute(),
};

const WRITES: Read[] = [
  em => em.nativeUpdate(Author, { id: 1 }, { name: 'Anne' }),
  async em => {
    (await em.findOneOrFail(Article, 1)).title = 'Foremost';
    await em.flush();
  },
  em => em.nativeUpdate(Article, { id: 3 }, { author: 1 }),
  em => em.insert(Article, { id: 9, title: 'Zwölfter', author: 2, status: 'published' } as never),
  em => em.execute(`update author set name = 'Bea' where id = 2`),
  async em => {
    await em.execute('delete from comment');
    await em.execute('delete from article_tags');
    await em.getConnection().execute('delete from article where id = 1');
  },
  em =>
    em
      .getKysely()
      .updateTable('article' as never)
      .set({ title: 'Zz' } as never)
      .execute(),
  em => em.nativeDelete(Article, {}),
];

const own = [Productive, Written, ByHand, ArticleView, Kept, Ranked, ...unstable, TodayView];

describe('SQL that cannot be analysed', () => {
  let blog: Started;

  async function begin(options: CacheopsOptions = {}): Promise<void> {
    blog = await join({
      entities: [...entities, ...own],
      discovery: { checkDuplicateTableNames: false },
      cacheops: options,
    });
  }

  beforeEach(async () => {
    await createBlog();
    await (await embedded()).exec(DEFINITIONS);
    minimum.status = 'draft';
    await begin();
  });

  afterEach(() => blog.orm.close());

  const answer = async (read: Read) => {
    const em = blog.orm.em.fork();
    return snapshotOf(em, await read(em));
  };
  const truth = (read: Read) => blog.cache.disabled(() => answer(read));
  const second = async (read: Read) => {
    await answer(read);
    await blog.cache.idle();
    return sourcesOf(blog.cache, () => answer(read));
  };

  for (const [name, read] of Object.entries(READS)) {
    it(`is cached if its tables are declared, and each write to them invalidates it: ${name}`, async () => {
      expect(new Set(await second(read))).to.deep.equal(new Set(['cache']));
      expect(await answer(read)).to.equal(await truth(read));
      let changed = 0;
      for (const write of WRITES) {
        const before = await truth(read);
        await write(blog.orm.em.fork());
        const after = await truth(read);
        changed += Number(after !== before);
        expect(await answer(read), String(write)).to.equal(after);
        expect(new Set(await second(read)), String(write)).to.deep.equal(new Set(['cache']));
      }
      expect(changed).to.be.above(0);
    });
  }

  it('stays cached when other tables are written', async () => {
    await second(READS['a view']!);
    await blog.orm.em.fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
    await blog.orm.em.fork().nativeDelete(Comment, {});
    expect(await sourcesOf(blog.cache, () => answer(READS['a view']!))).to.deep.equal(['cache']);
  });

  it('has separate entries for other parameters, options and captured variables', async () => {
    const reads: Read[] = [
      em => em.find(Productive, {}),
      em => em.find(Productive, { articles: 0 }),
      em => em.find(Productive, { articles: 1 }),
      em => em.find(Productive, {}, { limit: 1, orderBy: { name: 1 } }),
      em => em.find(Productive, {}, { limit: 1, orderBy: { name: -1 } }),
      em => em.find(Productive, {}, { limit: 1, offset: 1, orderBy: { name: 1 } }),
      em => em.count(Productive, {}),
      em => em.find(ArticleView, { writer: 'Ann' }),
      em => em.find(ArticleView, { writer: 'Bob' }),
      em => em.find(ArticleView, { writer: 'Bob' }, { fields: ['title'] }),
    ];
    for (const read of reads) {
      await answer(read);
    }
    await blog.cache.idle();
    for (const read of reads) {
      expect(await answer(read)).to.equal(await truth(read));
    }
    const written: Read = em => em.find(Written, {}, { orderBy: { title: 1 } });
    const published = await answer(written);
    await blog.cache.idle();
    minimum.status = 'published';
    expect(await answer(written))
      .to.equal(await truth(written))
      .and.not.to.equal(published);
  });

  it('is not cached if no tables are declared', async () => {
    await blog.orm.close();
    for (const meta of [Productive, ArticleView, Ranked]) {
      expect((meta as any).meta.cacheops.tables).not.to.equal(undefined);
    }
    await begin({ profiles: { Tag: { ops: 'all', timeout: 60 } } });
    const reads: Read[] = [
      em => em.find(Tag, { [raw('ranked(id)')]: { $ne: 'x' } } as never),
      em => em.createQueryBuilder(Tag).select(raw('ranked(1) as x')).execute(),
    ];
    for (const read of reads) {
      expect(await second(read)).to.deep.equal([
        'a call of ranked(): name the tables behind it in the option tables',
      ]);
    }
    // to name tables would not help
    const random: Read = em => em.find(Tag, { [raw('random() || ranked(id)')]: 'x' } as never);
    expect(await second(random)).to.deep.equal(['a call of random()']);
  });

  it('is not cached, whatever tables are declared, if it depends on more than tables', async () => {
    const reasons: Record<string, string> = {
      Clocked: 'clocked, in which there is a call of now()',
      Deep: 'clocked, in which there is a call of now()',
      Tenant: 'tenant, in which there is a call of current_setting()',
      Formatted: 'a call of now()',
      Chance: 'a call of random()',
      Writing: 'a call of a function that writes',
    };
    for (const [name, reason] of Object.entries(reasons)) {
      const entity = unstable[Object.keys(UNSTABLE).indexOf(name)]!;
      expect(await second(em => em.find(entity, {})), name).to.deep.equal([reason]);
    }
    expect(await second(em => em.find(TodayView, {}))).to.deep.equal([
      'today_view, in which there is a call of now()',
    ]);
    const em = blog.orm.em.fork();
    const raws = ['current_date', 'clock_timestamp()', `nextval('author_id_seq')`, 'pg_backend_pid()'];
    for (const sql of raws) {
      const read: Read = () =>
        em
          .fork()
          .find(Author, { [raw(`(${sql})::text`)]: { $ne: 'x' } } as never, { cacheops: { tables: [] } });
      expect((await second(read))[0], sql).to.match(/not the same at every time|a call of/);
    }
  });

  it('is not cached if a virtual entity reads itself', async () => {
    expect(await second(em => em.find(ByHand, {}))).to.deep.equal([
      'a virtual entity whose expression gives no SQL',
    ]);
    expect(await blog.orm.em.fork().find(ByHand, {})).to.have.lengthOf.above(0);
  });

  it('a result from a materialized view is invalidated when the view is refreshed', async () => {
    const read: Read = em => em.find(Kept, {}, { orderBy: { id: 1 } });
    expect(await second(read)).to.deep.equal(['cache']);
    await blog.orm.em.fork().nativeUpdate(Article, { id: 1 }, { title: 'Changed' });
    expect(await answer(read)).to.equal(await truth(read));
    await blog.orm.em.fork().execute('refresh materialized view kept');
    expect(await answer(read)).to.include('Changed');
  });

  it('the innermost declaration counts, and an entity stands for all tables of its hierarchy', async () => {
    const find = (tables: TableSources) => (em: EntityManager) =>
      em.find(Ranked, {}, { cacheops: { tables }, orderBy: { id: 1 } });
    const read = find(() => [Content]);
    await second(read);
    const depends = async (table: string) => {
      await answer(read);
      await blog.cache.idle();
      await blog.orm.em.fork().execute(`update "${table}" set id = id where false`);
      await blog.orm.em.fork().execute(`update "${table}" set id = id`);
      return (await sourcesOf(blog.cache, () => answer(read)))[0] !== 'cache';
    };
    expect(await depends('content')).to.equal(true);
    expect(await depends('article')).to.equal(false);
    expect(await depends('author')).to.equal(true);
  });

  it('an entity that is never cached cannot be declared, and its virtual entity is not cached', async () => {
    await blog.orm.close();
    await begin({ profiles: { Article: null } });
    expect(await second(READS['a view']!)).to.deep.equal(['rows of Article, which is never cached']);
  });

  it('a declared table that has got a rule is not cached, and does not make the read fail', async () => {
    const em = () => blog.orm.em.fork();
    const read = () => em().find(Author, {}, { cacheops: { tables: ['author'] } });
    await read();
    await em().execute('create rule author_kept as on delete to author where false do instead nothing');
    try {
      expect(await second(read)).to.deep.equal(['author, which has rules, or partitions in other databases']);
    } finally {
      await em().execute('drop rule author_kept on author');
    }
  });

  it('a declared name that is no table is refused', async () => {
    const em = blog.orm.em.fork();
    class Stranger {}
    for (const [tables, message] of [
      [
        ['autor'],
        /^Author: tables: 'autor' is neither an entity with a table nor a table\. Did you mean '[Aa]uthor'\?/,
      ],
      [['auth.author'], /'auth\.author' is neither/],
      [[Stranger], /Stranger is no entity of this ORM/],
      [() => [Productive], /Productive has no table/],
      [['article_view'], /'article_view' is no table whose changes can be seen/],
      [[ArticleView], /no table whose changes can be seen/],
      [[1], /em\.find\(\): cacheops: tables\[0\]: 1 is neither an entity nor a table/],
      [() => 5, /Author: tables: 5 is no list/],
      [Author, /tables: .*Author.* is no list/],
    ] as [never, RegExp][]) {
      const error = await em.find(Author, {}, { cacheops: { tables } }).then(
        () => undefined,
        (reason: Error) => reason,
      );
      expect(error, String(message)).to.be.instanceOf(CacheopsError);
      expect(error!.message).to.match(message);
    }
  });

  it('a declared class that is no entity is refused at the start', async () => {
    class Stranger {}
    const error = await join({
      entities,
      cacheops: { profiles: { Tag: { tables: () => [Stranger] } } },
    }).then(
      started => started.orm.close(),
      (reason: Error) => reason,
    );
    expect(error).to.be.instanceOf(CacheopsError);
    expect((error as Error).message).to.equal('Tag: tables: Stranger is no entity of this ORM.');
  });
});
