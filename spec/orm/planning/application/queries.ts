import { raw, type SqlEntityManager } from '@mikro-orm/postgresql';
import { Article, Comment, Order, OrderLine, Tag } from './schema.js';

export type Query = (em: SqlEntityManager) => Promise<unknown>;

const NEWEST = { createdAt: 'desc', id: 'desc' } as const;
const OLDEST = { id: 'asc' } as const;

/** With what each depends on, if that is expected to be exact. */
export const queries: Readonly<Record<string, readonly [Query, (readonly string[])?]>> = {
  'articles of a category with their authors': [
    em => em.find(Article, { category: 1 }, { populate: ['author'] }),
    ['article(category=1 and deleted_at=null)', 'user(reads id, kind, name, room, seen)'],
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
    ['article(category=1; reads id)'],
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
  tags: [em => em.find(Tag, { name: 'x' }, { orderBy: OLDEST })],
};
