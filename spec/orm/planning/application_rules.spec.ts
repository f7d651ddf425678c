import { raw } from '@mikro-orm/core';
import { embedded } from '../support/embedded.js';
import { type Started, start } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';
import { Article, Category, Comment, entities } from './application/schema.js';

const BY_ID = { orderBy: { id: 'asc' } } as const;

const list =
  (where: object, options: object = {}, entity: unknown = Article): Step =>
  em =>
    em.find(entity as never, where as never, { ...BY_ID, ...options } as never);

const pageBehind =
  (cursor: object, orderBy: object): Step =>
  async em =>
    (
      await em.findByCursor(Article, {
        where: { tenant: 1 },
        includeCount: false,
        orderBy,
        ...cursor,
      } as never)
    ).items;

/** Numbers of articles by status. */
const built =
  (where: object, parents = false): Step =>
  em => {
    const builder = em
      .createQueryBuilder(Article, 'a')
      .select(['a.status', raw('count(*)::int as n')] as never)
      .leftJoin('a.category', 'c')
      .where(where as never)
      .groupBy(['a.status'] as never)
      .orderBy({ 'a.status': 'asc' } as never);
    return (parents ? builder.leftJoin('c.parent' as never, 'p') : builder).execute();
  };

const run =
  (...statements: string[]): Step =>
  em =>
    em.transactional(async inner => {
      for (const sql of statements) {
        await inner.execute(sql);
      }
    });

const setArticle = (id: number, data: string) => `update article set ${data} where id = ${id}`;
const setCategory = (id: number, data: string) => `update category set ${data} where id = ${id}`;
const insertArticle = (id: number, author: number, category: number) =>
  `insert into article (id, tenant_id, author_id, category_id, status, title, created_at)
   values (${id}, 1, ${author}, ${category}, 'x', 'new', '2024-01-04')`;
const insertComment = (id: number, article: number) =>
  `insert into comment (id, article_id, approved, body) values (${id}, ${article}, true, 'new')`;

/** Articles of an author, or in a category under category 2. */
const either = (author: unknown) => ({ $or: [{ author }, { category: { parent: 2 } }] });
const joined = { populate: ['author', 'category'], strategy: 'joined' };
// a condition that is no equality is only in the predicate
const eitherWay = [3, { $in: [3, 4] }, { $gt: 1 }].flatMap((author): Step[] => [
  list(either(author)),
  list(either(author), joined),
  list(either(author), { limit: 5 }),
  em => em.count(Article, either(author) as never),
  built({ $or: [{ 'a.author': author }, { 'c.parent': 2 }] }),
]);
const eitherOfOthers = [list(either(5)), list(either({ $gt: 4 }))];
const withAuthors = (where: object, options: object = {}) =>
  list(where, { populate: ['author'], strategy: 'joined', ...options });

/** Articles that have a tag and a status: a list, a page, a number. */
const tagged = (tag: number, status: unknown): Step[] => [
  list({ tags: tag, status }),
  list({ tags: tag, status }, { limit: 5 }),
  list({ tags: { $some: { id: tag } }, status }),
  list({ tags: { $some: { id: tag } }, status }, { limit: 5, populate: ['author'] }),
  em => em.count(Article, { tags: tag, status } as never),
];
const taggedByName = (tag: number, status: unknown): Step[] => [
  list({ tags: { name: `tag ${tag}` }, status }),
  list({ tags: { name: { $like: `tag ${tag}%` } }, status }, { limit: 5 }),
];
const untagged = (tag: number, status: unknown): Step[] => [
  list({ tags: { $none: { id: tag } }, status }),
  list({ $not: { tags: { $some: { id: tag } } }, status }, { limit: 5 }),
];
/** All columns of articles, and a system column. */
const withSystem =
  (column: string): Step =>
  em =>
    em
      .createQueryBuilder(Article, 'a')
      .select(['a.*', raw(`a.${column}::text as place`)] as never)
      .where({ status: 'x' } as never)
      .orderBy({ 'a.id': 'asc' } as never)
      .cacheops({ tables: [Article] })
      .execute();
