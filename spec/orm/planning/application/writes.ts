import type { SqlEntityManager } from '@mikro-orm/postgresql';
import {
  Article,
  Category,
  Comment,
  Customer,
  Order,
  OrderLine,
  Staff,
  Tag,
  Tenant,
  User,
} from './schema.js';

/** Whole numbers from 0 on, below the given one. */
export type Choose = (below: number) => number;

export type Write = (em: SqlEntityManager, choose: Choose) => Promise<unknown>;

const STATUSES = ['x', 'y', 'z'];
const ALL = { filters: false } as const;
/** of rows that are there from the start */
const ARTICLES = 40;
const USERS = 20;
const TAGS = 8;
const COMMENTS = 80;

let lastId = 1000;

const day = (n: number) => new Date(Date.UTC(2024, 0, 1 + n));
const name = (choose: Choose) => (choose(3) > 0 ? `n${choose(9)}` : 'x');
const staff = (choose: Choose) => 1 + 2 * choose(USERS / 2);
const customer = (choose: Choose) => 2 + 2 * choose(USERS / 2);
const one = (below: number, choose: Choose) => 1 + choose(below);

function article(id: number, choose: Choose) {
  return {
    ...{ id, tenant: one(3, choose), author: staff(choose), category: one(5, choose), title: 't', views: 0 },
    ...{ status: STATUSES[choose(3)]!, createdAt: day(choose(40)) },
  };
}

export const writes: Readonly<Record<string, Write>> = {
  'a view': (em, n) => em.nativeUpdate(Article, one(ARTICLES, n), { views: n(1000) }, ALL),
  'a title': (em, n) => em.nativeUpdate(Article, one(ARTICLES, n), { title: name(n) }, ALL),
  'a status': (em, n) => em.nativeUpdate(Article, one(ARTICLES, n), { status: STATUSES[n(3)]! }, ALL),
  'a category': (em, n) => em.nativeUpdate(Article, one(ARTICLES, n), { category: one(5, n) }, ALL),
  'another author': (em, n) =>
    em.nativeUpdate(Article, one(ARTICLES, n), { author: n(4) > 0 ? staff(n) : null }, ALL),
  'a soft delete': (em, n) =>
    em.nativeUpdate(Article, one(ARTICLES, n), { deletedAt: n(2) > 0 ? null : day(n(9)) }, ALL),
  'a visit of a user': (em, n) => em.nativeUpdate(User, one(USERS, n), { seen: n(1000) }),
  "a user's name": (em, n) => em.nativeUpdate(User, one(USERS, n), { name: name(n) }),
  "a user's kind": (em, n) =>
    em
      .getConnection()
      .execute('update "user" set kind = ? where id = ?', [n(2) > 0 ? 'staff' : 'customer', one(USERS, n)]),
  'a deleted user': (em, n) => em.nativeDelete(User, one(USERS, n)),
  'a new article': (em, n) => em.insert(Article, article(++lastId, n)),
  'a new article with tags': async (em, n) => {
    em.create(Article, { ...article(++lastId, n), tags: [one(TAGS, n)] });
    await em.flush();
  },
  'an upsert': (em, n) => em.upsert(Article, article(one(45, n), n)),
  upserts: (em, n) =>
    em.upsertMany(
      Article,
      [1, 2, 3].map(i => article(i * 14 + n(3), n)),
    ),
  'an upsert in SQL': (em, n) =>
    em.getConnection().execute(
      `insert into article (id, tenant_id, category_id, status, title, views, created_at)
       values (?, 1, ?, 'x', 't', 1, now())
       on conflict (id) do update set status = excluded.status, category_id = excluded.category_id, deleted_at = null`,
      [one(45, n), one(5, n)],
    ),
  'a deleted article': (em, n) => em.nativeDelete(Article, 30 + n(15), ALL),
  'an article in the place of another': (em, n) =>
    em.transactional(async inner => {
      const id = 30 + n(15);
      await inner.nativeDelete(Article, id, ALL);
      await inner.insert(Article, { ...article(id, n), status: 'x' });
      if (n(2) > 0) {
        await inner.execute('insert into article_tags (article_id, tag_id) values (?, ?)', [id, one(3, n)]);
      }
    }),
  'another key': em =>
    em.getConnection().execute(
      `update article set id = ? where id = (
         select max(id) from article a where not exists (select from article_tags where article_id = a.id)
         and not exists (select from comment where article_id = a.id))`,
      [++lastId],
    ),
  'a tag more or less': async (em, n) => {
    const found = await em.findOne(Article, one(ARTICLES, n), {
      populate: ['tags'],
      cacheops: false,
      ...ALL,
    });
    const tag = em.getReference(Tag, one(TAGS, n));
    if (found?.tags.contains(tag)) {
      found.tags.remove(tag);
    } else {
      found?.tags.add(tag);
    }
    await em.flush();
  },
  "a tag's name": (em, n) => em.nativeUpdate(Tag, one(TAGS, n), { name: name(n) }),
  'another tag': (em, n) =>
    em
      .getConnection()
      .execute('update article_tags set tag_id = ? where article_id = ? and tag_id = ?', [
        one(TAGS, n),
        one(ARTICLES, n),
        one(TAGS, n),
      ]),
  'another parent category': (em, n) =>
    em.nativeUpdate(Category, 3 + n(3), { parent: n(4) > 0 ? 1 + n(2) : null }),
  "a category's name": (em, n) => em.nativeUpdate(Category, one(5, n), { name: `c${one(5, n)}` }),
  'another category with another parent': (em, n) =>
    em.transactional(async inner => {
      const category = 3 + n(3);
      await inner.nativeUpdate(Category, category, { parent: 1 + n(2) });
      await inner.nativeUpdate(Article, one(ARTICLES, n), { category, status: 'x' }, ALL);
      await inner.nativeUpdate(Category, category, { parent: 1 + n(2) });
    }),
  'a new comment': (em, n) =>
    em.insert(Comment, {
      ...{ id: ++lastId, article: one(ARTICLES, n), author: customer(n), approved: n(2) > 0, body: 'b' },
    }),
  'an approval': (em, n) => em.nativeUpdate(Comment, one(COMMENTS, n), { approved: n(2) > 0 }),
  'a comment on another article': (em, n) =>
    em.nativeUpdate(Comment, one(COMMENTS, n), { article: one(ARTICLES, n) }),
  "a comment's text": (em, n) => em.nativeUpdate(Comment, one(COMMENTS, n), { body: name(n) }),
  "an order's status": (em, n) =>
    em.nativeUpdate(Order, { tenant: one(3, n), number: one(10, n) }, { status: n(2) > 0 ? 'open' : 'done' }),
  'a quantity': (em, n) => em.nativeUpdate(OrderLine, one(60, n), { quantity: n(5) }),
  'a line of another order': (em, n) =>
    em.nativeUpdate(OrderLine, one(60, n), { ord: [one(3, n), one(10, n)] } as never),
  'a new line': (em, n) =>
    em.insert(OrderLine, { id: ++lastId, ord: [one(3, n), one(10, n)], quantity: n(4) } as never),
};

