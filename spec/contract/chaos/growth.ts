import { MikroORM } from '@mikro-orm/postgresql';
import type { Redis } from 'ioredis';
import { type CacheopsOptions, cacheops, getCacheops } from '../../../lib/index.js';
import { quietClient } from '../../store/redis/support.js';
import { collectGarbage } from '../../support/garbage.js';
import { startRedis } from '../../support/redis.js';
import { freshDatabase } from '../../support/servers.js';
import { until } from '../../support/until.js';
import { actions } from '../processes/actions.js';
import { audit } from '../processes/audit.js';
import { inLanes } from '../processes/lanes.js';
import { trackReads } from '../processes/open.js';
import { Article, createTables, entities } from '../processes/schema.js';
import { type Fault, Findings } from './fault.js';
import { pick, type Random } from './random.js';
import { runSiege } from './siege.js';

const MINUTES = 60;
/** Lifetime of an entry of these entities, in minutes. */
const TIMEOUT = 10;
const MEGABYTE = 2 ** 20;
const ROWS = 20;

export const growth: readonly Fault[] = [
  {
    name: 'an hour of queries that are never repeated, in Redis',
    tries: { long: 36_000, short: 1200 },
    run: (queries, random) => askForAnHour(queries, random),
  },
  {
    name: 'an hour of queries that are never repeated, in 4 MiB of memory',
    tries: { long: 36_000, short: 1200 },
    run: (queries, random) => askForAnHour(queries, random, { memory: { maxSize: 4 * MEGABYTE } }),
  },
  {
    name: 'invalidations without end',
    tries: { long: 20_000, short: 600 },
    run: invalidate,
  },
  {
    name: '400 requests at a time in one process, 20 of which write',
    tries: { long: 50_000, short: 2000 },
    async run(reads) {
      const findings = await runSiege({
        place: { onStoreFailure: 'degrade' }, // a single process
        reads,
        lanes: { reader: 380, writer: 20 },
      });
      return Object.assign(findings, { tries: reads });
    },
  },
];

/** Memory used after a minute, or after a number of writes. */
interface Size {
  /** bytes of this process after garbage collection */
  readonly heap: number;
  /** bytes of the Redis dataset */
  readonly dataset: number;
  readonly keys: number;
}

interface World extends AsyncDisposable {
  readonly orm: MikroORM;
  size(): Promise<Size>;
  /** Shortens the remaining lifetime of all keys; the clock stays. */
  age(milliseconds: number): Promise<void>;
}

async function open(options?: CacheopsOptions): Promise<World> {
  const database = await freshDatabase('growth');
  await createTables(database, ROWS);
  const server = options ? undefined : await startRedis();
  const client = server && quietClient(server.url);
  const orm = await MikroORM.init({
    clientUrl: database,
    entities,
    extensions: [cacheops(options ?? { redis: server!.url, storeTimeout: 10_000 })],
  });
  trackReads(orm);
  await until(async () => (await audit(orm.em.fork(), [1])).hits > 0, { timeout: 60_000, interval: 50 });
  return {
    orm,
    async size() {
      await getCacheops(orm).idle();
      collectGarbage();
      const heap = process.memoryUsage().heapUsed;
      return { heap, dataset: 0, keys: 0, ...(client && (await sizeOf(client))) };
    },
    async age(milliseconds) {
      await client?.eval(AGE, 0, milliseconds);
    },
    async [Symbol.asyncDispose]() {
      await orm.close();
      client?.disconnect();
      await server?.stop();
    },
  };
}

async function sizeOf(client: Redis): Promise<Omit<Size, 'heap'>> {
  const dataset = /used_memory_dataset:(\d+)/.exec(await client.info('memory'))![1];
  return { dataset: Number(dataset), keys: await client.dbsize() };
}

const AGE = `
  for _, key in ipairs(redis.call('KEYS', '*')) do
    local left = redis.call('PTTL', key) - ARGV[1]
    if left > 0 then redis.call('PEXPIRE', key, left) else redis.call('DEL', key) end
  end`;

/** Each query has a key and dependencies of its own. Writes happen now and then. */
async function askForAnHour(queries: number, random: Random, options?: CacheopsOptions): Promise<Findings> {
  const findings = new Findings();
  await using world = await open(options);
  const { orm, age } = world;
  const perMinute = Math.ceil(queries / MINUTES);
  const sizes: Size[] = [];
  let n = 0;
  for (let minute = 0; minute < MINUTES; minute++) {
    await inLanes(10, Array(perMinute).fill(0), async () => {
      await orm.em.fork().find(Article, { category: -++n, version: { $ne: n } });
    });
    await actions[pick(random, Object.keys(actions))]!(orm.em.fork(), 1 + (minute % ROWS));
    await age(60_000);
    if (minute % 5 === 4) {
      sizes.push(await world.size());
    }
  }
  findings.add(await audit(orm.em.fork(), rows()), true);
  findings.add(await audit(orm.em.fork(), rows()), true);

  // an entry and a stamp for each query that has not expired, and a constant number of keys for the tables
  const most = 2 * perMinute * (TIMEOUT + 1) + 100;
  const keys = Math.max(...sizes.map(size => size.keys));
  if (keys > most) {
    findings.broken.push(`${keys} keys, more than ${most}`);
  }
  compare(findings, sizes[sizes.length / 2]!, sizes.at(-1)!);
  findings.reads += n;
  findings.tries = n;
  return findings;
}

async function invalidate(writes: number, random: Random): Promise<Findings> {
  const findings = new Findings();
  await using world = await open();
  const em = () => world.orm.em.fork();
  const write = (count: number) =>
    inLanes(8, Array(count).fill(0), async () => {
      // concurrent inserts and deletes of one row would block each other
      const names = Object.keys(actions).filter(name => name !== 'insert, or delete');
      await actions[pick(random, names)]!(em(), 1 + Math.floor(random() * ROWS));
    });
  const ask = async () => findings.add(await audit(em(), rows()));
  await ask();
  await write(Math.ceil(writes / 2));
  await ask();
  const half = await world.size();
  await write(Math.floor(writes / 2));
  await ask();
  findings.add(await audit(em(), rows()), true);
  compare(findings, half, await world.size());
  findings.tries = writes;
  return findings;
}

/** Growth allowed between the two halves, in bytes. */
const SLACK = { heap: 16 * MEGABYTE, dataset: 2 * MEGABYTE };

function compare(findings: Findings, half: Size, whole: Size): void {
  for (const what of ['heap', 'dataset'] as const) {
    const growth = whole[what] - half[what];
    const message = `${what}: ${megabytes(half[what])} after the first half, ${megabytes(whole[what])} in the end`;
    (growth > SLACK[what] ? findings.broken : findings.notes).push(message);
  }
  findings.notes.push(`keys: ${half.keys} after the first half, ${whole.keys} in the end`);
}

function megabytes(bytes: number): string {
  return `${(bytes / MEGABYTE).toFixed(1)} MiB`;
}

function rows(): number[] {
  return Array.from({ length: ROWS }, (_, i) => i + 1);
}
