import { quietClient } from '../../store/redis/support.js';
import { startRedis } from '../../support/redis.js';
import type { Fault } from './fault.js';
import { runSiege } from './siege.js';

const POLICIES = [
  'allkeys-lru',
  'allkeys-lfu',
  'allkeys-random',
  'volatile-lru',
  'volatile-lfu',
  'volatile-random',
  'volatile-ttl',
];

const MAXMEMORY = '3mb';
/** Reading it takes several times as much memory. */
const FULL = { rows: 30, filler: 20_000 };

/** Reads in a siege. */
const tries = { long: 10_000, short: 500 };

export const memoryLimits: readonly Fault[] = [
  ...POLICIES.map(policy => ({
    name: `Redis has ${MAXMEMORY} and evicts (${policy})`,
    tries: { ...tries, short: policy === 'allkeys-random' ? tries.short : 0 }, // a store spec covers the other policies
    run: (reads: number) => fill(policy, 'throw', reads, /evicted_keys:(\d+)/),
  })),
  ...(['throw', 'degrade'] as const).map(onStoreFailure => ({
    name: `Redis has ${MAXMEMORY} and refuses (noeviction, \`${onStoreFailure}\`)`,
    tries,
    run: (reads: number) => fill('noeviction', onStoreFailure, reads, /errorstat_OOM:count=(\d+)/),
  })),
];

async function fill(policy: string, onStoreFailure: 'throw' | 'degrade', reads: number, happened: RegExp) {
  await using server = await startRedis(['--maxmemory', MAXMEMORY, '--maxmemory-policy', policy]);
  const client = quietClient(server.url);
  const findings = await runSiege({ place: { redis: server.url, onStoreFailure }, reads, ...FULL });
  findings.tries = Number(happened.exec(await client.info('everything'))?.[1] ?? 0);
  client.disconnect();
  if (findings.tries === 0) {
    findings.broken.push('memory was never short');
  }
  return findings;
}
