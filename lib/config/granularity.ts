import type { CacheopsOptions } from './options.js';

/**
 * How precisely results are invalidated:
 *
 * - `table`: by any change of a table that the result was read from
 * - `equality`: by a change of a row that matches what the query compares by equality
 * - `full`: only by changes of columns that the query reads, and of rows that match its other conditions, too
 */
export type Granularity = 'table' | 'equality' | 'full';

const GRANULARITY = Symbol('granularity');

/** Options with less precision than `full`, which benchmarks compare with. It is no public option. */
export function withGranularity(options: CacheopsOptions, granularity: Granularity): CacheopsOptions {
  return { ...options, [GRANULARITY]: granularity } as CacheopsOptions;
}

export function granularityOf(options: CacheopsOptions): Granularity {
  return (options as { [GRANULARITY]?: Granularity })[GRANULARITY] ?? 'full';
}
