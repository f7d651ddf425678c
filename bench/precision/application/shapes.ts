import { raw, type SqlEntityManager } from '@mikro-orm/postgresql';
import {
  Article,
  Category,
  Comment,
  Customer,
  Order,
  OrderLine,
  Product,
  Staff,
  Tag,
} from '../../../spec/orm/planning/application/schema.js';
import { type Chooser, DAYS, minute, ORDER_STATUSES, STATUSES } from './data.js';

/** Chooses the parameters of a query, and returns its call. */
type Shape = (choose: Chooser) => { readonly text: unknown; readonly ask: Ask };

type Ask = (em: SqlEntityManager) => Promise<unknown>;

export interface ApplicationQuery {
  readonly shape: string;
  readonly ask: Ask;
}

const NEWEST = { createdAt: 'desc', id: 'desc' } as const;
const BY_ID = { id: 'asc' } as const;
const LAST = { id: 'desc' } as const;

const find =
  (entity: any, make: (choose: Chooser) => readonly [where: object, options?: object]): Shape =>
  choose => {
    const [where, options = { orderBy: BY_ID }] = make(choose);
    return { text: [where, options], ask: em => em.find(entity, where as never, options as never) };
  };

const one =
  (entity: any, make: (choose: Chooser) => unknown, options: object = {}): Shape =>
  choose => {
    const key = make(choose);
    return { text: key, ask: em => em.findOne(entity, key as never, options as never) };
  };

const count =
  (entity: any, make: (choose: Chooser) => object): Shape =>
  choose => {
    const where = make(choose);
    return { text: where, ask: em => em.count(entity, where as never) };
  };

const build =
  (
    make: (choose: Chooser) => object,
    ask: (em: SqlEntityManager, where: object) => Promise<unknown>,
  ): Shape =>
  choose => {
    const where = make(choose);
    return { text: where, ask: em => ask(em, where) };
  };

