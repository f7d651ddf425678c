import { Redis } from 'ioredis';
import { freePort } from './free_port.js';
import { type RedisServer, startRedis } from './redis.js';
import { until } from './until.js';

/** A Redis Cluster of three masters, each with a replica. */
export interface RedisCluster {
  readonly ports: readonly number[];
  /** in the order of the ports: initially, the masters come first */
  readonly servers: readonly RedisServer[];
  /** one client for each server */
  readonly clients: readonly Redis[];
  stop(): Promise<void>;
}

const MASTERS = 3;
const PATIENCE = { timeout: 60_000, interval: 50 };

export async function startRedisCluster(): Promise<RedisCluster> {
  const args = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000'];
  const buses: number[] = [];
  const servers: RedisServer[] = [];
  for (let i = 0; i < 2 * MASTERS; i++) {
    // the default is the port plus 10000, which may not be free
    buses.push(await freePort());
    servers.push(await startRedis([...args, '--cluster-port', String(buses[i])]));
  }
  const clients = servers.map(({ url }) => {
    const client = new Redis(url, { retryStrategy: () => 100 });
    client.on('error', () => {});
    return client;
  });
  const masters = clients.slice(0, MASTERS);
  await Promise.all(
    masters.map((client, i) => {
      const bound = (n: number) => String(Math.round((n * 16_384) / MASTERS));
      return client.call('CLUSTER', 'ADDSLOTSRANGE', bound(i), String(Number(bound(i + 1)) - 1));
    }),
  );
  for (const [i, { port }] of servers.entries()) {
    await clients[0]!.call('CLUSTER', 'MEET', '127.0.0.1', String(port), String(buses[i]));
  }
  await until(async () => {
    const infos = await Promise.all(clients.map(client => client.call('CLUSTER', 'INFO')));
    return infos.every(info => /cluster_known_nodes:6\r/.test(String(info)));
  }, PATIENCE);
  const ids = await Promise.all(masters.map(client => client.call('CLUSTER', 'MYID')));
  await Promise.all(
    clients.slice(MASTERS).map((client, i) => client.call('CLUSTER', 'REPLICATE', String(ids[i]))),
  );
  await until(async () => {
    const infos = await Promise.all(clients.map(client => client.call('CLUSTER', 'INFO')));
    const links = await Promise.all(clients.slice(MASTERS).map(client => client.info('replication')));
    return (
      infos.every(info => /cluster_state:ok/.test(String(info))) &&
      links.every(info => info.includes('master_link_status:up'))
    );
  }, PATIENCE);
  return {
    ports: servers.map(({ port }) => port),
    servers,
    clients,
    async stop() {
      for (const client of clients) {
        client.disconnect();
      }
      await Promise.all(servers.map(server => server.stop()));
    },
  };
}
