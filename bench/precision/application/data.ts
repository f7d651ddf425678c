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
} from '../../../spec/orm/planning/application/schema.js';
import type { Random } from '../random.js';

/** Numbers of rows at the start. Users with odd keys are staff, the others customers. */
export const SIZE = {
  ...{ tenants: 4, users: 120, categories: 24, tags: 20, articles: 400 },
  ...{ comments: 1200, products: 80, orders: 60, lines: 700 },
};

export const STATUSES = ['published', 'draft', 'review'];
export const ORDER_STATUSES = ['open', 'paid', 'sent'];
const FIRST_DAY = Date.UTC(2024, 0, 1);
export const DAYS = 700;

export const minute = (n: number) => new Date(FIRST_DAY + n * 60_000);
const minutes = DAYS * 1440;

/** Chooses among rows, so that some are chosen much more often than others. */
export class Chooser {
  readonly random: Random;
  /** keys of new rows, and minutes after the first day */
  #last = 100_000;

  constructor(random: Random) {
    this.random = random;
  }

  next(): number {
    return ++this.#last;
  }

  /** After all times at the start. */
  now(): Date {
    return minute(minutes + ++this.#last);
  }

  /** From 1 on; Zipf's law, approximately. */
  skewed(count: number): number {
    return Math.min(count, Math.floor(count ** this.random.next()));
  }

  of<T>(items: readonly T[]): T {
    return this.random.of(items);
  }

  chance(share: number): boolean {
    return this.random.next() < share;
  }

  tenant = () => this.skewed(SIZE.tenants);
  staff = () => 2 * this.skewed(SIZE.users / 2) - 1;
  customer = () => 2 * this.skewed(SIZE.users / 2);
  category = () => this.skewed(SIZE.categories);
  tag = () => this.skewed(SIZE.tags);
  article = () => this.skewed(SIZE.articles);
  product = () => this.skewed(SIZE.products);
  order = () => [this.tenant(), this.skewed(SIZE.orders)] as const;
}

export function articleData(choose: Chooser, createdAt: Date) {
  return {
    ...{ tenant: choose.tenant(), author: choose.staff(), category: choose.category(), createdAt },
    ...{ title: `title ${choose.random.below(1000)}`, status: choose.chance(0.7) ? 'published' : 'draft' },
    ...{ views: 0, meta: { lang: choose.of(['de', 'en']), featured: choose.chance(0.2) } },
  };
}

export async function fillApplication(em: SqlEntityManager, random: Random): Promise<void> {
  const choose = new Chooser(random);
  const rows = <T>(count: number, row: (id: number) => T) =>
    Array.from({ length: count }, (_, i) => row(i + 1));
  const any = (count: number) => 1 + random.below(count);
  await em.insertMany(
    Tenant,
    rows(SIZE.tenants, id => ({ id, name: `tenant ${id}` })),
  );
  await em.insertMany(
    Tag,
    rows(SIZE.tags, id => ({ id, name: `tag ${id}` })),
  );
  for (const id of rows(SIZE.users, i => i)) {
    const own = id % 2 ? { room: `room ${any(6)}` } : { level: any(5) };
    em.create((id % 2 ? Staff : Customer) as never, { id, name: `user ${id}`, seen: 0, ...own } as never);
  }
  await em.flush();
  await em.insertMany(
    Category,
    rows(SIZE.categories, id => ({
      ...{ id, tenant: any(SIZE.tenants), name: `category ${id}`, position: any(10) },
      parent: id <= 6 ? null : any(6),
    })),
  );
  for (const id of rows(SIZE.articles, i => i)) {
    const data = { ...articleData(choose, minute(random.below(minutes))), tenant: any(SIZE.tenants) };
    const tags = random.some(
      rows(SIZE.tags, i => i),
      random.below(4),
    );
    em.create(Article, { id, ...data, status: choose.of(STATUSES), views: any(500), tags } as never);
  }
  await em.flush();
  await em.insertMany(
    Comment,
    rows(SIZE.comments, id => ({
      ...{
        id,
        article: any(SIZE.articles),
        author: 2 * any(SIZE.users / 2),
        approved: any(4) > 1,
        body: 'text',
      },
    })),
  );
  await em.insertMany(
    Product,
    rows(SIZE.products, id => ({
      ...{ id, tenant: any(SIZE.tenants), name: `product ${id}`, price: any(1000), stock: any(100) },
    })),
  );
  for (const tenant of rows(SIZE.tenants, i => i)) {
    await em.insertMany(
      Order,
      rows(SIZE.orders, number => ({
        ...{ tenant, number, status: choose.of(ORDER_STATUSES), customer: choose.customer() },
        placedAt: minute(random.below(minutes)),
      })),
    );
  }
  await em.insertMany(
    OrderLine,
    rows(SIZE.lines, id => ({
      ...{ id, ord: [any(SIZE.tenants), any(SIZE.orders)], product: any(SIZE.products), quantity: any(5) },
    })) as never,
  );
  await em.getConnection().execute('vacuum analyze');
}
