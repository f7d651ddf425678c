import { AssertionError } from 'node:assert';
import { isDeepStrictEqual } from 'node:util';
import type { EntityManager, MikroORM } from '@mikro-orm/core';
import { checkKeys } from './config/check.js';
import type { ReadEvent } from './observability/events.js';
import { getCacheops } from './orm/api/handle.js';

/** How many reads were answered by the cache, were not in it, and were not cached. */
export interface ReadTotals {
  readonly hits: number;
  readonly misses: number;
  readonly bypassed: number;
}

/** What an ORM has read during a block. */
export interface RecordedReads<T> extends ReadTotals {
  /** of the block */
  readonly result: T;
  /** in the order in which they ended */
  readonly reads: readonly ReadEvent[];
}

const NONE: ReadTotals = { hits: 0, misses: 0, bypassed: 0 };

/**
 * Empties the cache of an ORM. For `beforeEach()`.
 *
 * @throws CacheopsError if the ORM has no cache
 * @throws StoreError if the store cannot be reached
 */
export async function emptyCache(orm: MikroORM<any> | EntityManager): Promise<void> {
  const cache = getCacheops(orm);
  await cache.idle();
  await cache.invalidateAll();
}

/**
 * Runs a block, and records all that the ORM reads meanwhile. Resolves when the results are stored.
 *
 * @throws CacheopsError if the ORM has no cache; and what the block throws
 */
export async function readsOf<T>(
  orm: MikroORM<any> | EntityManager,
  block: () => T | Promise<T>,
): Promise<RecordedReads<T>> {
  const cache = getCacheops(orm);
  const reads: ReadEvent[] = [];
  const listener = (read: ReadEvent) => reads.push(read);
  cache.events.on('read', listener);
  const before = cache.stats();
  try {
    const result = await block();
    const after = cache.stats();
    return {
      result,
      reads,
      hits: after.hits - before.hits,
      misses: after.misses - before.misses,
      bypassed: after.bypassed - before.bypassed,
    };
  } finally {
    cache.events.off('read', listener);
    await cache.idle();
  }
}

/**
 * Runs a block, and checks how many of the ORM's reads were hits, misses, and not cached. A number that is left out is 0.
 *
 * ```ts
 * const articles = await expectReads(orm, { hits: 1 }, () => em.find(Article, { category: 7 }));
 * ```
 *
 * @returns the result of the block
 * @throws AssertionError if the numbers differ; its message lists the reads
 * @throws CacheopsError if the ORM has no cache; and what the block throws
 */
export async function expectReads<T>(
  orm: MikroORM<any> | EntityManager,
  expected: Partial<ReadTotals>,
  block: () => T | Promise<T>,
): Promise<T> {
  checkKeys(expected, Object.keys(NONE), 'expectReads()');
  const { result, reads, ...actual } = await readsOf(orm, block);
  const wanted = { ...NONE, ...expected };
  if (!isDeepStrictEqual(actual, wanted)) {
    const lines = reads.map(({ op, entity, source, reason }) => `${op} of ${entity}: ${reason ?? source}`);
    throw new AssertionError({
      message: [`expected ${inWords(wanted)}, and there were ${inWords(actual)}:`, ...lines].join('\n  '),
      actual,
      expected: wanted,
      operator: 'expectReads',
      stackStartFn: expectReads,
    });
  }
  return result;
}

function inWords({ hits, misses, bypassed }: ReadTotals): string {
  return `${hits} hits, ${misses} misses, ${bypassed} not cached`;
}
