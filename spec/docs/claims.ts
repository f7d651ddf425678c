import { formatWithOptions } from 'node:util';
import { MikroORM } from '@mikro-orm/core';
import { type Cacheops, getCacheops, type ReadEvent } from '../../lib/index.js';
import { patternOf } from './pattern.js';

/** Helpers for the programs of pages, which check the claims of the page: see `readPage()`. */
const open = new Set<string>(JSON.parse(process.env.DOCS_CLAIMS!));
const watched: Cacheops[] = [];
let last: ReadEvent | undefined;

const init = MikroORM.init;
MikroORM.init = async function (this: typeof MikroORM, ...args: [never]) {
  const orm = await init.apply(this, args);
  const cache = getCacheops(orm);
  cache.events.on('read', read => {
    last = read;
  });
  watched.push(cache);
  return orm;
} as typeof MikroORM.init;

/** @throws Error if the last read was answered from elsewhere, or if there was none since the last claim */
export async function answeredFrom(claim: string, source: 'cache' | 'database'): Promise<void> {
  await Promise.all(watched.map(cache => cache.idle()));
  const found = last;
  last = undefined;
  if (!found) {
    throw new Error(`${claim}: nothing was read`);
  }
  if ((found.source === 'cache') !== (source === 'cache')) {
    throw new Error(`${claim}: it was answered from the ${found.source}: ${found.reason ?? ''}`);
  }
  open.delete(claim);
}

/** @throws Error if this is not what is printed */
export function printed(claim: string, expected: string, ...values: unknown[]): void {
  const text = formatWithOptions({ breakLength: Infinity }, ...values);
  if (!patternOf(expected).test(text)) {
    throw new Error(`${claim}: it prints ${text}`);
  }
  open.delete(claim);
}

process.once('exit', code => {
  if (code === 0 && open.size > 0) {
    console.error(`Nothing came to: ${[...open].join(', ')}`);
    process.exitCode = 1;
  }
});

/** Ends the process if this program has been started, and not imported by another. */
export function end(program: string): void {
  if (program === process.env.DOCS_PROGRAM) {
    process.exit();
  }
}
