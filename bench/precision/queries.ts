import type { EntityManager } from '@mikro-orm/postgresql';
import type { Random } from './random.js';
import {
  Brand,
  COUNTRIES,
  DAYS,
  day,
  LETTERS,
  MAX_PRICE,
  MAX_STOCK,
  Product,
  priceOf,
  type Size,
  STATUSES,
} from './shop.js';

export interface Query {
  readonly shape: string;
  readonly ask: (em: EntityManager) => Promise<unknown>;
}

type Where = Record<string, unknown>;
type Options = Record<string, unknown>;

interface Shape {
  readonly name: string;
  /** of brands rather than of products */
  readonly brands?: boolean;
  readonly count?: boolean;
  readonly make: (random: Random, size: Size) => { readonly where: Where; readonly options?: Options };
}

const key = (random: Random, { products }: Size) => 1 + random.below(products);
const category = (random: Random, { categories }: Size) => random.below(categories);
const prices = (random: Random, width: number) => {
  const from = random.below(MAX_PRICE - width);
  return { $gte: priceOf(from), $lt: priceOf(from + width) };
};

const SHAPES: readonly Shape[] = [
  { name: 'by key', make: (random, size) => ({ where: { id: key(random, size) } }) },
  {
    name: 'equality',
    make: (random, size) => ({ where: { category: category(random, size), status: random.of(STATUSES) } }),
  },
  {
    name: 'IN',
    make: (random, size) => ({
      where: {
        category: { $in: random.some([...Array(size.categories).keys()], 2) },
        rating: random.below(6),
      },
    }),
  },
  {
    name: 'IN of 8 to 200',
    make: (random, size) => {
      const keys = random.some([...Array(size.products).keys()], 8 + random.below(193)).map(id => id + 1);
      return { where: { id: { $in: keys }, status: random.of(STATUSES) } };
    },
  },
  {
    name: 'range',
    make: random => ({ where: { price: prices(random, 50 + random.below(500)) } }),
  },
  {
    name: 'equality and range',
    make: (random, size) => ({ where: { category: category(random, size), price: prices(random, 20_000) } }),
  },
  {
    name: 'not, null, like',
    make: random => ({
      where: {
        code: { $like: `${random.of(LETTERS)}${random.of(LETTERS)}%` },
        status: { $ne: random.of(STATUSES) },
        rating: random.below(2) === 0 ? null : { $ne: null },
      },
    }),
  },
  {
    name: 'equality, order, limit',
    make: (random, size) => ({
      where: { category: category(random, size), status: random.of(STATUSES) },
      options: { orderBy: { added: 'desc', id: 'desc' }, limit: 5 },
    }),
  },
  {
    name: 'range, order, limit',
    make: random => ({
      where: { price: { $gte: priceOf(random.below(MAX_PRICE)) } },
      options: { orderBy: { price: 'asc', id: 'asc' }, limit: 10 },
    }),
  },
  {
    name: 'order, limit of the newest',
    make: random => ({
      where: { stock: { $gt: random.below(MAX_STOCK / 2) } },
      options: { orderBy: { added: 'desc', id: 'asc' }, limit: 10 + random.below(10) },
    }),
  },
  {
    name: 'count, equality',
    count: true,
    make: (random, size) => ({ where: { category: category(random, size), rating: random.below(6) } }),
  },
  {
    name: 'count, range',
    count: true,
    make: random => {
      const from = random.below(DAYS - 30);
      return { where: { status: random.of(STATUSES), added: { $gte: day(from), $lt: day(from + 30) } } };
    },
  },
  {
    name: 'some fields',
    make: (random, size) => ({
      where: { category: category(random, size), stock: { $lt: 100 + random.below(200) } },
      options: { fields: ['title', 'price'], orderBy: { id: 'asc' } },
    }),
  },
  {
    name: 'joined to-one',
    make: (random, size) => ({
      where: { category: category(random, size), status: random.of(STATUSES) },
      options: { populate: ['brand'], strategy: 'joined' },
    }),
  },
  {
    name: 'condition on a relation',
    make: (random, size) => ({
      where: { category: category(random, size), brand: { country: random.of(COUNTRIES) } },
    }),
  },
  {
    name: 'count, condition on a relation',
    count: true,
    make: (random, size) => ({
      where: { category: category(random, size), brand: { country: { $ne: random.of(COUNTRIES) } } },
    }),
  },
  {
    name: 'some of a collection',
    brands: true,
    make: (random, size) => ({
      where: {
        country: random.of(COUNTRIES),
        products: { $some: { category: category(random, size), stock: { $lt: 200 + random.below(600) } } },
      },
    }),
  },
];

/** Different queries, the same number of each shape. */
export function makeQueries(count: number, random: Random, size: Size): Query[] {
  const known = new Set<string>();
  const queries: Query[] = [];
  for (let i = 0, failures = 0; queries.length < count && failures < 100 * count; i++) {
    const shape = SHAPES[i % SHAPES.length]!;
    const { where, options } = shape.make(random, size);
    const text = JSON.stringify([shape.name, where, options]);
    if (known.has(text)) {
      failures++; // some shapes have fewer different queries
      continue;
    }
    known.add(text);
    const entity = (shape.brands ? Brand : Product) as typeof Product;
    queries.push({
      shape: shape.name,
      ask: shape.count
        ? em => em.count(entity, where as never, options)
        : em => em.find(entity, where as never, options as never),
    });
  }
  return queries;
}
