import type { EntityManager } from '@mikro-orm/postgresql';
import type { Random } from './random.js';
import {
  Brand,
  COUNTRIES,
  MAX_PRICE,
  MAX_STOCK,
  Product,
  priceOf,
  productData,
  type Size,
  STATUSES,
} from './shop.js';

export interface Write {
  readonly kind: string;
  readonly run: (em: EntityManager) => Promise<unknown>;
}

/** Writes of single rows, with bulk writes among them, in random order. */
export function makeWrites(single: number, bulk: number, random: Random, size: Size): Write[] {
  const keys = Array.from({ length: size.products }, (_, i) => i + 1);
  const takeKey = () => keys.splice(random.below(keys.length), 1)[0]!;
  let last = size.products;
  const newRow = () => {
    keys.push(++last);
    return { id: last, ...productData(random, size) };
  };
  const every = bulk > 0 ? Math.floor(single / bulk) : Number.POSITIVE_INFINITY;
  return Array.from({ length: single }, (_, i) => i).flatMap(i => [
    makeSingle(),
    ...(i % every === every - 1 ? [makeBulk()] : []),
  ]);

  function makeSingle(): Write {
    const kind = random.below(20);
    if (kind < 4) {
      const row = newRow();
      return { kind: 'insert', run: em => em.persist(em.create(Product, row as never)).flush() };
    }
    if (kind < 8) {
      const id = takeKey();
      return { kind: 'delete', run: async em => em.remove(await em.findOneOrFail(Product, { id })).flush() };
    }
    if (kind < 9) {
      const id = 1 + random.below(size.brands);
      const change = random.below(2)
        ? { country: random.of(COUNTRIES) }
        : { name: `Brand ${random.below(1e6)}` };
      return { kind: 'update of a brand', run: em => edit(em, Brand, id, change) };
    }
    const id = random.of(keys);
    const data = Object.entries(productData(random, size));
    const change = Object.fromEntries(random.some(data, 1 + random.below(2)));
    return { kind: 'update', run: em => edit(em, Product, id, change) };
  }

  function makeBulk(): Write {
    const from = random.below(MAX_PRICE - 1000);
    const price = { $gte: priceOf(from), $lt: priceOf(from + 1000) };
    const status = random.of(STATUSES);
    switch (random.below(4)) {
      case 0:
        return {
          kind: 'bulk update',
          run: em => em.nativeUpdate(Product, { price }, { status }),
        };
      case 1: {
        const stock = random.below(MAX_STOCK);
        const category = random.below(size.categories);
        return { kind: 'bulk update', run: em => em.nativeUpdate(Product, { category }, { stock }) };
      }
      case 2: {
        const gone = Array.from({ length: 10 }, takeKey);
        return { kind: 'bulk delete', run: em => em.nativeDelete(Product, { id: { $in: gone } } as never) };
      }
      default: {
        const rows = Array.from({ length: 10 }, newRow);
        return { kind: 'bulk insert', run: em => em.insertMany(Product, rows as never) };
      }
    }
  }
}

async function edit(em: EntityManager, entity: any, id: number, change: object): Promise<void> {
  em.assign(await em.findOneOrFail(entity, { id } as never), change as never);
  await em.flush();
}
