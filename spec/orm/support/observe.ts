import type { Cacheops, ReadEvent } from '../../../lib/index.js';

/** The reads that a function makes, in order. Resolves after their results are stored. */
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

/** The source of each read: `cache`, or the reason why not (`miss`, `a lock` …). */
export async function sourcesOf(cache: Cacheops, run: () => unknown): Promise<string[]> {
  return (await readsOf(cache, run)).map(({ source, reason }) => reason ?? source);
}
