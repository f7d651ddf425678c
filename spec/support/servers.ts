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

/** The database server of this process: DATABASE_URL, or a server started at the first call. */
export async function postgresUrl(): Promise<string> {
  postgres ??= givenBy('DATABASE_URL') ?? startPostgres();
  return (await postgres).url;
}

/** The Redis of this process: REDIS_URL, or a server started at the first call. */
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

/** Stops the servers that the functions above have started. Later calls start new ones. */
export async function stopServers(): Promise<void> {
  if (process.env.DATABASE_URL) {
    // databases on a server of our own are deleted with it
    for (const database of databases) {
      await administer(`drop database if exists "${database}" with (force)`);
    }
  }
  databases.clear();
  const running = [postgres, redis];
  postgres = redis = undefined;
  // the caller has the error of a server that failed to start
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
