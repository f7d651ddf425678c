import { raw } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import { Article, Author, Category, Content, entities, Post, Tag } from '../../../fixtures/legacy/index.js';
import { CacheopsError } from '../../../lib/index.js';
import { createBlog, restoreBlog } from '../support/blog.js';
import { readsOf, sourcesOf } from '../support/observe.js';
import { partsOf, snapshotOf } from '../support/snapshot.js';
import { join, joinUncached, type Started } from '../support/start.js';

use(chaiAsPromised);

type Read = (em: EntityManager) => Promise<unknown>;

const byAnn = (em: EntityManager) => em.createQueryBuilder(Article, 'a').where({ author: 1 });

/** By the op that they are. */
const READS: Record<string, Record<string, Read>> = {
  fetch: {
    getResult: em => byAnn(em).orderBy({ id: 1 }).getResult(),
    getResultList: em => em.qb(Article).select(['id', 'title']).orderBy({ id: 1 }).getResultList(),
    execute: em => byAnn(em).select('*').orderBy({ id: 1 }).execute(),
    'execute, unmapped': em => byAnn(em).select('*').orderBy({ id: 1 }).execute('all', false),
    'relations that it joins': em =>
      em
        .createQueryBuilder(Article, 'a')
        .leftJoinAndSelect('a.author', 'u')
        .leftJoinAndSelect('a.tags', 't')
        .where({ 'u.name': 'Ann' })
        .orderBy({ 'a.id': 1, 't.id': 1 })
        .getResult(),
    pages: em =>
      em
        .createQueryBuilder(Article, 'a')
        .leftJoinAndSelect('a.tags', 't')
        .orderBy({ 'a.id': 1 })
        .limit(2, 1)
        .getResult(),
    'single table inheritance': em => em.createQueryBuilder(Content).orderBy({ id: 1 }).getResult(),
    'a child of it': em => em.createQueryBuilder(Post).getResult(),
    'embeddables and json': em => em.createQueryBuilder(Author).orderBy({ id: 1 }).getResult(),
    'a subquery': em =>
      em
        .createQueryBuilder(Author, 'u')
        .where({ id: { $in: em.createQueryBuilder(Article, 'x').select('author').toRaw() } })
        .getResult(),
    'raw conditions': em => em.createQueryBuilder(Article).where('length(title) > ?', [5]).getResult(),
    nothing: em => em.createQueryBuilder(Article).where({ title: 'none' }).getResult(),
  },
  get: {
    getSingleResult: em => byAnn(em).orderBy({ id: 1 }).getSingleResult(),
    'getSingleResult of none': em => em.createQueryBuilder(Article).where({ id: 99 }).getSingleResult(),
    'execute of one': em => byAnn(em).select('*').orderBy({ id: 1 }).execute('get'),
    'execute of none': em => em.createQueryBuilder(Article).where({ id: 99 }).execute('get'),
  },
  count: {
    getCount: em => byAnn(em).getCount(),
    'getCount of joined rows': em =>
      em.createQueryBuilder(Article, 'a').leftJoin('a.tags', 't').getCount('a.id', true),
  },
  aggregate: {
    countBy: em => em.countBy(Article, 'author'),
    'countBy of some': em =>
      em.countBy(Article, ['author', 'status'], { where: { category: { $ne: null } } }),
    aggregates: em =>
      em
        .createQueryBuilder(Article)
        .select([raw('max(id) as last'), raw('sum(views) as views')])
        .execute('get', false),
    groups: em =>
      em
        .createQueryBuilder(Article)
        .select(['author', raw('count(*) as articles')])
        .groupBy('author')
        .having({ [raw('count(*)')]: { $gt: 1 } })
        .execute('all', false),
  },
};

const EACH = Object.entries(READS).flatMap(([op, reads]) =>
  Object.entries(reads).map(([name, read]) => ({ op, name, read })),
);

