import type { MikroORM } from '@mikro-orm/postgresql';
import { type Granularity, withGranularity } from '../../lib/config/granularity.js';
import { cacheops, getCacheops } from '../../lib/index.js';
import { MultiplyingStore } from '../dependents.js';
import { shuffled, Timings, time } from '../timings.js';
import { MAX_PRICE, Product, priceOf } from './shop.js';

const PREDICATES = [10, 1000, 100_000];
const ROUNDS = 60;
const WARM_UP = 10;
const TIMEOUT = 3600;

interface Contender {
  readonly granularity: Granularity;
  readonly orm: MikroORM;
  readonly store: MultiplyingStore;
}

/**
 * The time of a flush of one changed price while this many counts with different price ranges are cached, in µs.
 *
 * @param join creates an ORM with these extensions
 */
export async function measureFlush(
  redisUrl: string,
  join: (extension: ReturnType<typeof cacheops>) => Promise<MikroORM>,
): Promise<string> {
  const contenders = await Promise.all(
    (['equality', 'full'] as const).map(async granularity => {
      const prefix = `bench:${crypto.randomUUID()}:`;
      const store = new MultiplyingStore(redisUrl, { prefix, commandTimeout: 5000 });
      const profiles = { '*': { ops: 'all', timeout: TIMEOUT } } as const;
      const orm = await join(cacheops(withGranularity({ profiles, store, storeTimeout: 5000 }, granularity)));
      return { granularity, orm, store };
    }),
  );
  try {
    const lines: string[] = [];
    for (const count of PREDICATES) {
      const timings = await measure(contenders, count);
      const medians = contenders.map(({ granularity }) => timings.get(granularity)!.median);
      lines.push(
        `| ${count.toLocaleString('en')} | ${medians.map(Math.round).join(' | ')} | ${(medians[1]! / medians[0]!).toFixed(2)} |`,
      );
    }
    return ['| ranges cached | equality | full | × |', '| ---: | ---: | ---: | ---: |', ...lines].join('\n');
  } finally {
    for (const { orm, store } of contenders) {
      await store.clear();
      await orm.close();
      await store.close();
    }
  }
}

async function measure(
  contenders: readonly Contender[],
  count: number,
): Promise<ReadonlyMap<Granularity, Timings>> {
  const timings = new Map(contenders.map(({ granularity }) => [granularity, new Timings()]));
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    for (const { granularity, orm, store } of shuffled(contenders)) {
      // a flush may delete the stamps of other results; filling a few creates them again
      await ask(orm, round === 0 ? 10 : 1, round);
      if (round === 0) {
        await store.multiply(count - 10);
      }
      const em = orm.em.fork();
      const options = { orderBy: { id: 'asc' }, limit: 1, offset: round, cacheops: false } as const;
      const [product] = (await em.find(Product, {}, options)) as unknown as [{ price: string }];
      product.price = priceOf((round * 997) % MAX_PRICE);
      const taken = await time(() => em.flush());
      await getCacheops(orm).idle();
      if (round >= WARM_UP) {
        timings.get(granularity)!.rounds.push([taken]);
      }
    }
  }
  return timings;
}

/** Caches counts of different ranges. */
async function ask(orm: MikroORM, count: number, from: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const cents = (from + i) * 100;
    await orm.em.fork().count(Product, { price: { $gte: priceOf(cents), $lt: priceOf(cents + 500) } });
  }
  await getCacheops(orm).idle();
}