export const SHAPES: Readonly<Record<string, Shape>> = {
  'an article': one(Article, n => n.article()),
  'an article with its author': one(Article, n => n.article(), { populate: ['author'] }),
  'an article with author, category, tags': one(Article, n => n.article(), {
    populate: ['author', 'category', 'tags'],
  }),
  'an article with its comments and their authors': one(Article, n => n.article(), {
    populate: ['comments', 'comments.author'],
    orderBy: { comments: BY_ID },
  }),
  'articles of a category': find(Article, n => [
    { category: n.category(), status: 'published' },
    { orderBy: NEWEST, limit: 10 },
  ]),
  'articles of a category with authors': find(Article, n => [
    { category: n.category(), status: n.of(STATUSES) },
    { orderBy: NEWEST, limit: 10, populate: ['author'] },
  ]),
  'all articles of a category with authors': find(Article, n => [
    { category: n.category() },
    { orderBy: BY_ID, populate: ['author'] },
  ]),
  'the front page of a tenant': find(Article, n => [
    { tenant: n.tenant(), status: n.of(STATUSES) },
    { orderBy: NEWEST, limit: 5 + n.random.below(15), populate: ['author', 'category'] },
  ]),
  'a later page of a tenant': find(Article, n => [
    { tenant: n.tenant(), status: 'published' },
    { orderBy: NEWEST, limit: 10, offset: 10 * n.skewed(4) },
  ]),
  'the first page of a cursor': choose => {
    const where = { tenant: choose.tenant(), status: choose.of(STATUSES) };
    const first = 5 + choose.random.below(10);
    return {
      text: [where, first],
      ask: async em =>
        (await em.findByCursor(Article, { where, first, orderBy: NEWEST, includeCount: false } as never))
          .items,
    };
  },
  'a later page of a cursor': choose => {
    const where = { tenant: choose.tenant() };
    const after = { createdAt: minute(choose.random.below(DAYS * 1440)), id: choose.article() };
    return {
      text: [where, after],
      ask: async em =>
        (
          await em.findByCursor(Article, {
            ...{ where, first: 10, after, orderBy: NEWEST, includeCount: false, populate: ['author'] },
          } as never)
        ).items,
    };
  },
  'a page of a tag': find(Article, n => [
    { tags: n.tag(), status: 'published' },
    { orderBy: NEWEST, limit: 10 },
  ]),
  'a page of some tag': find(Article, n => [
    { tags: { $some: { id: n.tag() } }, status: 'published' },
    { orderBy: NEWEST, limit: 10, populate: ['author'] },
  ]),
  'a page of a tag by name': find(Article, n => [
    { tags: { name: `tag ${n.tag()}` } },
    { orderBy: NEWEST, limit: 10 },
  ]),
  'articles of a category with tags': find(Article, n => [
    { category: n.category(), status: 'published' },
    { orderBy: NEWEST, limit: 10, populate: ['tags'] },
  ]),
  'articles of a category with tags, joined': find(Article, n => [
    { category: n.category(), status: 'published' },
    { orderBy: BY_ID, populate: ['tags'], strategy: 'joined' },
  ]),
  'articles of authors in a room': find(Article, n => [
    { author: { room: `room ${n.skewed(6)}` }, status: n.of(STATUSES) },
    { orderBy: NEWEST, limit: 10, populate: ['author'] },
  ]),
  'articles under a category': find(Article, n => [
    { category: { parent: n.skewed(6) }, status: n.of(STATUSES) },
    { orderBy: NEWEST, limit: 10 },
  ]),
  'featured articles of a language': find(Article, n => [
    { tenant: n.tenant(), meta: { lang: n.of(['de', 'en']), featured: true } },
    { orderBy: NEWEST, limit: 6 },
  ]),
  'articles of an author, or under a category': find(Article, n => [
    { $or: [{ author: n.staff() }, { category: { parent: n.skewed(6) } }], status: 'published' },
    { orderBy: NEWEST, limit: 10 },
  ]),
  'most viewed articles': find(Article, n => [
    { tenant: n.tenant(), status: 'published' },
    { orderBy: { views: 'desc', id: 'asc' }, limit: 3 + n.random.below(6), fields: ['title', 'views'] },
  ]),
  'articles without a tag': find(Article, n => [
    { tenant: n.tenant(), tags: { $none: { id: n.tag() } }, status: 'review' },
    { orderBy: NEWEST, limit: 10 },
  ]),
  'the number of articles of a tenant': count(Article, n => ({ tenant: n.tenant(), status: n.of(STATUSES) })),
  'the number of articles of a tag': count(Article, n => ({ tags: n.tag(), status: 'published' })),
  'the number of articles under a category': count(Article, n => ({ category: { parent: n.skewed(6) } })),
  'comments of an article with their authors': find(Comment, n => [
    { article: n.article(), approved: true },
    { orderBy: LAST, limit: 20, populate: ['author'] },
  ]),
  'the number of comments of an article': count(Comment, n => ({ article: n.article(), approved: true })),
  'the newest comments of a tenant': find(Comment, n => [
    { article: { tenant: n.tenant() }, approved: n.chance(0.8) },
    { orderBy: LAST, limit: 3 + n.random.below(8), populate: ['article', 'author'] },
  ]),
  'the number of comments that wait': count(Comment, n => ({
    article: { tenant: n.tenant() },
    approved: n.chance(0.1),
  })),
  'comments of a customer with articles': find(Comment, n => [
    { author: n.customer() },
    { orderBy: LAST, limit: 10, populate: ['article'] },
  ]),
  'the number of comments for an author': count(Comment, n => ({ article: { author: n.staff() } })),
  'the categories of a tenant': find(Category, n => [
    { tenant: n.tenant(), parent: null },
    { orderBy: { position: 'asc', id: 'asc' }, populate: ['children'] },
  ]),
  'a category with its parent': one(Category, n => n.category(), { populate: ['parent'] }),
  'tags by name': find(Tag, n => [
    { name: { $like: `tag ${n.skewed(3)}%` } },
    { orderBy: { name: 'asc', id: 'asc' } },
  ]),
  'a customer': one(Customer, n => n.customer()),
  'the staff of a room': find(Staff, n => [{ room: `room ${n.skewed(6)}` }, { orderBy: BY_ID }]),
  'orders of a customer with lines': find(Order, n => [
    { customer: n.customer() },
    { orderBy: { placedAt: 'desc', tenant: 'asc', number: 'desc' }, limit: 10, populate: ['lines'] },
  ]),
  'an order with lines and products': one(
    Order,
    n => {
      const [tenant, number] = n.order();
      return { tenant, number };
    },
    { populate: ['lines', 'lines.product'], orderBy: { lines: BY_ID } },
  ),
  'orders of a tenant': find(Order, n => [
    { tenant: n.tenant(), status: n.of(ORDER_STATUSES) },
    { orderBy: { placedAt: 'desc', tenant: 'asc', number: 'desc' }, limit: 10, populate: ['customer'] },
  ]),
  'the number of orders of a tenant': count(Order, n => ({
    tenant: n.tenant(),
    status: n.of(ORDER_STATUSES),
  })),
  'the number of lines of orders': count(OrderLine, n => ({
    ord: { tenant: n.tenant(), status: n.of(ORDER_STATUSES) },
  })),
  'the number of lines by product and status': count(OrderLine, n => ({
    product: n.product(),
    ord: { status: n.of(ORDER_STATUSES) },
  })),
  'what is sold by a tenant': build(
    n => ({ ord: { tenant: n.tenant(), status: n.of(ORDER_STATUSES) } }),
    (em, where) =>
      em
        .createQueryBuilder(OrderLine, 'l')
        .select(['l.product', raw('sum("l"."quantity") as s')] as never)
        .where(where as never)
        .groupBy(['l.product'] as never)
        .orderBy({ product: 'asc' } as never)
        .execute(),
  ),
  'articles by status': build(
    n => ({ tenant: n.tenant(), category: n.category() }),
    (em, where) =>
      em
        .createQueryBuilder(Article, 'a')
        .select(['a.status', raw('count(*) as c')] as never)
        .where(where as never)
        .groupBy(['a.status'] as never)
        .orderBy({ status: 'asc' } as never)
        .execute(),
  ),
  'the newest of a category': build(
    n => ({ category: n.category(), status: n.of(STATUSES) }),
    (em, where) =>
      em
        .createQueryBuilder(Article, 'a')
        .select(raw('max("a"."created_at") as m') as never)
        .where(where as never)
        .execute('get'),
  ),
  'products of a tenant': find(Product, n => [
    { tenant: n.tenant(), price: { $lt: 100 * n.skewed(10) } },
    { orderBy: { price: 'asc', id: 'asc' }, limit: 10 },
  ]),
  'the number of products that run out': count(Product, n => ({
    tenant: n.tenant(),
    stock: { $lt: 5 * n.skewed(8) },
  })),
  'a product': one(Product, n => n.product()),
};

/** Different queries, about the same number of each shape. */
export function makeApplicationQueries(total: number, choose: Chooser): ApplicationQuery[] {
  const shapes = Object.entries(SHAPES);
  const known = new Set<string>();
  const queries: ApplicationQuery[] = [];
  for (let i = 0; queries.length < total && i < 20 * total; i++) {
    const [shape, make] = shapes[i % shapes.length]!;
    const { text, ask } = make(choose);
    const identity = JSON.stringify([shape, text]);
    if (!known.has(identity)) {
      known.add(identity);
      queries.push({ shape, ask });
    }
  }
  return queries;
}