describe('a query builder', () => {
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

  const sources = (read: Read) => sourcesOf(blog.cache, () => read(blog.orm.em.fork()));

  for (const { op, name, read } of EACH) {
    it(`gives from the cache what the database would have given: ${name}`, async () => {
      const expected = await snapshot(uncached, read);
      expect(JSON.parse(expected).changes).to.deep.equal([]);
      expect(await snapshot(blog.orm, read), 'before').to.equal(expected);
      await blog.cache.idle();
      const reads = await readsOf(blog.cache, async () => {
        expect(await snapshot(blog.orm, read), 'cached').to.equal(expected);
      });
      expect(reads.map(each => [each.op, each.source])).to.deep.equal([[op, 'cache']]);
    });

    it(`shares no object with another hit: ${name}`, async () => {
      const [first, second] = [blog.orm.em.fork(), blog.orm.em.fork()];
      await read(blog.orm.em.fork());
      await blog.cache.idle();
      await read(first);
      await read(second);
      expect([...partsOf(first)].filter(part => partsOf(second).has(part))).to.deep.equal([]);
    });

    it(`gives the present rows after every write: ${name}`, async () => {
      for (const write of WRITES) {
        await read(blog.orm.em.fork());
        await blog.cache.idle();
        await write(blog.orm.em.fork());
        expect(await snapshot(blog.orm, read), String(write)).to.equal(await snapshot(uncached, read));
      }
    });
  }

  it('caches a page and its count', async () => {
    const read: Read = em => em.createQueryBuilder(Article).limit(1).getResultAndCount();
    expect(await sources(read)).to.deep.equal(['miss', 'miss']);
    expect(await sources(read)).to.deep.equal(['cache', 'cache']);
  });

  it('depends on rows that its condition selects, and on no others', async () => {
    const read: Read = em =>
      em
        .createQueryBuilder(Article, 'a')
        .where({ author: 1, $or: [{ status: 'published' }, { id: 3 }] })
        .getResult();
    const reads = await readsOf(blog.cache, () => read(blog.orm.em.fork()));
    expect(reads[0]!.dependencies).to.deep.equal([
      'article(author_id=1 and status=published)',
      'article(author_id=1 and id=3)',
    ]);
    await blog.orm.em.fork().nativeUpdate(Article, { author: 2 }, { body: 'x' });
    expect(await sources(read)).to.deep.equal(['cache']);
    await blog.orm.em.fork().nativeUpdate(Article, { id: 3 }, { author: 1 });
    expect(await sources(read)).to.deep.equal(['miss']);
  });

  it('depends on the whole of tables that it joins from the other side, and of subqueries', async () => {
    const read: Read = em =>
      (em.createQueryBuilder(Author, 'u') as any)
        .join('u.articles', 'a', {}, 'right join')
        .where({ 'u.id': null })
        .select('*')
        .getResult();
    const [found] = await readsOf(blog.cache, () => read(blog.orm.em.fork()));
    expect(found!.dependencies).to.have.members(['author', 'article(reads author_id)']);
  });

  it('has separate entries for one row and a list, and for mapped and raw rows', async () => {
    const query = (em: EntityManager) => em.createQueryBuilder(Tag).select('*').where({ id: 1 }).limit(1);
    const reads: Read[] = [
      em => query(em).execute('all'),
      em => query(em).execute('get'),
      em => query(em).execute('all', false),
      em => em.find(Tag, { id: 1 }, { limit: 1 }),
    ];
    for (let i = 0; i < 2; i++) {
      for (const read of reads) {
        expect(await snapshot(blog.orm, read)).to.equal(await snapshot(uncached, read));
      }
      await blog.cache.idle();
    }
  });

  it('is not cached with a lock', async () => {
    const read: Read = em =>
      em.transactional(trx => trx.createQueryBuilder(Article).setLockMode(2).where({ id: 1 }).getResult());
    await sources(read);
    expect(await sources(read)).to.deep.equal(['a lock']);
  });

  it('is not cached in a transaction that has written', async () => {
    const read: Read = em => em.createQueryBuilder(Article).where({ id: 1 }).getResult();
    await sources(read);
    const seen = await sourcesOf(blog.cache, () =>
      blog.orm.em.fork().transactional(async em => {
        await read(em.fork({ keepTransactionContext: true }));
        await em.nativeUpdate(Article, { id: 1 }, { title: 'Changed' });
        const [article] = (await read(em.fork({ keepTransactionContext: true }))) as Article[];
        expect(article!.title).to.equal('Changed');
      }),
    );
    expect(seen).to.deep.equal(['cache', 'a transaction that has written']);
  });

  it('has writes that invalidate, and are not cached', async () => {
    const written = await readsOf(blog.cache, async () => {
      await blog.orm.em.fork().createQueryBuilder(Tag).update({ name: 'pink' }).where({ id: 1 }).execute();
      await blog.orm.em.fork().createQueryBuilder(Tag).insert({ id: 9, name: 'new' }).execute();
      await blog.orm.em.fork().createQueryBuilder(Tag).delete({ id: 9 }).execute();
    });
    expect(written).to.deep.equal([]);
  });

  describe('with cacheops()', () => {
    let manual: Started;

    before(async () => {
      const profile = { ops: [], timeout: 60 };
      manual = await join({ entities, cacheops: { profiles: { Tag: profile, Category: null } } });
    });

    after(() => manual.orm.close());

    const second = async (read: Read): Promise<string[]> => {
      await sourcesOf(manual.cache, () => read(manual.orm.em.fork()));
      return sourcesOf(manual.cache, () => read(manual.orm.em.fork()));
    };

    it('is cached only with cacheops()', async () => {
      expect(await second(em => em.qb(Tag).getResult())).to.deep.equal(['ops']);
      expect(await second(em => em.qb(Tag).cacheops().getResult())).to.deep.equal(['cache']);
      expect(
        await second(em => em.qb(Tag).where({ id: 1 }).cacheops({ ops: 'count' }).getCount()),
      ).to.deep.equal(['cache']);
      expect(await second(em => em.qb(Tag).cacheops({ ops: 'count' }).getResult())).to.deep.equal(['ops']);
      expect(await second(em => em.qb(Tag).cacheops(false).getResult())).to.deep.equal(['call']);
      expect(await second(em => em.countBy(Tag, 'name', { cacheops: true }))).to.deep.equal(['cache']);
    });

    it('passes cacheops() on to its clones', async () => {
      expect(await second(em => em.qb(Tag).cacheops().limit(1).clone().getResult())).to.deep.equal(['cache']);
    });

    it('throws if the options are wrong, or there is no profile', async () => {
      const em = manual.orm.em.fork();
      expect(() => em.qb(Tag).cacheops({ timeout: 0 })).to.throw(CacheopsError, 'timeout');
      await expect(em.qb(Category).cacheops().getResult()).to.be.rejectedWith(CacheopsError, 'never cached');
    });
  });
});

const WRITES: ((em: EntityManager) => Promise<unknown>)[] = [
  em => em.nativeUpdate(Article, { id: 1 }, { title: 'Renamed', status: 'archived', views: 5n }),
  em => em.nativeUpdate(Author, { id: 1 }, { name: 'Anna' }),
  em => em.nativeUpdate(Tag, { id: 2 }, { name: 'greener' }),
  em => em.nativeUpdate(Post, { id: 2 }, { title: 'Noted' }),
  async em => {
    (await em.findOneOrFail(Article, 1, { populate: ['tags'] })).tags.removeAll();
    await em.flush();
  },
  async em => {
    em.create(Article, { id: 7, title: 'Seventh', author: 1, category: 1 } as never);
    await em.flush();
  },
  em => em.nativeDelete(Article, { id: 4 }),
];
