import { getCacheops } from '../lib/index.js';
import { create, openOrm, remove } from './database.js';
import { tell } from './story.js';
import { paint } from './terminal.js';

/** `npm start`: shows on real data what the cache does, and checks what it shows. */
const orm = await openOrm();
const problems = new Set<string>();
getCacheops(orm).events.on('error', ({ operation, error }) => problems.add(`${operation}: ${error}`));

const interruption = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => interruption.abort(new Error(`Stopped by ${signal}.`)));
}

try {
  await create(orm);
  await tell(orm, interruption.signal);
} catch (error) {
  process.exitCode = 1;
  console.error(interruption.signal.aborted ? String(error) : error);
  for (const problem of problems) {
    console.error(paint('red', `The cache had a problem: ${problem}`));
  }
}
try {
  await remove(orm);
} catch (error) {
  process.exitCode = 1;
  console.error(paint('red', `The demo could not remove everything that it created: ${error}`));
}
