import { formatWithOptions } from 'node:util';
import type { MikroORM } from '@mikro-orm/core';
import { type Cacheops, getCacheops, type ReadEvent } from '../../lib/index.js';
import { patternOf } from './pattern.js';

/** Helpers for the program of a page, which check the claims of the page: see `readPage()`. */
const open = new Set<string>(JSON.parse(process.env.DOCS_CLAIMS!));
const watched: Cacheops[] = [];
let last: ReadEvent | undefined;

/** Listens to the reads of an ORM. */
export function watch(orm: MikroORM<any>): void {
  const cache = getCacheops(orm);
  cache.events.on('read', read => {
    last = read;
  });
  watched.push(cache);
}

/** @throws Error if the last read was answered from elsewhere, or if there was none since the last claim */
export async function answeredFrom(claim: string, source: 'cache' | 'database'): Promise<void> {
  const found = last;
  last = undefined;
  await Promise.all(watched.map(cache => cache.idle()));
  if (!found) {
    throw new Error(`${claim}: nothing was read, or watch(orm) is missing`);
  }
  if ((found.source === 'cache') !== (source === 'cache')) {
    throw new Error(`${claim}: it was answered from the ${found.source}: ${found.reason ?? ''}`);
  }
  kept(claim);
}

/** @throws Error if this is not what is printed */
export function printed(claim: string, expected: string, ...values: unknown[]): void {
  const text = formatWithOptions({ breakLength: Infinity }, ...values);
  if (!patternOf(expected).test(text)) {
    throw new Error(`${claim}: it prints ${text}`);
  }
  kept(claim);
}

export function kept(claim: string): void {
  open.delete(claim);
}

process.once('exit', code => {
  if (code === 0 && open.size > 0) {
    console.error(`Nothing came to: ${[...open].join(', ')}`);
    process.exitCode = 1;
  }
});
