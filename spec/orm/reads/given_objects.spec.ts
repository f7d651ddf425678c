import { inspect } from 'node:util';
import { DataloaderType, defineEntity, LockMode, p, raw } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, Author, Comment, entities } from '../../../fixtures/legacy/index.js';
import { createBlog } from '../support/blog.js';
import { sourcesOf } from '../support/observe.js';
import { snapshotOf } from '../support/snapshot.js';
import { join, joinUncached, type Started, start } from '../support/start.js';

/** What the caller passes: told of every object, so that it can be frozen or looked at afterwards. */
type Given = <T>(value: T) => T;
type Read = (em: EntityManager, given: Given) => Promise<unknown>;

const Summary = defineEntity({
  name: 'Summary',
  expression: 'select author_id, count(*)::int as articles from article group by author_id',
  properties: { author_id: p.integer(), articles: p.integer() },
});

const LENGTH = raw('length(title)');

const READS: Record<string, Read> = {
  find: (em, given) =>
    em.find(
      Article,
      given({ status: { $in: ['published', 'draft'] }, author: { name: { $ne: 'Zoe' } } } as const),
      given({
        populate: ['tags', 'author'],
        orderBy: { id: 'asc' },
        fields: ['title', 'tags.name'],
      }) as never,
    ),
  'find by a list of keys': (em, given) =>
    em.find(
      Article,
      given({ id: { $in: [3, 1, 2] } }),
      given({ populate: ['tags'], orderBy: [{ id: 1 }] }) as never,
    ),
  'find by a raw condition': (em, given) =>
    em.find(
      Article,
      given({ [LENGTH as never]: { $gt: 5 } }),
      given({ orderBy: { [LENGTH as never]: 1, id: 1 } }),
    ),
  'find by json': (em, given) =>
    em.find(Author, given({ settings: { theme: { dark: true } }, home: { city: 'Springfield' } }) as never),
  'find by operators on a relation': (em, given) =>
    em.find(
      Author,
      given({ articles: { $and: [{ title: 'First' }, { tags: { $not: { name: 'blue' } } }] } }),
      given({ populate: ['articles.tags'], populateWhere: 'infer' }) as never,
    ),
  'find by $some and $none': (em, given) =>
    em.find(Author, given({ articles: { $some: { status: 'published' }, $none: { title: 'x' } } }) as never),
  'find by $every and $size': (em, given) =>
    em.find(Author, given({ articles: { $every: { id: { $gt: 0 } }, $size: { $gt: 0 } } }) as never),
  'find by a union': (em, given) =>
    em.find(
      Article,
      given({}),
      given({
        unionWhere: [{ author: { $ne: 2, name: 'Ann' } }, { tags: { name: 'red' } }],
        orderBy: { id: 1 },
      }) as never,
    ),
  'find, joined': (em, given) =>
    em.find(
      Author,
      given({ articles: { id: { $gt: 0 } } }),
      given({
        populate: ['articles.tags', 'articles.comments'],
        populateWhere: { articles: { tags: { name: { $ne: 'x' } } } },
        populateOrderBy: { articles: { tags: { name: 1 } } },
        populateFilter: { articles: { status: { $ne: 'archived' } } },
        exclude: ['articles.body'],
        filters: {},
        flags: [],
        comments: ['seen'],
        hintComments: [],
        strategy: 'joined',
      }) as never,
    ),
  'find with what a condition joins': (em, given) =>
    em.find(Author, given({ articles: { tags: { name: 'red' } } }), given({ populate: ['$infer'] }) as never),
  'find ordered through relations, joined': (em, given) =>
    em.find(
      Comment,
      given({}),
      given({
        populate: ['article.author'],
        orderBy: [{ article: { author: { id: 'desc' } } }, { id: 1 }],
      }) as never,
    ),
  'find ordered through collections, joined': (em, given) =>
    em.find(
      Author,
      given({}),
      given({
        populate: ['articles.comments'],
        orderBy: { articles: { comments: { id: 'desc' } }, id: 1 },
        strategy: 'joined',
      }) as never,
    ),
  'find ordered through collections, by queries of their own': (em, given) =>
    em.find(
      Author,
      given({}),
      given({
        populate: ['articles.comments'],
        orderBy: { articles: { comments: { id: 'desc' } }, id: 1 },
        strategy: 'select-in',
      }) as never,
    ),
  'find a group': (em, given) =>
    em.find(
      Article,
      given({}),
      given({ fields: ['author'], groupBy: ['id'], having: { id: { $gt: 1 } } }) as never,
    ),
  findAll: (em, given) =>
    em.findAll(Article, given({ where: { author: { id: { $in: [1, 2] } } }, orderBy: { id: 1 } })),
  findOne: (em, given) =>
    em.findOne(Article, given({ title: 'First' }), given({ populate: ['comments'] }) as never),
  'findOne, joined': (em, given) =>
    em.findOne(
      Article,
      given({ id: 1 }),
      given({
        populate: ['comments'],
        orderBy: { comments: { id: 1 } },
        strategy: 'joined',
        flags: [],
      }) as never,
    ),
  findOneOrFail: (em, given) => em.findOneOrFail(Author, given({ id: 1, articles: { author: { id: 1 } } })),
  findAndCount: (em, given) =>
    em.findAndCount(
      Article,
      given({ tags: { name: 'green' } }),
      given({ populate: ['tags'], orderBy: { author: { id: 1 }, id: 1 }, limit: 1, offset: 1 }) as never,
    ),
  findByCursor: (em, given) =>
    em.findByCursor(
      Article,
      given({ first: 2, where: { id: { $gt: 0 } }, orderBy: [{ author: { name: 1 } }, { id: 1 }] }) as never,
    ),
  'findByCursor, the last ones': (em, given) =>
    em.findByCursor(Article, given({ last: 2, before: { id: 4 }, orderBy: { id: 'asc' } }) as never),
  count: (em, given) =>
    em.count(
      Author,
      given({ articles: { $or: [{ id: { $ne: 3 } }, { tags: { $ne: 2 } }] } }) as never,
      given({ filters: {} }),
    ),
  'count of a union': (em, given) =>
    em.count(Article, given({}), given({ unionWhere: [{ author: 1 }, { tags: { name: 'red' } }] }) as never),
  countBy: (em, given) => em.countBy(Article, given(['author']), given({ where: { id: { $gt: 0 } } })),
  'em.populate': async (em, given) =>
    em.populate(
      await em.find(Author, {}, { orderBy: { id: 1 } }),
      given(['articles.tags']) as never,
      given({
        where: { articles: { tags: { name: 'red' } } },
        orderBy: { articles: { tags: { id: 1 } } },
      }) as never,
    ),
  'ref.load': async (em, given) =>
    (await em.findOneOrFail(Article, 1)).author.load(
      given({ populate: ['articles'], orderBy: { articles: { id: 1 } } }) as never,
    ),
  'collection.init': async (em, given) =>
    (await em.findOneOrFail(Author, 1)).articles.init(
      given({ where: { status: 'published' }, orderBy: { tags: { id: 1 } }, populate: ['tags'] }) as never,
    ),
  'collection.matching': async (em, given) =>
    (await em.findOneOrFail(Article, 1)).tags.matching(
      given({ where: { name: { $in: ['red'] } }, orderBy: { id: 1 } }) as never,
    ),
  'collection.loadCount': async (em, given) =>
    (await em.findOneOrFail(Article, 1)).tags.loadCount(given({ where: { name: { $ne: 'x' } } }) as never),
  'collection.loadItems': async (em, given) =>
    (await em.findOneOrFail(Author, 1)).articles.loadItems(
      given({ where: { id: { $gt: 0 } }, populate: ['tags'] }) as never,
    ),
  'a dataloader': async (em, given) => {
    const authors = await em.find(Author, {}, { orderBy: { id: 1 } });
    const options = given({
      where: { status: 'published' },
      orderBy: { id: 1 },
      dataloader: DataloaderType.ALL,
    });
    return Promise.all(authors.map(author => author.articles.load(options as never)));
  },
  refresh: async (em, given) =>
    em.refresh(await em.findOneOrFail(Article, 1), given({ populate: ['tags'] }) as never),
  'a lock': (em, given) =>
    em.transactional(inner =>
      inner.findOne(
        Article,
        given({ id: 1 }),
        given({ lockMode: LockMode.PESSIMISTIC_READ, populate: ['tags'] }) as never,
      ),
    ),
  'em.lock': (em, given) =>
    em.transactional(async inner =>
      inner.lock(
        await inner.findOneOrFail(Article, 1),
        LockMode.PESSIMISTIC_WRITE,
        given({ lockTableAliases: [] }),
      ),
    ),
  'a stream': async (em, given) => {
    const rows: unknown[] = [];
    const options = given({ where: { id: { $gt: 1 } }, orderBy: { id: 1 }, populate: ['author'] });
    for await (const row of em.stream(Article, options as never)) {
      rows.push((row as Article).id);
    }
    return rows;
  },
  'a virtual entity': (em, given) =>
    em.find(
      Summary,
      given({ articles: { $gt: 0 } }),
      given({ orderBy: { author_id: 1 }, cacheops: { tables: ['article'] } }) as never,
    ),
  'qb.getResult': (em, given) =>
    em
      .createQueryBuilder(Article, 'a')
      .select('*')
      .leftJoinAndSelect('a.tags', 't', given({ name: { $ne: 'x' } }))
      .where(given({ author: { $in: [1, 2] }, $and: [{ id: { $gt: 0 } }] }))
      .orderBy(given([{ 'a.id': 1 }, { 't.id': 1 }]) as never)
      .getResult(),
  'qb.execute': (em, given) =>
    em
      .createQueryBuilder(Article)
      .select(given(['id', 'title']))
      .where(given({ id: { $lt: 4 } }))
      .orderBy(given({ id: 1 }))
      .execute(),
  'qb.getSingleResult': (em, given) =>
    em
      .createQueryBuilder(Author)
      .where(given({ name: 'Ann' }))
      .getSingleResult(),
  'qb.getCount, and then the rows': async (em, given) => {
    const builder = em
      .createQueryBuilder(Article, 'a')
      .select('*')
      .where(given({ author: { name: 'Ann' } }))
      .orderBy(given({ id: 1 }))
      .limit(1);
    const copy = builder.clone();
    return [await builder.getCount(), await builder.getResult(), await copy.getResult(), copy.getQuery()];
  },
};

