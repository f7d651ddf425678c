import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { type RedisServer, startRedis } from './redis.js';
import { freshDatabase, postgresUrl, redisUrl } from './servers.js';
import { temporaryDirectory } from './temporary_directory.js';
import { until } from './until.js';

describe('servers for specs', () => {
  it('servers start once for any number of concurrent calls', async () => {
    const urls = await Promise.all([postgresUrl(), postgresUrl(), redisUrl(), redisUrl()]);
    expect(new Set(urls)).to.have.property('size', 2);
  });

  it('every caller gets an empty database of its own', async () => {
    const [one, other] = await Promise.all([freshDatabase(), freshDatabase()]);
    await execute(one, 'create table t (id int)');

    const tables = "select tablename from pg_tables where schemaname = 'public'";
    expect(await execute(one, tables)).to.deep.equal([{ tablename: 't' }]);
    expect(await execute(other, tables)).to.deep.equal([]);
  });

  describe('a Redis for one test', () => {
    let server: RedisServer;
    afterEach(() => server.stop());

    it('it is empty after a restart', async () => {
      server = await startRedis();
      await withRedis(server, redis => redis.set('k', 'v'));
      await server.restart();
      expect(await withRedis(server, redis => redis.get('k'))).to.equal(null);
    });

    it('it restarts with its saved data after a kill, if it saves', async () => {
      server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
      const { pid } = server;
      await withRedis(server, redis => redis.set('k', 'v'));
      await server.kill9();
      expect(isAlive(pid)).to.equal(false);

      await server.restart();
      expect(server.pid).not.to.equal(pid);
      expect(await withRedis(server, redis => redis.get('k'))).to.equal('v');
    });
  });

  for (const end of ['SIGTERM', 'process.exit(3)', 'throw "on purpose"'] as const) {
    it(`servers and their files are removed after ${end}`, async () => {
      const temporary = temporaryDirectory('left');
      chmodSync(temporary.path, 0o755); // as root, we run PostgreSQL as another user
      const pids = await serversLeftAfter(end, temporary.path);
      expect(pids).to.have.length(2);
      await until(() => !pids.some(isAlive));
      expect(readdirSync(temporary.path)).to.deep.equal([]);
      temporary.remove();
    });
  }
});

/** Starts a PostgreSQL and a Redis in another process, ends that process, and returns their ids. */
async function serversLeftAfter(end: string, temporary: string): Promise<number[]> {
  const isSignal = end.startsWith('SIG');
  const program = `
    import { startPostgres } from '${import.meta.resolve('./postgres.js')}';
    import { startRedis } from '${import.meta.resolve('./redis.js')}';
    const servers = await Promise.all([startPostgres(), startRedis()]);
    console.log(JSON.stringify(servers.map(server => server.pid)));
    ${isSignal ? 'setInterval(() => {}, 1000)' : end}`;
  const starter = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exit = once(starter, 'exit');
  const started = once(createInterface(starter.stdout), 'line');
  const [line] = await Promise.race([started, exit]);
  if (isSignal) {
    starter.kill(end as NodeJS.Signals);
  }
  await exit;
  return JSON.parse(line);
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

async function withRedis<T>({ url }: RedisServer, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}

async function execute(clientUrl: string, statement: string): Promise<unknown> {
  const orm = await MikroORM.init({ clientUrl, entities: [], discovery: { warnWhenNoEntities: false } });
  try {
    return await orm.em.getConnection().execute(statement);
  } finally {
    await orm.close();
  }
}
