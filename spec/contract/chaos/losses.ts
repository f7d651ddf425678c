import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { startSentinel } from '../../store/redis/sentinel.js';
import { quietClient } from '../../store/redis/support.js';
import { type RedisServer, startRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';
import type { Audit } from '../processes/audit.js';
import { prepare } from '../processes/setting.js';
import type { Fault, Findings } from './fault.js';
import { between, type Random } from './random.js';
import { type Relay, startRelay } from './relay.js';
import { runSiege } from './siege.js';

const PATIENCE = { timeout: 60_000 };
/** Bounds for the number of reads between two events. */
const READS = { least: 50, most: 200 };

type Pause = () => Promise<void>;

/** An event on a server, at any moment. */
type ServerEvent = (server: RedisServer, client: Redis, rest: Pause) => Promise<void>;

const serverEvents: Readonly<Record<string, { args?: readonly string[]; happen: ServerEvent }>> = {
  FLUSHALL: {
    happen: async (_server, client, rest) => {
      await rest();
      await client.flushall();
    },
  },
  'Redis is killed, and comes back empty': {
    happen: async (server, _client, rest) => {
      await rest();
      await server.kill9();
      await server.restart();
    },
  },
  'Redis is killed, and comes back with an old RDB file': {
    happen: async (server, client, rest) => {
      await rest();
      await client.save();
      await rest();
      await server.kill9();
      await server.restart();
      await until(() => client.ping().catch(() => false), PATIENCE);
    },
  },
  'Redis is killed, and comes back with an old AOF': {
    args: ['--appendonly', 'yes', '--appendfsync', 'always'],
    happen: async (server, client, rest) => {
      await rest();
      const [, directory] = (await client.config('GET', 'dir')) as [string, string];
      const [current, old] = [join(directory, 'appendonlydir'), join(directory, 'old')];
      rmSync(old, { recursive: true, force: true });
      cpSync(current, old, { recursive: true });
      await rest();
      await server.kill9();
      rmSync(current, { recursive: true });
      cpSync(old, current, { recursive: true });
      await server.restart();
      await until(() => client.ping().catch(() => false), PATIENCE);
    },
  },
};

export const losses: readonly Fault[] = [
  ...Object.entries(serverEvents).map(([name, { args, happen }]) => ({
    name,
    tries: { long: 50, short: 2 },
    run: async (tries: number, random: Random) => {
      await using server = await startRedis(args);
      const client = quietClient(server.url);
      const findings = await runSiege({
        place: { redis: server.url, storeTimeout: 1000 },
        reads: 0,
        async meanwhile(reads) {
          for (let i = 0; i < tries; i++) {
            await happen(server, client, pauseFor(reads, random));
          }
          await pauseFor(reads, random)();
        },
      });
      await loseAtRest(server.url, tries, rest => happen(server, client, rest), findings);
      client.disconnect();
      return Object.assign(findings, { tries: 2 * tries });
    },
  })),
  {
    name: 'a replica that lags is promoted',
    tries: { long: 20, short: 1 },
    run: promoteByHand,
  },
  {
    name: 'a replica that lags is promoted by Sentinel',
    tries: { long: 5, short: 1 },
    run: promoteBySentinel,
  },
];

/**
 * Everything is cached, then everything is changed, then data are lost, and only then do readers ask: earlier work
 * could repair what came back.
 */
async function loseAtRest(
  redis: string,
  tries: number,
  happen: (rest: Pause) => Promise<void>,
  findings: Findings,
): Promise<void> {
  const rows = [1, 2, 3, 4];
  await using setting = await prepare(rows.length, { redis, storeTimeout: 1000, retryAfter: 50 });
  const [reader, writer] = await Promise.all([setting.child(), setting.child()]);
  const audit = async () => findings.add(await reader.do<Audit>('audit', rows));
  for (let i = 0; i < tries; i++) {
    let isCached = false;
    await happen(async () => {
      if (isCached) {
        await Promise.all(rows.map(row => writer.do('alter', 'edit by the unit of work', row)));
        return;
      }
      isCached = true;
      await until(async () => {
        const { reads, hits } = await reader.do<Audit>('audit', rows);
        return hits === reads;
      }, PATIENCE);
    });
    // the reader has reconnected to the store, and has not used it yet
    await until(() => reader.do('ping'), PATIENCE);
    await audit();
    await audit();
  }
}

function pauseFor(reads: () => number, random: Random): Pause {
  return async () => {
    const next = reads() + between(random, READS.least, READS.most);
    await until(() => reads() >= next, PATIENCE);
  };
}

/** The clients are redirected to the replica as soon as its master is dead. */
async function promoteByHand(tries: number, random: Random): Promise<Findings> {
  await using pair = await startPair();
  await using toMaster = await startRelay(pair.master.port);
  const findings = await runSiege({
    place: { redis: `redis://127.0.0.1:${toMaster.port}`, storeTimeout: 1000 },
    reads: 0,
    async meanwhile(reads) {
      const rest = pauseFor(reads, random);
      for (let i = 0; i < tries; i++) {
        await rest();
        pair.fallBehind();
        await rest();
        await pair.master.kill9();
        await pair.client.replicaof('NO', 'ONE');
        toMaster.target = pair.replica.port;
        toMaster.cut();
        await rest();
        await pair.swapRoles();
      }
    },
  });
  return Object.assign(findings, { tries });
}

async function promoteBySentinel(tries: number, random: Random): Promise<Findings> {
  await using pair = await startPair();
  const sentinel = await startSentinel(pair.master.port);
  const watching = quietClient(`redis://127.0.0.1:${sentinel.port}`);
  for (const [name, value] of Object.entries({ 'down-after-milliseconds': 500, 'failover-timeout': 1000 })) {
    await watching.call('SENTINEL', 'SET', 'main', name, value);
  }
  const isKnown = async () =>
    String(await watching.call('SENTINEL', 'REPLICAS', 'main')).includes(`127.0.0.1:${pair.replica.port}`);
  const findings = await runSiege({
    place: {
      redis: { sentinels: [{ host: '127.0.0.1', port: sentinel.port }], name: 'main' },
      storeTimeout: 1000,
    },
    reads: 0,
    async meanwhile(reads) {
      const rest = pauseFor(reads, random);
      for (let i = 0; i < tries; i++) {
        await until(isKnown, PATIENCE);
        await rest();
        pair.fallBehind();
        await rest();
        await pair.master.kill9();
        await until(async () => {
          const address = await watching.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main');
          return String(address) === `127.0.0.1,${pair.replica.port}`;
        }, PATIENCE);
        await rest();
        await pair.swapRoles();
      }
    },
  });
  watching.disconnect();
  await sentinel.stop();
  return Object.assign(findings, { tries });
}

interface Pair extends AsyncDisposable {
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** connects to the replica */
  readonly client: Redis;
  /** From now on, the replica receives nothing from its master, and does not notice. */
  fallBehind(): void;
  /** Makes the dead server a follower of its former replica. */
  swapRoles(): Promise<void>;
}

/** Starts a server, and a replica that follows it through a relay. */
export async function startPair(): Promise<Pair> {
  const servers = await Promise.all(
    [0, 1].map(() => startRedis(['--repl-diskless-sync-delay', '0', '--repl-timeout', '600'])),
  );
  const clients = servers.map(({ url }) => quietClient(url));
  let relay: Relay | undefined;
  let master = 0;

  const follow = async () => {
    relay ??= await startRelay(servers[master]!.port);
    relay.interfere = undefined;
    relay.target = servers[master]!.port;
    relay.cut();
    const client = clients[1 - master]!;
    await until(() => client.ping().catch(() => false), PATIENCE);
    await client.replicaof('127.0.0.1', relay.port);
    await until(async () => (await client.info('replication')).includes('master_link_status:up'), PATIENCE);
  };
  await follow();
  return {
    get master() {
      return servers[master]!;
    },
    get replica() {
      return servers[1 - master]!;
    },
    get client() {
      return clients[1 - master]!;
    },
    fallBehind() {
      relay!.interfere = ({ data, by }) => (by === 'client' ? data : undefined);
    },
    async swapRoles() {
      await servers[master]!.restart();
      master = 1 - master;
      await follow();
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) {
        client.disconnect();
      }
      await relay?.[Symbol.asyncDispose]();
      await Promise.all(servers.map(server => server.stop()));
    },
  };
}