const addTag = (article: number, tag: number) =>
  `insert into article_tags (article_id, tag_id) values (${article}, ${tag})`;
const dropTag = (article: number, tag: number) =>
  `delete from article_tags where article_id = ${article} and tag_id = ${tag}`;

/*
 * At the start: categories 3 and 6 are under 1, category 4 under 2. Articles: 1 of author 1 in category 3, 2 of author 3
 * in category 3, 3 of author 1 in category 4. Tag 2 is that of articles 1 and 2, tag 1 that of article 1.
 */
const CASES: Record<string, WritePath> = {
  'an article, whose category fails, gets the author of the other part of $or': {
    write: run(setArticle(1, 'author_id = 3')),
    changes: eitherWay,
    keeps: eitherOfOthers,
  },
  'an article, whose category fails, loses the author of the other part of $or': {
    write: run(setArticle(2, 'author_id = 1')),
    changes: eitherWay,
    keeps: eitherOfOthers,
  },
  'an article of the author is added in a category that fails': {
    write: run(insertArticle(9, 3, 3)),
    changes: eitherWay,
    keeps: eitherOfOthers,
  },
  'an article of the author is deleted from a category that fails': {
    write: run('delete from article_tags where article_id = 2', 'delete from article where id = 2'),
    changes: eitherWay,
  },
  'another article is added in a category that satisfies its part of $or': {
    write: run(insertArticle(9, 1, 4)),
    changes: eitherWay,
    keeps: [3, { $gt: 1 }].map(author => list({ $or: [{ author }, { category: { name: 'c6' } }] })),
  },
  'an article goes from one part of $or to none, with its category': {
    write: run(setArticle(3, 'category_id = 3'), setCategory(4, 'parent_id = 1')),
    changes: eitherWay,
  },
  'an article loses the author, and its category begins to satisfy the other part': {
    write: run(
      setArticle(2, 'author_id = 1'),
      setArticle(2, 'category_id = 6'),
      setCategory(6, 'parent_id = 2'),
    ),
    changes: [3, { $gt: 1 }].flatMap(author => [list(either(author)), list(either(author), joined)]),
  },
  'an article gets a category, which satisfies its part only afterwards': {
    write: run(setArticle(1, 'category_id = 6'), setCategory(6, 'parent_id = 2')),
    changes: eitherWay,
  },
  'an article gets the deleted and inserted key of a category': {
    write: run(
      'delete from category where id = 6',
      `insert into category (id, tenant_id, parent_id, name) values (6, 1, 2, 'c6')`,
      setArticle(1, 'category_id = 6'),
    ),
    changes: eitherWay,
  },
  'two articles swap their categories': {
    write: run(setArticle(1, 'category_id = 4'), setArticle(3, 'category_id = 3')),
    changes: [3, { $gt: 1 }].flatMap(author => [list(either(author)), list(either(author), joined)]),
  },
  'an article without an author gets one': {
    write: run(setArticle(4, 'author_id = 3')),
    changes: [...eitherWay, list({ $or: [{ author: null }, { category: { parent: 2 } }] })],
  },
  'of two factors with $or, an article begins to satisfy the second by itself': {
    write: run(setArticle(3, 'views = 9')),
    changes: [
      list({
        $and: [
          { $or: [{ category: { parent: 2 } }, { title: 'none' }] },
          { $or: [{ author: { name: 'none' } }, { views: 9 }] },
        ],
      }),
    ],
  },
  'an article gets another tag': {
    write: run('insert into article_tags (article_id, tag_id) values (2, 1)'),
    changes: [
      list({ tags: { $some: { id: 1 } } }),
      list({ tags: { $none: { id: 1 } } }),
      list({ tags: { $every: { id: 2 } } }),
      list({ $not: { tags: { $some: { id: 1 } } } }),
      list({ $or: [{ tags: { $some: { id: 1 } } }, { status: 'none' }] }),
      withAuthors({ tags: { $some: { id: 1 } } }),
    ],
    keeps: [
      list({ tags: { $some: { id: 2 } } }),
      list({ tags: { $none: { id: 2 } } }),
      list({ tags: { $every: { id: 1 } }, status: 'none' }),
      withAuthors({ tags: { $some: { id: 2 } } }),
    ],
  },
  'the tag of an article is another one': {
    write: run('update article_tags set tag_id = 3 where article_id = 2 and tag_id = 2'),
    changes: [
      list({ tags: { $some: { id: 2 } } }),
      list({ tags: { $some: { id: 3 } } }),
      list({ tags: { $none: { id: 2 } } }),
      list({ tags: { $every: { id: 2 } } }),
      list({ tags: { $every: { id: 3 } } }),
    ],
    keeps: [list({ tags: { $some: { id: 1 } } }), list({ tags: { $none: { id: 1 } } })],
  },
  'a new article with a tag': {
    write: run(insertArticle(9, 1, 3), 'insert into article_tags (article_id, tag_id) values (9, 2)'),
    changes: [
      list({ tags: { $some: { id: 2 } } }),
      withAuthors({ tags: { $some: { id: 2 } } }),
      withAuthors({ tags: { $some: { id: 2 } } }, { limit: 5 }),
      list({ tags: { $none: { id: 1 } } }),
    ],
    keeps: [list({ tags: { $some: { id: 1 } } }), withAuthors({ tags: { $some: { id: 1 } } })],
  },
  'an article is deleted and inserted again, with another status and a tag': {
    write: run(
      'delete from article_tags where article_id = 2',
      'delete from article where id = 2',
      insertArticle(2, 3, 3),
      'insert into article_tags (article_id, tag_id) values (2, 2)',
    ),
    changes: [
      list({ tags: { $some: { id: 2 } }, status: 'x' }),
      list({ tags: { $some: { id: 2 } }, status: 'y' }),
    ],
  },
  'an author gets another name': {
    write: run(`update "user" set name = 'other' where id = 3`),
    changes: [
      withAuthors({ tags: { $some: { id: 2 } } }),
      withAuthors({ comments: { $none: { author: { name: 'other' } } } }),
    ],
    keeps: [withAuthors({ tags: { $some: { id: 1 } } })],
  },
  'an article before a page gets a later date': {
    write: run(setArticle(1, `created_at = '2024-01-03'`)),
    changes: [
      pageBehind(
        { first: 2, after: { createdAt: new Date(Date.UTC(2024, 0, 2)), id: 2 } },
        { createdAt: 'asc', id: 'asc' },
      ),
      pageBehind(
        { last: 2, before: { createdAt: new Date(Date.UTC(2024, 0, 3)), id: 3 } },
        { createdAt: 'asc', id: 'asc' },
      ),
    ],
    keeps: [
      pageBehind(
        { first: 2, after: { createdAt: new Date(Date.UTC(2024, 0, 3)), id: 3 } },
        { createdAt: 'asc', id: 'asc' },
      ),
    ],
  },
  'the deletion date of an article, behind a cursor with NULL': {
    write: run(setArticle(2, `deleted_at = '2024-01-02'`)),
    changes: [
      pageBehind(
        { first: 5, after: { deletedAt: null, id: 1 }, filters: false },
        { deletedAt: 'asc', id: 'asc' },
      ),
      pageBehind(
        { first: 5, after: { deletedAt: null, id: 3 }, filters: false },
        { deletedAt: 'desc', id: 'asc' },
      ),
    ],
    keeps: [
      pageBehind(
        { first: 5, after: { deletedAt: null, id: 3 }, filters: false },
        { deletedAt: 'asc', id: 'asc' },
      ),
    ],
  },
  'a category gets another name': {
    write: run(setCategory(1, `name = 'other'`)),
    changes: [
      list({ name: ['c3', 'c4'] }, { populate: ['parent'], strategy: 'joined' }, Category),
      list({ parent: { name: 'c1' } }, {}, Category),
      list({ name: 'c1' }, { populate: ['parent'], strategy: 'joined' }, Category),
      built({ 'p.name': 'c1' }, true),
      built({ $or: [{ 'p.name': 'other' }, { 'a.title': 'none' }] }, true),
    ],
    keeps: [
      list({ name: 'c4' }, { populate: ['parent'], strategy: 'joined' }, Category),
      list({ name: 'c2' }, { populate: ['parent'], strategy: 'joined' }, Category),
    ],
  },
  'a category gets another parent': {
    write: run(setCategory(4, 'parent_id = 1')),
    changes: [
      list({ name: ['c3', 'c4'] }, { populate: ['parent'], strategy: 'joined' }, Category),
      list({ name: 'c1' }, { populate: ['children'], strategy: 'joined' }, Category),
      list({ children: { $some: { name: 'c4' } } }, {}, Category),
      built({ 'c.parent': 2 }),
      built({ 'p.name': 'c2' }, true),
      built({ 'c.parent': { $ne: 1 } }),
    ],
    keeps: [list({ name: 'c3' }, { populate: ['parent'], strategy: 'joined' }, Category)],
  },
  'a new category below another': {
    write: run(`insert into category (id, tenant_id, parent_id, name) values (9, 1, 4, 'c9')`),
    changes: [
      list({ name: 'c4' }, { populate: ['children'], strategy: 'joined' }, Category),
      list({ name: ['c4', 'c9'] }, { populate: ['parent'], strategy: 'joined' }, Category),
    ],
    keeps: [list({ name: 'c4' }, { populate: ['parent'], strategy: 'joined' }, Category)],
  },
  'an article goes to another category, in groups': {
    write: run(setArticle(1, 'category_id = 4')),
    changes: [
      built({ 'c.name': 'c4' }),
      built({ 'c.name': 'c3', 'a.tenant': 1 }),
      built({ 'c.id': 4 }),
      built({ 'p.id': { $ne: 1 } }, true),
    ],
    keeps: [built({ 'c.name': 'c6' })],
  },
  'an article gets the status of another': {
    write: run(setArticle(3, `status = 'y'`)),
    changes: [
      list({ status: 'y' }),
      list({ status: { $ne: 'x' } }),
      ...untagged(2, 'y'),
      ...untagged(1, 'y'),
    ],
    keeps: [...tagged(2, 'y'), ...tagged(1, { $ne: 'x' }), ...tagged(3, 'y')],
  },
  'an article with a tag gets the status of another': {
    write: run(setArticle(1, `status = 'y'`)),
    changes: [...tagged(1, 'y'), ...tagged(2, 'y'), ...tagged(2, { $ne: 'x' }), ...taggedByName(1, 'x')],
    keeps: [...tagged(3, 'y'), ...tagged(3, { $ne: 'y' })],
  },
  'an article gets a status, and then a tag': {
    write: run(setArticle(3, `status = 'y'`), addTag(3, 2)),
    changes: [...tagged(2, 'y'), ...tagged(2, { $ne: 'x' }), ...taggedByName(2, 'y'), ...untagged(2, 'x')],
    keeps: tagged(1, 'y'),
  },
  'an article gets a tag, and then a status': {
    write: run(addTag(3, 2), setArticle(3, `status = 'y'`)),
    changes: [...tagged(2, 'y'), ...tagged(2, { $ne: 'x' }), ...taggedByName(2, 'y'), ...untagged(2, 'x')],
  },
  'an article loses its status and its tag': {
    write: run(setArticle(2, `status = 'x'`), dropTag(2, 2)),
    changes: [...tagged(2, 'y'), ...tagged(2, { $ne: 'x' }), ...taggedByName(2, 'y'), ...untagged(2, 'x')],
    keeps: [...tagged(1, 'y'), ...tagged(3, 'x')],
  },
  'an article loses its tag and its status': {
    write: run(dropTag(2, 2), setArticle(2, `status = 'x'`)),
    changes: [...tagged(2, 'y'), ...tagged(2, { $ne: 'x' }), ...taggedByName(2, 'y'), ...untagged(2, 'x')],
  },
  'an article gets a status and the tag of another': {
    write: run(
      setArticle(4, `status = 'y'`),
      'update article_tags set article_id = 4 where article_id = 1 and tag_id = 2',
    ),
    changes: [...tagged(2, 'y'), ...tagged(2, 'x')],
    keeps: [...tagged(1, 'x'), ...tagged(3, 'y')],
  },
  'an article with another tag gets a status, and the tag is replaced': {
    write: run(
      addTag(3, 3),
      setArticle(3, `status = 'y'`),
      'update article_tags set tag_id = 2 where article_id = 3',
    ),
    changes: tagged(2, 'y'),
    keeps: tagged(1, 'y'),
  },
  'a tag gets a name, and an article of it a status': {
    write: run(`update tag set name = 'tag 3' where id = 1`, setArticle(1, `status = 'z'`)),
    changes: [
      em => em.count(Article, { tags: { name: 'tag 3' } }),
      list({ tags: { name: 'tag 3' }, status: 'z' }),
    ],
  },
  // MikroORM compares the root's key here
  'a comment with the key that $not excludes': {
    write: run(insertComment(9, 4)),
    changes: [
      list({ comments: { $some: { $not: { id: 9 } } } }),
      list({ comments: { $some: { $or: [{ $not: { id: 9 } }, { body: 'none' }] } } }),
      list({ comments: { $some: { $not: { id: 9, body: 'new' } } } }),
      list({ comments: { $none: { $not: { id: 9 } } } }),
      list({ comments: { $every: { $not: { id: 4 } } } }),
    ],
    keeps: [
      list({ comments: { $some: { $not: { body: 'new' } } } }),
      list({ comments: { $none: { id: 7 } } }),
    ],
  },
  'an article is written as it was': {
    write: run(setArticle(1, 'status = status')),
    changes: [withSystem('xmin'), withSystem('ctid')],
    keeps: [
      list({ status: 'x' }),
      list({ status: 'x' }, { limit: 2 }),
      withAuthors({ status: 'x' }),
      ...taggedByName(1, 'x'),
    ],
  },
  'a comment goes to another article': {
    write: run('update comment set article_id = 2 where id = 1'),
    changes: [
      list({ $or: [{ approved: false }, { article: { author: 3 } }] }, {}, Comment),
      list({ comments: { $some: { id: 1 } } }),
      list({ comments: { $every: { id: 2 } } }),
    ],
    keeps: [list({ $or: [{ approved: false }, { article: { author: 5 } }] }, {}, Comment)],
  },
};

