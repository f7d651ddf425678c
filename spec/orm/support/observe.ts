import type { Cacheops, ReadEvent } from '../../../lib/index.js';

/** The reads that a function makes, in order. When this resolves, what could be stored is. */
export async function readsOf(cache: Cacheops, run: () => unknown): Promise<ReadEvent[]> {
  const reads: ReadEvent[] = [];
  const listener = (event: ReadEvent) => reads.push(event);
  cache.events.on('read', listener);
  try {
    await run();
  } finally {
    cache.events.off('read', listener);
  }
  await cache.idle();
  return reads;
}

/** Where the answers came from: `cache`, or why not (`miss`, `a lock` …). */
export async function sourcesOf(cache: Cacheops, run: () => unknown): Promise<string[]> {
  return (await readsOf(cache, run)).map(({ source, reason }) => reason ?? source);
}