const CACHED = { '*': { ops: 'all', timeout: 60 } } as const;
const ALL = [...entities, Summary] as never;

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const key of Reflect.ownKeys(value)) {
      freeze((value as Record<PropertyKey, unknown>)[key]);
    }
  }
  return value;
}

/** What a read gives or throws, and what it has made of the objects that it was given. */
async function outcome(orm: MikroORM, read: Read, given: Given) {
  const em = orm.em.fork();
  const objects: unknown[] = [];
  const note: Given = value => {
    objects.push(value);
    return given(value);
  };
  let result: string;
  try {
    const { managed, ...rest } = JSON.parse(snapshotOf(em, await read(em, note)));
    // in which order rows without ORDER BY arrive is left open
    result = JSON.stringify(
      [rest, Object.entries(managed).sort(([a], [b]) => (a < b ? -1 : 1))],
      undefined,
      2,
    );
  } catch (error) {
    result = `throws ${error}`;
  }
  return { result, objects: inspect(objects, { depth: Infinity }) };
}

for (const autoJoinOneToOneOwner of [true, false]) {
  describe(`options and conditions of the caller, with autoJoinOneToOneOwner: ${autoJoinOneToOneOwner}`, () => {
    let blog: Started;
    let uncached: MikroORM;

    before(async () => {
      await createBlog();
      blog = await join({
        entities: ALL,
        autoJoinOneToOneOwner,
        cacheops: { profiles: CACHED },
      });
      uncached = await joinUncached({ entities: ALL, autoJoinOneToOneOwner });
    });

    after(async () => {
      await uncached.close();
      await blog.orm.close();
    });

    for (const [name, read] of Object.entries(READS)) {
      it(`may be frozen if they may be without the cache: ${name}`, async () => {
        const expected = await outcome(uncached, read, freeze);
        for (const round of ['first', 'second', 'third']) {
          expect((await outcome(blog.orm, read, freeze)).result, round).to.equal(expected.result);
          await blog.cache.idle();
        }
      });

      it(`are changed by misses and hits exactly as without the cache: ${name}`, async () => {
        await blog.cache.invalidateAll();
        const expected = await outcome(uncached, read, value => value);
        for (const round of ['first', 'second', 'third']) {
          const { result, objects } = await outcome(blog.orm, read, value => value);
          expect(objects, round).to.equal(expected.objects);
          expect(result, round).to.equal(expected.result);
          await blog.cache.idle();
        }
      });
    }

    it('do not prevent hits although MikroORM changes them', async () => {
      const hits = ['find', 'find ordered through relations, joined', 'find with what a condition joins'];
      for (const name of hits) {
        await outcome(blog.orm, READS[name]!, value => value);
        await blog.cache.idle();
        const sources = await sourcesOf(blog.cache, () => outcome(blog.orm, READS[name]!, value => value));
        expect(new Set(sources), name).to.deep.equal(new Set(['cache']));
      }
    });
  });
}

