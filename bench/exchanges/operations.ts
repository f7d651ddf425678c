import type { EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { Article } from '../article.js';
import { entities, Unread, Visit } from './entities.js';

/** One use of an ORM, of which the exchanges are counted. */
export interface Operation {
  readonly name: string;
  /** Default: all */
  readonly entities?: readonly object[];
  /** not counted. Default: the ORM is warm, because it has read and written the table before */
  prepare?(orm: MikroORM): Promise<unknown>;
  run(orm: MikroORM): Promise<unknown>;
  /**
   * the servers whose round trips are not compared: their number depends on the connections that are open, or on the
   * scripts that Redis has
   */
  readonly varies?: 'Redis' | 'both';
}

const LIST = Array.from({ length: 20 }, (_, i) => 21 + i);

const em = (orm: MikroORM): EntityManager => orm.em.fork();
const byId = (id: number) => (orm: MikroORM) => em(orm).findOne(Article, { id });
const byAuthor = (author: number) => (orm: MikroORM) => em(orm).find(Article, { author });
const count = (author: number) => (orm: MikroORM) => em(orm).count(Article, { author });
const list = (orm: MikroORM) => em(orm).find(Article, { id: LIST });
const inParallel = (orm: MikroORM, reads: number) =>
  Promise.all(Array.from({ length: reads }, (_, i) => byId(1 + i)(orm)));

interface Changed {
  title: string;
  author: number;
}

const rename = (article: Changed) => {
  article.title += '!';
};
const row = (id: number) => ({
  id,
  author: 0,
  category: 0,
  title: 'new',
  summary: '',
  status: 'draft',
  price: '1',
  views: 1n,
  published: new Date(0),
  attributes: {},
});
const rows = (from: number, length: number) => Array.from({ length }, (_, i) => row(from + i));

/** Loads the rows before, so that only the flush is counted. */
function flushOf(name: string, where: object, change = rename): Operation {
  let loaded: { readonly em: EntityManager; readonly articles: readonly Changed[] };
  return {
    name,
    async prepare(orm) {
      const forked = em(orm);
      loaded = { em: forked, articles: await forked.find(Article, where, { cacheops: false }) };
    },
    async run() {
      loaded.articles.forEach(change);
      await loaded.em.flush();
    },
  };
}

export const coldStarts: readonly Operation[] = [1, 16].flatMap(reads =>
  [1, 16, 200].map(size => ({
    name: `cold start, ${size} entities, ${reads} parallel first reads`,
    entities: entities.slice(0, size),
    run: (orm: MikroORM) => inParallel(orm, reads),
    varies: reads > 1 ? ('both' as const) : ('Redis' as const),
  })),
);

export const operations: readonly Operation[] = [
  { name: 'miss by key', run: byId(100) },
  { name: 'hit by key', prepare: byId(101), run: byId(101) },
  { name: 'miss of 20 rows', run: byAuthor(10) },
  { name: 'hit of 20 rows', prepare: byAuthor(11), run: byAuthor(11) },
  { name: 'count, miss', run: count(12) },
  { name: 'count, hit', prepare: count(12), run: count(12) },
  { name: 'list of 20 keys, miss', run: list },
  { name: 'list of 20 keys, hit', prepare: list, run: list },
  {
    name: 'list of 20 keys, half cached',
    run: orm => em(orm).find(Article, { id: LIST.map(id => id + 10) }),
  },
  {
    name: 'two equal reads, one right after the other',
    async run(orm) {
      await byId(102)(orm);
      await byId(102)(orm);
    },
  },
  flushOf('flush of 1 row', { id: 1 }),
  flushOf('flush of 1 row, a compared column', { id: 2 }, article => {
    article.author++;
  }),
  flushOf('flush of 100 rows', { id: { $gt: 200, $lte: 300 } }),
  {
    name: 'transaction with two flushes',
    run: orm =>
      em(orm).transactional(async inner => {
        rename(await inner.findOneOrFail(Article, { id: 3 }, { cacheops: false }));
        await inner.flush();
        rename(await inner.findOneOrFail(Article, { id: 4 }, { cacheops: false }));
        await inner.flush();
      }),
  },
  { name: 'nativeUpdate of 1 row', run: orm => em(orm).nativeUpdate(Article, { id: 5 }, { title: 'x' }) },
  { name: 'nativeDelete of 1 row', run: orm => em(orm).nativeDelete(Article, { id: 6 }) },
  { name: 'insert of 1 row', run: orm => em(orm).insert(Article, row(10_001)) },
  { name: 'upsert of 1 row', run: orm => em(orm).upsert(Article, row(10_002)) },
  { name: 'insertMany of 100 rows', run: orm => em(orm).insertMany(Article, rows(10_100, 100)) },
  {
    name: 'nativeUpdate of 500 rows',
    run: orm => em(orm).nativeUpdate(Article, { id: { $gt: 500, $lte: 1000 } }, { title: 'y' }),
  },
  {
    name: 'insert into a table that is never cached',
    run: orm => em(orm).insert(Visit, { id: 1, name: 'x' }),
  },
  { name: 'the second of them', run: orm => em(orm).insert(Visit, { id: 2, name: 'x' }) },
  { name: 'insert into a table that nobody reads', run: orm => em(orm).insert(Unread, { id: 1, name: 'x' }) },
  { name: 'the second of these', run: orm => em(orm).insert(Unread, { id: 2, name: 'x' }) },
  {
    name: 'DDL, then 8 parallel reads',
    varies: 'both',
    async run(orm) {
      await em(orm).execute('alter table unread add column extra int');
      await inParallel(orm, 8);
    },
  },
  {
    name: 'DDL of a temporary table, then a read',
    async run(orm) {
      await em(orm).execute('create temporary table passing (id int); drop table passing');
      await byId(103)(orm);
    },
  },
  {
    name: 'a comment, then a read',
    async run(orm) {
      await em(orm).execute(`comment on table unread is 'not read'`);
      await byId(104)(orm);
    },
  },
];
