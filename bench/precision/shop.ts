import { defineEntity, type EntityManager, type InferEntity, p } from '@mikro-orm/postgresql';
import type { Random } from './random.js';

export const Brand = defineEntity({
  name: 'Brand',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    country: p.string(),
    products: () => p.oneToMany(Product).mappedBy('brand'),
  },
});

export const Product = defineEntity({
  name: 'Product',
  properties: {
    id: p.integer().primary(),
    code: p.string().index(),
    title: p.string(),
    category: p.integer().index(),
    brand: () => p.manyToOne(Brand).index(),
    status: p.string(),
    price: p.decimal().index(),
    stock: p.integer(),
    rating: p.integer().nullable(),
    added: p.datetime().index(),
  },
});

export type Product = InferEntity<typeof Product>;

/** Size of the shop, on which everything else depends. */
export interface Size {
  readonly products: number;
  readonly brands: number;
  readonly categories: number;
}

export const STATUSES = ['draft', 'listed', 'sold out', 'retired'];
export const COUNTRIES = ['AT', 'BE', 'CH', 'DE', 'ES', 'FR', 'IT', 'NL', 'PL', 'SE'];
/** Cents. */
export const MAX_PRICE = 100_000;
export const MAX_STOCK = 1000;
export const LETTERS = [...'abcdefghijklmnopqrst'];
const FIRST_DAY = Date.UTC(2020, 0, 1);
export const DAYS = 1500;

export const priceOf = (cents: number): string => (cents / 100).toFixed(2);
export const day = (number: number, ms = 0): Date => new Date(FIRST_DAY + number * 86_400_000 + ms);

/** A product's data without its key. */
export function productData(random: Random, size: Size) {
  return {
    code: random.of(LETTERS) + random.of(LETTERS) + random.below(1000),
    title: `Product ${random.below(1e6)}`,
    category: random.below(size.categories),
    brand: 1 + random.below(size.brands),
    status: random.of(STATUSES),
    price: priceOf(random.below(MAX_PRICE)),
    stock: random.below(MAX_STOCK),
    rating: random.below(4) === 0 ? null : random.below(6),
    added: day(random.below(DAYS), random.below(86_400_000)),
  };
}

export async function fillShop(em: EntityManager, random: Random, size: Size): Promise<void> {
  const brands = Array.from({ length: size.brands }, (_, i) => ({
    id: i + 1,
    name: `Brand ${i}`,
    country: random.of(COUNTRIES),
  }));
  await em.insertMany(Brand, brands);
  const products = Array.from({ length: size.products }, (_, i) => ({
    id: i + 1,
    ...productData(random, size),
  }));
  await em.insertMany(Product, products as never);
  await em.getConnection().execute('vacuum analyze');
}
