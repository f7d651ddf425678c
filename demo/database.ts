import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import * as pglite from '@mikro-orm/pglite';
import * as postgresql from '@mikro-orm/postgresql';
import { entities } from '../fixtures/cities/index.js';
import { cacheops, getCacheops, RedisStore } from '../lib/index.js';

const { DATABASE_URL, REDIS_URL } = process.env;

/** The name of the database and the prefix in Redis. Nothing else on the servers is touched. */
const name = `cacheops_demo_${crypto.randomUUID().slice(0, 8)}`;

/** Long, because the demo must see hits even on a busy machine. */
const inRedis = { prefix: `${name}:`, storeTimeout: 5000 };

export type Orm = pglite.MikroORM | postgresql.MikroORM;

export const databaseKind = DATABASE_URL ? 'PostgreSQL' : 'PGlite';
export const cacheKind = REDIS_URL ? 'Redis' : 'memory';

/** On PGlite and in memory, unless DATABASE_URL and REDIS_URL are given. */
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
 * Creates the database and its tables.
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

/** Removes everything that was created, and disconnects. */
export async function remove(orm: Orm): Promise<void> {
  try {
    await orm.close(true);
    if (REDIS_URL) {
      await clearRedis(REDIS_URL);
    }
  } finally {
    if (DATABASE_URL) {
      await administer(`drop database if exists "${name}" with (force)`);
    }
  }
}

/** Unlike `invalidateAll()`, which keeps the version of the catalog. */
async function clearRedis(url: string): Promise<void> {
  const store = new RedisStore(url, { prefix: inRedis.prefix });
  try {
    await store.clear();
  } finally {
    await store.close();
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