describe('a default filter of a relation in a condition', () => {
  const PersonSchema = defineEntity({
    name: 'Person',
    properties: {
      id: p.integer().primary(),
      favourite: () => p.oneToOne(TitleSchema).nullable().owner(),
    },
  });
  const TitleSchema = defineEntity({
    name: 'Title',
    filters: { alive: { name: 'alive', cond: { deleted: false }, default: true } },
    properties: {
      id: p.integer().primary(),
      deleted: p.boolean(),
      author: () => p.manyToOne(PersonSchema),
    },
  });

  for (const strategy of ['joined', 'select-in', 'balanced'] as const) {
    for (const autoJoinOneToOneOwner of [true, false]) {
      it(`applies on misses and hits, ${strategy}, autoJoinOneToOneOwner: ${autoJoinOneToOneOwner}`, async () => {
        const options = { entities: [PersonSchema, TitleSchema], autoJoinOneToOneOwner };
        const { orm, cache } = await start({ ...options, cacheops: { profiles: CACHED } });
        const uncached = await joinUncached(options);
        for (const sql of [
          'insert into person (id, favourite_id) values (1, null)',
          'insert into title (id, deleted, author_id) values (1, false, 1), (2, true, 1)',
          'update person set favourite_id = 2',
        ]) {
          await orm.em.execute(sql);
        }
        const read = (em: EntityManager) =>
          em.find(TitleSchema, { author: { favourite: { deleted: true } } }, {
            populate: ['$infer'],
            strategy,
          } as never);
        const [plain, cached] = [uncached.em.fork(), () => orm.em.fork()];
        const expected = snapshotOf(plain, await read(plain));
        for (const round of ['first', 'second', 'third']) {
          const em = cached();
          expect(snapshotOf(em, await read(em)), round).to.equal(expected);
          await cache.idle();
        }
        await uncached.close();
        await orm.close();
      });
    }
  }
});
