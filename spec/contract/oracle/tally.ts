import type { Cacheops, ReadCounts } from '../../../lib/index.js';

/** Counts the steps, and how many of them are conclusive. */
export class Tally {
  histories = 0;
  /** number of histories that fail without a cache as well, by error */
  readonly ormErrors = new Map<string, number>();
  steps = 0;
  reads = 0;
  /** reads that were not compared, because of conflicting transactions */
  skipped = 0;
  /** reads that failed with the same error in both ways */
  failedReads = 0;
  /** reads that failed in the database only, because of rows that are not in the cached result */
  unreadable = 0;
  writes = 0;
  /** number of failed writes, by the name of the error */
  readonly failures = new Map<string, number>();

  fail(name: string): void {
    this.failures.set(name, (this.failures.get(name) ?? 0) + 1);
  }

  ormError(message: string): void {
    const what = message.split('\n')[0]!.replace(/\{.*/, '').trim();
    this.ormErrors.set(what, (this.ormErrors.get(what) ?? 0) + 1);
  }

  describe(handles: readonly Cacheops[], milliseconds: number): string {
    const { hits, revalidated, misses, bypassed, refused } = total(handles);
    const failed = sumOf(this.failures);
    return [
      `${this.histories} histories (${sumOf(this.ormErrors)} ended early by an ORM error), ${this.steps} steps in ${(milliseconds / 1000).toFixed(1)} s`,
      `${this.reads} reads compared (${this.failedReads} equal errors, ${this.skipped} skipped, ${this.unreadable} failed by the database only)`,
      `${hits} hits (${revalidated} revalidated), ${misses} misses (${refused} not stored), ${bypassed} not cached: ${percent(hitRate(handles))} hits`,
      `${this.writes} writes, ${percent(failed / this.writes)} failed (${list(this.failures)})`,
      ...(process.env.ORACLE_QUIRKS ? [`ORM errors: ${list(this.ormErrors)}`] : []),
    ].join('\n      ');
  }
}

/** Hits as a share of all queries to the driver. */
export function hitRate(handles: readonly Cacheops[]): number {
  const { hits, misses, bypassed } = total(handles);
  return hits / (hits + misses + bypassed);
}

function total(handles: readonly Cacheops[]): ReadCounts {
  const sum = {
    hits: 0,
    revalidated: 0,
    misses: 0,
    shared: 0,
    bypassed: 0,
    fills: 0,
    refused: 0,
    unstored: 0,
    errors: 0,
  };
  for (const handle of handles) {
    const stats = handle.stats();
    for (const name of Object.keys(sum) as (keyof ReadCounts)[]) {
      sum[name] += stats[name];
    }
  }
  return sum;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function sumOf(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, n) => sum + n, 0);
}

function list(counts: ReadonlyMap<string, number>): string {
  return [...counts].map(([name, n]) => `${name} ${n}`).join(', ');
}