describe('conditions on several tables of an application', () => {
  let started: Started;

  before(async () => {
    started = await start({ entities });
  });

  beforeEach(async () => {
    await (await embedded()).exec(`
      truncate tenant, "user", tag, category, article, article_tags, comment cascade;
      insert into tenant (id, name) values (1, 't');
      insert into "user" (id, kind, name) values (1, 'staff', 'u1'), (3, 'staff', 'u3'), (5, 'staff', 'u5'), (2, 'customer', 'u2');
      insert into tag (id, name) values (1, 'tag 1'), (2, 'tag 2'), (3, 'tag 3');
      insert into category (id, tenant_id, parent_id, name)
        values (1, 1, null, 'c1'), (2, 1, null, 'c2'), (3, 1, 1, 'c3'), (4, 1, 2, 'c4'), (6, 1, 1, 'c6');
      insert into article (id, tenant_id, author_id, category_id, status, title, created_at)
        values (1, 1, 1, 3, 'x', 'a1', '2024-01-01'), (2, 1, 3, 3, 'y', 'a2', '2024-01-02'),
          (3, 1, 1, 4, 'x', 'a3', '2024-01-03'), (4, 1, null, 3, 'x', 'a4', '2024-01-04');
      insert into article_tags (article_id, tag_id) values (1, 1), (1, 2), (2, 2);
      insert into comment (id, article_id, author_id, approved, body) values (1, 1, 2, true, 'b');
    `);
    await started.cache.invalidateAll();
  });

  after(() => started.orm.close());

  for (const [what, path] of Object.entries(CASES)) {
    it(`no result is stale after the write: ${what}`, () => expectNoticed(started, path));
  }
});
