import { Redis } from 'ioredis';
import { freshDatabase, redisUrl, stopServers } from '../spec/support/servers.js';
import { fillDatabase } from './article.js';
import { check } from './exchanges/check.js';
import { measureFlushes } from './flushes.js';
import { describeMachine } from './machine.js';
import { measureReads } from './reads.js';
import { report } from './report.js';
import { makeSubjects, type Places } from './subjects.js';

/*
 * The cost of queries and flushes, with and without the extension, compared with the least possible. Measured in one
 * process, in rounds that measure everything, so that other load on the machine affects all sides alike.
 *
 * With --check it measures no times: it counts round trips, and compares them with an expectation.
 */

try {
  await (process.argv.includes('--check') ? check() : measure());
} finally {
  await stopServers();
}

async function measure(): Promise<void> {
  const places: Places = {
    databaseUrl: await freshDatabase('bench'),
    redisUrl: await redisUrl(),
    prefix: `bench:${crypto.randomUUID().slice(0, 8)}:`,
  };
  const client = new Redis(places.redisUrl);
  try {
    const subjects = await makeSubjects(places, client);
    try {
      await fillDatabase(subjects.uncached);
      const machine = await describeMachine(subjects.uncached, client);
      const reads = await measureReads(subjects, client);
      const flushes = await measureFlushes(subjects.uncached, places);
      console.log(`${machine}\n\n${report(reads, flushes)}`);
    } finally {
      await Promise.all(Object.values(subjects).map(orm => orm.close()));
    }
  } finally {
    await removeKeys(client, places.prefix);
    await client.quit();
  }
}

async function removeKeys(redis: Redis, prefix: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${prefix}*`, count: 1000 })) {
    if (keys.length > 0) {
      await redis.unlink(keys);
    }
  }
}
