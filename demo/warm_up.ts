import { setTimeout } from 'node:timers/promises';
import { entities } from '../fixtures/cities/index.js';
import { getCacheops } from '../lib/index.js';
import { claim } from './claim.js';
import type { Orm } from './database.js';
import { questions } from './questions.js';
import { printForNow } from './terminal.js';

/** How long to wait for transactions of other programs, in milliseconds. */
const PATIENCE = 30_000;

/**
 * Does what a program does only once, so that it does not count as the time of the first query.
 *
 * A store without a registry of a table refuses its results until all transactions of that moment have ended. On a
 * server without other clients that is at once.
 */
export async function warmUp(orm: Orm, interruption: AbortSignal): Promise<void> {
  const deadline = performance.now() + PATIENCE;
  for (const entity of entities) {
    while ((await countCached(orm, entity)) === 'refused') {
      interruption.throwIfAborted();
      claim(performance.now() < deadline, 'A transaction has been running on this server for too long.');
      printForNow('Waiting for other transactions on this server to end …');
      await setTimeout(50);
    }
  }
  printForNow('');
  for (const question of questions) {
    await question.ask(orm.em.fork(), { cacheops: false });
  }
}

async function countCached(orm: Orm, entity: (typeof entities)[number]): Promise<'stored' | 'refused'> {
  const cache = getCacheops(orm);
  const before = cache.stats();
  await orm.em.fork().count<object>(entity);
  await cache.idle();
  const { fills, refused } = cache.stats();
  claim(fills + refused > before.fills + before.refused, 'A result was neither stored nor refused.');
  return fills > before.fills ? 'stored' : 'refused';
}