export async function fillTables(em: SqlEntityManager, choose: Choose): Promise<void> {
  const ids = (count: number) => Array.from({ length: count }, (_, i) => i + 1);
  await em.insertMany(
    Tenant,
    ids(3).map(id => ({ id, name: `t${id}` })),
  );
  await em.insertMany(
    Category,
    ids(5).map(id => ({ id, tenant: 1, name: `c${id}`, position: id, parent: id < 3 ? null : 1 + (id % 2) })),
  );
  await em.insertMany(
    Tag,
    ids(TAGS).map(id => ({ id, name: name(choose) })),
  );
  for (const id of ids(USERS)) {
    em.create((id % 2 ? Staff : Customer) as never, { id, name: name(choose), seen: 0 } as never);
  }
  await em.flush();
  for (const id of ids(ARTICLES)) {
    em.create(Article, {
      ...article(id, choose),
      tags: [...new Set([one(TAGS, choose), one(TAGS, choose)])],
    });
  }
  await em.flush();
  await em.insertMany(
    Comment,
    ids(COMMENTS).map(id => ({
      ...{ id, article: one(ARTICLES, choose), author: customer(choose), approved: choose(3) > 0, body: 'b' },
    })),
  );
  for (const tenant of ids(3)) {
    await em.insertMany(
      Order,
      ids(10).map(number => ({ tenant, number, status: number % 2 ? 'open' : 'done' })),
    );
  }
  await em.insertMany(
    OrderLine,
    ids(60).map(id => ({ id, ord: [one(3, choose), one(10, choose)], quantity: choose(4) })) as never,
  );
}
