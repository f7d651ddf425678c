import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { cacheops, getCacheops } from '../../lib/index.js';
import { TABLES } from '../../lib/orm/catalog/catalog_queries.js';
import { freshDatabase, redisUrl } from '../../spec/support/servers.js';
import { Article, fillDatabase } from '../article.js';
import { STORE_TIMEOUT } from '../subjects.js';
import { entities } from './entities.js';
import { coldStarts, type Operation, operations } from './operations.js';
import { commandsIn, statementsIn, type Traffic, Wire } from './wire.js';

/** What an operation costs. */
export interface Cost {
  readonly database: Traffic;
  readonly redis: Traffic;
  /** how often the catalog was read */
  readonly catalogs: number;
  readonly varies: Operation['varies'];
}

export type Costs = ReadonlyMap<Operation, Cost>;

export interface Counted {
  readonly plain: Costs;
  readonly cached: Costs;
}

const ROWS = 1000;

/** Counts the exchanges of all operations, without the extension and with it. */
export async function countExchanges(): Promise<Counted> {
  const databaseUrl = await freshDatabase('exchanges');
  const url = await redisUrl();
  using database = new Wire(Number(new URL(databaseUrl).port), statementsIn);
  using redis = new Wire(Number(new URL(url).port), commandsIn);
  const take = (varies?: Operation['varies']): Cost => {
    const traffic = database.take();
    return {
      varies,
      database: traffic,
      redis: redis.take(),
      catalogs: traffic.messages.filter(text => text === TABLES).length,
    };
  };
  const connect = (options: Options) => MikroORM.init({ clientUrl: databaseUrl, ...options });
  const all = async (options: () => Options, idle: (orm: MikroORM) => Promise<void>): Promise<Costs> => {
    const run = async (operation: Operation, orm: MikroORM) => {
      await operation.prepare?.(orm);
      await idle(orm);
      take();
      await operation.run(orm);
      await idle(orm);
      return take(operation.varies);
    };
    const costs = new Map<Operation, Cost>();
    for (const operation of coldStarts) {
      const orm = await connect({ ...options(), entities: [...operation.entities!] as never });
      costs.set(operation, await run(operation, orm));
      await orm.close();
    }
    const orm = await connect({ ...options(), entities });
    await warmUp(orm, () => idle(orm));
    for (const operation of operations) {
      costs.set(operation, await run(operation, orm));
    }
    await orm.close();
    return costs;
  };

  const prepared = await connect({ entities });
  await fillDatabase(prepared, ROWS);
  const plain = await all(
    () => ({}),
    async () => {},
  );
  await prepared.schema.drop();
  await fillDatabase(prepared, ROWS);
  await prepared.close();
  const cached = await all(
    () => ({
      extensions: [
        cacheops({
          redis: url,
          prefix: `exchanges:${crypto.randomUUID().slice(0, 8)}:`,
          storeTimeout: STORE_TIMEOUT,
          defaults: { timeout: 3600 },
          profiles: { '*': { ops: 'all' } },
        }),
      ],
    }),
    orm => getCacheops(orm).idle(),
  );
  return { plain, cached };
}

async function warmUp(orm: MikroORM, idle: () => Promise<void>): Promise<void> {
  for (let i = 0; i < 2; i++) {
    const em = orm.em.fork();
    await em.findOne(Article, { id: 900 + i });
    await em.find(Article, { author: 40 + i });
    await em.count(Article, { author: 40 + i });
    await em.find(Article, { id: [900, 901, 902] });
    await em.nativeUpdate(Article, { id: 900 + i }, { title: 'z' });
    await idle();
  }
}
