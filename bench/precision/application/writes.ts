import type { SqlEntityManager } from '@mikro-orm/postgresql';
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
  Tenant,
  User,
} from '../../../spec/orm/planning/application/schema.js';
import { articleData, type Chooser, ORDER_STATUSES, SIZE } from './data.js';

export interface ApplicationWrite {
  readonly kind: string;
  readonly run: (em: SqlEntityManager) => Promise<unknown>;
}

type Kind = readonly [weight: number, run: (em: SqlEntityManager, choose: Chooser) => Promise<unknown>];

const ALL = { filters: false } as const;

const orderKey = (n: Chooser) => {
  const [tenant, number] = n.order();
  return { tenant, number };
};

async function changeTags(em: SqlEntityManager, n: Chooser, change: 'add' | 'remove'): Promise<void> {
  const article = await em.findOne(Article, n.article(), { populate: ['tags'], cacheops: false, ...ALL });
  if (change === 'add') {
    article?.tags.add(em.getReference(Tag, n.tag()));
  } else {
    article?.tags.remove(article.tags.getItems()[0] ?? []);
  }
  await em.flush();
}

/** By kind, how often it happens: multiples of 0.5. */
export const KINDS: Readonly<Record<string, Kind>> = {
  'views of an article': [
    12,
    async (em, n) => {
      const article = await em.findOne(Article, n.article(), { cacheops: false, ...ALL });
      if (article) {
        article.views++;
      }
      await em.flush();
    },
  ],
  'a visit': [8, (em, n) => em.nativeUpdate(User, n.skewed(SIZE.users), { seen: n.next() })],
  'a title': [4, (em, n) => em.nativeUpdate(Article, n.article(), { title: `title ${n.next()}` }, ALL)],
  'a published article': [3, (em, n) => em.nativeUpdate(Article, n.article(), { status: 'published' }, ALL)],
  'a withdrawn article': [1, (em, n) => em.nativeUpdate(Article, n.article(), { status: 'draft' }, ALL)],
  'another category': [1, (em, n) => em.nativeUpdate(Article, n.article(), { category: n.category() }, ALL)],
  'another author': [1, (em, n) => em.nativeUpdate(Article, n.article(), { author: n.staff() }, ALL)],
  'a featured article': [
    1,
    (em, n) => em.nativeUpdate(Article, n.article(), { meta: { lang: 'en', featured: n.chance(0.5) } }, ALL),
  ],
  'a soft-deleted article': [
    1,
    (em, n) => em.nativeUpdate(Article, n.article(), { deletedAt: n.now() }, ALL),
  ],
  'a restored article': [1, (em, n) => em.nativeUpdate(Article, n.article(), { deletedAt: null }, ALL)],
  'a new article': [2, (em, n) => em.insert(Article, { id: n.next(), ...articleData(n, n.now()) })],
  'a new article with tags': [
    3,
    async (em, n) => {
      const tags = [...new Set([n.tag(), n.tag()])];
      em.create(Article, { id: n.next(), ...articleData(n, n.now()), tags } as never);
      await em.flush();
    },
  ],
  'another tag': [2, (em, n) => changeTags(em, n, 'add')],
  'a tag less': [1, (em, n) => changeTags(em, n, 'remove')],
  'a renamed tag': [1, (em, n) => em.nativeUpdate(Tag, n.tag(), { name: `tag ${n.next()}` })],
  'a new comment': [
    8,
    (em, n) =>
      em.insert(Comment, {
        ...{
          id: n.next(),
          article: n.article(),
          author: n.customer(),
          approved: n.chance(0.6),
          body: 'text',
        },
      }),
  ],
  'an approved comment': [
    4,
    (em, n) => em.nativeUpdate(Comment, n.skewed(SIZE.comments), { approved: true }),
  ],
  'an edited comment': [
    2,
    (em, n) => em.nativeUpdate(Comment, n.skewed(SIZE.comments), { body: `text ${n.next()}` }),
  ],
  'a deleted comment': [1, (em, n) => em.nativeDelete(Comment, n.skewed(SIZE.comments))],
  'a renamed user': [1, (em, n) => em.nativeUpdate(User, n.skewed(SIZE.users), { name: `user ${n.next()}` })],
  'another room': [1, (em, n) => em.nativeUpdate(Staff, n.staff(), { room: `room ${n.skewed(6)}` })],
  'another level': [2, (em, n) => em.nativeUpdate(Customer, n.customer(), { level: n.skewed(5) })],
  'a moved category': [1, (em, n) => em.nativeUpdate(Category, n.category(), { position: n.skewed(10) })],
  'a renamed category': [
    1,
    (em, n) => em.nativeUpdate(Category, n.category(), { name: `category ${n.next()}` }),
  ],
  'another parent category': [
    0.5,
    (em, n) => em.nativeUpdate(Category, 7 + n.random.below(SIZE.categories - 6), { parent: n.skewed(6) }),
  ],
  'a new order with lines': [
    4,
    async (em, n) => {
      const key = { tenant: n.tenant(), number: n.next() };
      em.create(Order, { ...key, status: 'open', customer: n.customer(), placedAt: n.now() } as never);
      for (let i = 0; i < 3; i++) {
        const ord = [key.tenant, key.number];
        em.create(OrderLine, { id: n.next(), ord, product: n.product(), quantity: n.skewed(5) } as never);
      }
      await em.flush();
    },
  ],
  "an order's status": [4, (em, n) => em.nativeUpdate(Order, orderKey(n), { status: n.of(ORDER_STATUSES) })],
  'a quantity': [2, (em, n) => em.nativeUpdate(OrderLine, n.skewed(SIZE.lines), { quantity: n.skewed(5) })],
  'a price': [2, (em, n) => em.nativeUpdate(Product, n.product(), { price: n.skewed(1000) })],
  'a stock': [5, (em, n) => em.nativeUpdate(Product, n.product(), { stock: n.random.below(100) })],
  'a new product': [
    1,
    (em, n) =>
      em.insert(Product, {
        ...{ id: n.next(), tenant: n.tenant(), name: 'new', price: n.skewed(1000), stock: n.skewed(100) },
      }),
  ],
  'a renamed tenant': [0.5, (em, n) => em.nativeUpdate(Tenant, n.tenant(), { name: `tenant ${n.next()}` })],
  'approved comments': [
    0.5,
    (em, n) => em.nativeUpdate(Comment, { article: n.article(), approved: false }, { approved: true }),
  ],
};

export function makeApplicationWrites(count: number, choose: Chooser): ApplicationWrite[] {
  const kinds = Object.entries(KINDS);
  const often = kinds.flatMap(([kind, [weight]]) => Array<string>(2 * weight).fill(kind));
  return Array.from({ length: count }, () => {
    const kind = choose.random.of(often);
    return { kind, run: em => KINDS[kind]![1](em, choose) };
  });
}
