import { randomBytes } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { startRedis } from '../../support/redis.js';
import { freshDatabase, redisUrl } from '../../support/servers.js';
import { until } from '../../support/until.js';
import { openSubject } from '../outage/subject.js';
import { createTables } from '../processes/schema.js';
import { type Fault, Findings } from './fault.js';
import { between, pick, type Random } from './random.js';
import { type Interference, type Relay, startRelay } from './relay.js';
import { runSiege } from './siege.js';

/** The library's default, in milliseconds. */
const STORE_TIMEOUT = 250;

/**
 * The longest time that a read may take while the store is disturbed, in milliseconds. It covers waits for the entry,
 * for a lease, for settling a dead writer and for another lease, on a busy machine.
 */
const BOUND = 3000;

/** Disturbs single messages, or the connections that carry them. */
type Disturbance = (random: Random, relay: Relay, later: Promise<void>) => Interference;

const disturbances: Readonly<Record<string, Disturbance>> = {
  [`messages to and from Redis are delayed by up to ${2 * STORE_TIMEOUT} ms`]: random => async chunk => {
    await setTimeout(random() * 2 * STORE_TIMEOUT);
    return chunk.data;
  },
  'messages to and from Redis arrive after the timeout': (random, _relay, later) => async chunk => {
    if (random() < 0.05) {
      await later;
    }
    return chunk.data;
  },
  'the connection to Redis is cut': (random, relay) => chunk => {
    if (random() < 0.03) {
      relay.cut();
    }
    return chunk.data;
  },
  'the connection to Redis is half closed': random => chunk => {
    if (random() < 0.03) {
      pick(random, [chunk.client, chunk.server]).end();
    }
    return chunk.data;
  },
  'messages in one direction are lost': random => chunk => (random() < 0.03 ? undefined : chunk.data),
  'Redis answers garbage': random => chunk =>
    chunk.by === 'server' && random() < 0.05 ? garbage(random, chunk.data) : chunk.data,
};

function garbage(random: Random, answer: Buffer): Buffer {
  return pick(random, [
    () => randomBytes(between(random, 1, 200)),
    () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    () => answer.map(byte => byte ^ 0x15),
    () => answer.subarray(0, Math.floor(answer.length / 2)),
    () => Buffer.from('-ERR unknown command\r\n'),
    () => Buffer.from('$-1\r\n'),
    () => Buffer.from('*0\r\n'),
  ])() as Buffer;
}

export const wires: readonly Fault[] = [
  ...Object.entries(disturbances).flatMap(([name, disturbance]) =>
    (['throw', 'degrade'] as const).map(onStoreFailure => ({
      name: `${name} (\`${onStoreFailure}\`)`,
      tries: { long: 50, short: onStoreFailure === 'throw' ? 1 : 0 },
      bound: BOUND,
      run: (tries: number, random: Random) => disturb(disturbance, onStoreFailure, tries, random),
    })),
  ),
  {
    name: 'Redis does not answer, and there are thousands of queries',
    tries: { long: 20_000, short: 1000 },
    bound: BOUND,
    run: queryInVain,
  },
];

/** The disturbance starts and stops in turns. */
async function disturb(
  disturbance: Disturbance,
  onStoreFailure: 'throw' | 'degrade',
  tries: number,
  random: Random,
): Promise<Findings> {
  await using server = await startRedis();
  await using relay = await startRelay(server.port);
  let disturbed = 0;
  const findings = await runSiege({
    place: { redis: `redis://127.0.0.1:${relay.port}`, storeTimeout: STORE_TIMEOUT, onStoreFailure },
    reads: 0,
    async meanwhile(reads) {
      const rest = async () => {
        const next = reads() + between(random, 100, 300);
        await until(() => reads() >= next, { timeout: 60_000 });
      };
      for (let i = 0; i < tries; i++) {
        await rest();
        const later = Promise.withResolvers<void>();
        const interfere = disturbance(random, relay, later.promise);
        relay.interfere = chunk => {
          disturbed++;
          return interfere(chunk);
        };
        await rest();
        relay.interfere = undefined;
        later.resolve();
      }
      await rest();
    },
  });
  findings.notes.push(`${disturbed} messages in disturbed times`);
  return Object.assign(findings, { tries });
}

/** One after another, then all at once. */
async function queryInVain(queries: number): Promise<Findings> {
  const findings = new Findings();
  const database = await freshDatabase('down');
  await createTables(database, 100);
  await using relay = await startRelay(Number(new URL(await redisUrl()).port));
  const subject = await openSubject(database, {
    redis: `redis://127.0.0.1:${relay.port}`,
    prefix: `spec:${crypto.randomUUID()}:`,
    storeTimeout: STORE_TIMEOUT,
    retryAfter: 3_600_000,
  });
  const look = async (row: number) => {
    const began = performance.now();
    const { version, hit } = await subject.look(row);
    const took = performance.now() - began;
    const stale = version === 1 ? [] : [`version ${version}`];
    findings.add({ reads: 1, hits: Number(hit), slowest: took, stale });
    return took;
  };
  try {
    await subject.lookUntilHit(1);
    await look(1);
    relay.interfere = () => undefined;
    const began = performance.now();
    let waits = 0;
    for (let i = 0; i < queries / 2; i++) {
      waits += Number((await look(1 + (i % 100))) >= STORE_TIMEOUT);
    }
    for (let i = 0; i < queries / 2; i += 100) {
      await Promise.all(Array.from({ length: 100 }, (_, row) => look(row + 1)));
    }
    if (waits > 5 || subject.failures() > 1) {
      findings.broken.push(`${waits} queries waited, and ${subject.failures()} failures`);
    }
    findings.notes.push(`${queries} queries in ${((performance.now() - began) / 1000).toFixed(1)} s`);
  } finally {
    await subject.close();
  }
  return Object.assign(findings, { tries: queries });
}
