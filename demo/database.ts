import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import * as pglite from '@mikro-orm/pglite';
import * as postgresql from '@mikro-orm/postgresql';
import { entities } from '../fixtures/cities/index.js';
import { cacheops, getCacheops } from '../lib/index.js';

const { DATABASE_URL, REDIS_URL } = process.env;

/** Nothing else on the servers is touched: it names a database, and begins the keys in Redis. */
const name = `cacheops_demo_${crypto.randomUUID().slice(0, 8)}`;

/** On a machine with much else to do, a slow answer is to be waited for: the demo wants to see hits. */
const inRedis = { prefix: `${name}:`, storeTimeout: 5000 };

export type Orm = pglite.MikroORM | postgresql.MikroORM;

export const databaseKind = DATABASE_URL ? 'PostgreSQL' : 'PGlite';
export const cacheKind = REDIS_URL ? 'Redis' : 'memory';

/** On PGlite and in the memory of this process; or, if they are given, where DATABASE_URL and REDIS_URL say. */
export async function openOrm(): Promise<Orm> {
  const options = {
    entities,
    metadataProvider: ReflectMetadataProvider,
    extensions: [cacheops(REDIS_URL ? { ...inRedis, redis: REDIS_URL } : {})],
  };
  const orm = DATABASE_URL
    ? await postgresql.MikroORM.init({ ...options, clientUrl: withDatabase(DATABASE_URL, name) })
    : await pglite.MikroORM.init({ ...options, dbName: 'memory://' });
  return orm;
}

/**
 * Makes the database and its tables.
 *
 * @throws Error if the database or Redis does not answer
 */
export async function create(orm: Orm): Promise<void> {
  await getCacheops(orm).invalidateAll();
  if (DATABASE_URL) {
    await administer(`create database "${name}"`);
  }
  await orm.schema.create();
}

/** Takes away whatever was made, and disconnects. */
export async function remove(orm: Orm): Promise<void> {
  try {
    await getCacheops(orm).invalidateAll();
  } finally {
    await orm.close(true);
    if (DATABASE_URL) {
      await administer(`drop database if exists "${name}" with (force)`);
    }
  }
}

function withDatabase(url: string, database: string): string {
  return Object.assign(new URL(url), { pathname: database }).href;
}

async function administer(statement: string): Promise<void> {
  const orm = await postgresql.MikroORM.init({
    clientUrl: DATABASE_URL!,
    entities: [],
    discovery: { warnWhenNoEntities: false },
  });
  try {
    await orm.em.getConnection().execute(statement);
  } finally {
    await orm.close();
  }
}
