import { MikroORM } from '@mikro-orm/postgresql';
import { startPostgres } from './postgres.js';
import { startRedis } from './redis.js';

interface Running {
  readonly url: string;
  stop(): Promise<void>;
}

let postgres: Promise<Running> | undefined;
let redis: Promise<Running> | undefined;
const databases = new Set<string>();

/** Of the database server for this process: DATABASE_URL, or one of our own, started when first asked for. */
export async function postgresUrl(): Promise<string> {
  postgres ??= givenBy('DATABASE_URL') ?? startPostgres();
  return (await postgres).url;
}

/** Of the Redis for this process: REDIS_URL, or one of our own, started when first asked for. */
export async function redisUrl(): Promise<string> {
  redis ??= givenBy('REDIS_URL') ?? startRedis();
  return (await redis).url;
}

/** The URL of a new empty database, which {@link stopServers} drops. */
export async function freshDatabase(name = 'spec'): Promise<string> {
  const database = `cacheops_${name}_${crypto.randomUUID().slice(0, 8)}`;
  await administer(`create database "${database}"`);
  databases.add(database);
  return Object.assign(new URL(await postgresUrl()), { pathname: database }).href;
}

/** Stops what the functions above have started. Who asks them again gets new servers. */
export async function stopServers(): Promise<void> {
  if (process.env.DATABASE_URL) {
    // a server of our own takes them with it
    for (const database of databases) {
      await administer(`drop database if exists "${database}" with (force)`);
    }
  }
  databases.clear();
  const running = [postgres, redis];
  postgres = redis = undefined;
  // who asked for one that could not be started has heard of it already
  await Promise.all(running.map(async server => (await server?.catch(() => undefined))?.stop()));
}

function givenBy(variable: string): Promise<Running> | undefined {
  const url = process.env[variable];
  return url ? Promise.resolve({ url, stop: async () => {} }) : undefined;
}

async function administer(statement: string): Promise<void> {
  const orm = await MikroORM.init({
    clientUrl: await postgresUrl(),
    entities: [],
    discovery: { warnWhenNoEntities: false },
  });
  try {
    await orm.em.getConnection().execute(statement);
  } finally {
    await orm.close();
  }
}
