import { raw, type SqlEntityManager } from '@mikro-orm/postgresql';
import { Article, Category, Comment, Order, OrderLine, Tag } from './schema.js';

export type Query = (em: SqlEntityManager) => Promise<unknown>;

const NEWEST = { createdAt: 'desc', id: 'desc' } as const;
const OLDEST = { id: 'asc' } as const;

async function pageOf(em: SqlEntityManager, cursor: object): Promise<unknown> {
  const page = await em.findByCursor(Article, {
    ...{ where: { tenant: 1 }, orderBy: NEWEST, includeCount: false, populate: ['author'] },
    ...cursor,
  } as never);
  return page.items;
}

/** With what each depends on, if that is expected to be exact. */
export const queries: Readonly<Record<string, readonly [Query, (readonly string[])?]>> = {
  'articles of a category with their authors': [
    em => em.find(Article, { category: 1 }, { populate: ['author'] }),
    ['article(category_id=1 and deleted_at=null)', 'user(reads id, kind, name, room, seen)'],
  ],
  'an article with its author': [
    em => em.findOne(Article, 1, { populate: ['author'] }),
    ['article(deleted_at=null and id=1)', 'user(reads id, kind, name, room, seen)'],
  ],
  'a page of a tag': [
    em => em.find(Article, { tags: 1, status: 'x' }, { orderBy: NEWEST, limit: 10 }),
    ['article(deleted_at=null and status=x)', 'article_tags(tag_id=1; reads article_id)'],
  ],
  'all of a tag': [
    em => em.find(Article, { tags: 1, status: 'x' }),
    ['article(deleted_at=null and status=x)', 'article_tags(tag_id=1; reads article_id)'],
  ],
  'a page of tags by name': [
    em => em.find(Article, { tags: { name: 'x' }, status: 'x' }, { orderBy: NEWEST, limit: 10 }),
  ],
  'a later page of a tag': [em => em.find(Article, { tags: 2 }, { orderBy: NEWEST, limit: 3, offset: 2 })],
  'a page of several tags with authors': [
    em =>
      em.find(
        Article,
        { tags: [1, 2] },
        { orderBy: { title: 'asc', id: 'asc' }, limit: 5, populate: ['author'] },
      ),
  ],
  'a page of a tag and an author, with both': [
    em =>
      em.find(
        Article,
        { tags: 1, author: { name: 'x' } },
        { populate: ['author', 'tags'], strategy: 'joined', orderBy: OLDEST, limit: 3 },
      ),
  ],
  'articles with two tags': [em => em.find(Article, { $and: [{ tags: 1 }, { tags: 2 }] })],
  'articles without tags': [em => em.find(Article, { tags: null } as never, { orderBy: OLDEST, limit: 3 })],
  'articles of a tag or a status': [
    em => em.find(Article, { $or: [{ tags: 1 }, { status: 'y' }] }, { orderBy: OLDEST, limit: 7 }),
  ],
  'a page of some tag': [
    em => em.find(Article, { tags: { $some: { id: 1 } }, status: 'x' }, { orderBy: NEWEST, limit: 10 }),
  ],
  'a page without a tag': [
    em => em.find(Article, { tags: { $none: { name: 'x' } }, status: 'x' }, { orderBy: OLDEST, limit: 4 }),
  ],
  'articles of which every tag has a name': [
    em => em.find(Article, { tags: { $every: { name: 'x' } }, status: 'x' }),
  ],
  'articles that do not have some tag': [
    em => em.find(Article, { $not: { tags: { $some: { id: 1 } } }, status: 'x' }),
  ],
  'the number of articles with some tag': [
    em => em.count(Article, { tags: { $some: { name: 'x' } }, status: 'x' }),
  ],
  'articles with their tags': [
    em => em.find(Article, { category: 1 }, { populate: ['tags'], strategy: 'joined' }),
  ],
  'articles by their comments': [
    em => em.find(Article, { comments: { approved: true }, status: 'x' }, { orderBy: OLDEST, limit: 6 }),
  ],
  'articles of an author, or of a status': [
    em => em.find(Article, { $or: [{ author: { name: 'x' } }, { status: 'y' }] }),
  ],
  'the number of comments of an article that is not deleted': [
    em => em.count(Comment, { article: 2, approved: true }),
    ['comment(approved=true and article_id=2; membership)', 'article(id=2; reads deleted_at)'],
  ],
  'comments of an article with their authors': [
    em => em.find(Comment, { article: 2, approved: true }, { populate: ['author'] }),
    [
      'comment(approved=true and article_id=2)',
      'user(reads id, kind, level, name, seen)',
      'article(id=2; reads deleted_at)',
    ],
  ],
  'the newest comments of a tenant': [
    em =>
      em.find(
        Comment,
        { article: { tenant: 1 } },
        { populate: ['article', 'author'], orderBy: { id: 'desc' }, limit: 5 },
      ),
  ],
  'comments of a tenant': [
    em => em.find(Comment, { article: { tenant: 1 } }, { orderBy: { id: 'desc' }, limit: 5 }),
  ],
  'comments of a customer': [
    em => em.find(Comment, { author: { name: 'x' } }, { populate: ['author'], orderBy: OLDEST, limit: 4 }),
  ],
  'comments on articles of an author': [
    em => em.find(Comment, { article: { author: { name: 'x' } } }, { populate: ['article.author'] }),
  ],
  'comments on articles, or of a customer': [
    em =>
      em.find(
        Comment,
        { $or: [{ article: { status: 'x' } }, { author: { name: 'x' } }] },
        { orderBy: OLDEST, limit: 5 },
      ),
  ],
  'an aggregate': [
    em =>
      em
        .createQueryBuilder(Article, 'a')
        .select(raw('max("a"."id")') as never)
        .where({ category: 1 })
        .execute('get'),
    ['article(category_id=1; reads id)'],
  ],
  'groups of a tenant': [
    em =>
      em
        .createQueryBuilder(OrderLine, 'l')
        .select(['l.ord', raw('sum("l"."quantity") as s')] as never)
        .where({ ord: { tenant: 1 } } as never)
        .groupBy(['l.ord'] as never)
        .having('sum("l"."quantity") > 1')
        .execute(),
    ['order_line(ord_tenant_id=1; reads ord_number, quantity)'],
  ],
  'the number of lines of open orders': [
    em => em.count(OrderLine, { ord: { tenant: 1, status: 'open' } } as never),
    ['order_line(ord_tenant_id=1; reads ord_number)', 'order(status=open and tenant_id=1; reads number)'],
  ],
  'lines of open orders': [
    em =>
      em.find(OrderLine, { ord: { tenant: 1, status: 'open' } } as never, {
        populate: ['ord'],
        orderBy: OLDEST,
        limit: 5,
      }),
  ],
  'open orders': [em => em.find(Order, { status: 'open', tenant: 1 }, { orderBy: { number: 'asc' } })],
  'articles of some tag with their authors': [
    em =>
      em.find(
        Article,
        { tags: { $some: { id: 2 } }, status: 'x' },
        { orderBy: NEWEST, limit: 4, populate: ['author'] },
      ),
    [
      'article(deleted_at=null and status=x)',
      'article_tags(tag_id=2; reads article_id)',
      'tag(id=2; membership)',
      'user(reads id, kind, name, room, seen)',
    ],
  ],
  'articles of some of two tags, or of none': [
    em =>
      em.find(Article, {
        $or: [{ tags: { $some: { id: { $in: [1, 3] } } } }, { tags: { $none: { id: 2 } } }],
        status: 'x',
      }),
  ],
  'articles of which every tag is one': [
    em => em.find(Article, { tags: { $every: { id: 2 } }, status: 'x' }),
  ],
  'articles of an author, or under a category': [
    em =>
      em.find(
        Article,
        { $or: [{ author: 3 }, { category: { parent: 2 } }], status: 'x' },
        { orderBy: NEWEST, limit: 6 },
      ),
  ],
  'articles under a category, or of a customer, and of a tag or viewed': [
    em =>
      em.find(
        Article,
        {
          $and: [
            { $or: [{ category: { parent: 1 } }, { author: { name: 'x' } }] },
            { $or: [{ views: { $gt: 500 } }, { category: { name: 'c4' } }] },
          ],
        },
        { orderBy: OLDEST },
      ),
  ],
  'the number of articles not under a category, or with a title': [
    em => em.count(Article, { $or: [{ category: { parent: { $ne: 1 } } }, { title: 'x' }] }),
  ],
  'a page behind a cursor': [
    em => pageOf(em, { first: 4, after: { createdAt: new Date(Date.UTC(2024, 0, 25)), id: 20 } }),
    [
      'article(deleted_at=null and tenant_id=1 and created_at<=2024-01-25T00:00:00.000Z and (created_at<2024-01-25T00:00:00.000Z or id<20))',
      'user(reads id, kind, name, room, seen)',
    ],
  ],
  'a page before a cursor': [
    em => pageOf(em, { last: 3, before: { createdAt: new Date(Date.UTC(2024, 0, 12)), id: 20 } }),
  ],
  'a page between two cursors, by a column with NULL': [
    async em =>
      (
        await em.findByCursor(Article, {
          ...{ where: { status: 'x' }, first: 5, includeCount: false },
          ...{ after: { author: 2, id: 1 }, orderBy: { author: 'asc', id: 'asc' } },
        } as never)
      ).items,
  ],
  'a page behind a cursor with comments': [
    async em =>
      (
        await em.findByCursor(Article, {
          ...{ where: { tenant: 1 }, first: 3, after: { id: 9 }, orderBy: OLDEST, includeCount: false },
          ...{ populate: ['comments'], strategy: 'joined' },
        } as never)
      ).items,
  ],
  'categories with their parents': [
    em => em.find(Category, { name: ['c3', 'c4'] }, { populate: ['parent'], orderBy: OLDEST }),
  ],
  'a category with its parent': [
    em => em.findOne(Category, 3, { populate: ['parent'] }),
    ['category(id=3)', 'category(reads id, name, parent_id, position, tenant_id)'],
  ],
  'categories under a named one, with it': [
    em => em.find(Category, { parent: { name: 'c1' } }, { populate: ['parent'], orderBy: OLDEST }),
  ],
  'categories with children, of which some has a name': [
    em => em.find(Category, { children: { $some: { name: 'c4' } } }, { populate: ['children'] }),
  ],
  'quantities of open orders': [
    em =>
      em
        .createQueryBuilder(OrderLine, 'l')
        .select(['l.quantity', raw('count(*) as c')] as never)
        .where({ ord: { tenant: 1, status: 'open' } } as never)
        .groupBy(['l.quantity'] as never)
        .execute(),
    [
      'order_line(ord_tenant_id=1; reads ord_number, quantity)',
      'order(status=open and tenant_id=1; reads number)',
    ],
  ],
  'articles of an author by two joins': [
    em =>
      em
        .createQueryBuilder(Article, 'a')
        .select(['a.id', 'a.title'])
        .leftJoin('a.author', 'u')
        .leftJoin('a.author', 'v')
        .where({ 'u.name': 'x', 'v.kind': 'staff' } as never)
        .orderBy({ 'a.id': 'asc' } as never)
        .execute(),
  ],
  'comments on articles of an author, built': [
    em =>
      em
        .createQueryBuilder(Comment, 'c')
        .select(['c.id', 'c.body'])
        .leftJoin('c.article', 'a')
        .leftJoin('a.author', 'u')
        .where({ 'u.name': 'x', $or: [{ 'a.status': 'x' }, { 'c.approved': true }] } as never)
        .orderBy({ 'c.id': 'asc' } as never)
        .execute(),
  ],
  tags: [em => em.find(Tag, { name: 'x' }, { orderBy: OLDEST })],
};
