import type { Child } from './child.js';
import { bumps, type Sight, ways } from './tasks.js';

export interface Stress {
  readonly readers: readonly Child[];
  readonly writers: readonly Child[];
  /** few rows, so that readers and writers meet */
  readonly rows: readonly number[];
  readonly reads: number;
  /** number of concurrent reads, or writes, of a process */
  readonly lanes?: { readonly reader: number; readonly writer: number };
  /** runs beside the reads, which go on until it has ended; `reads` returns their number so far */
  meanwhile?(reads: () => number): Promise<void>;
  /** whether a write may fail without a commit because the store did not get its mark */
  readonly mayRefuse?: boolean;
}

export interface Tally {
  /** reads that returned an older version than the newest known to be committed when they began */
  readonly stale: readonly string[];
  readonly reads: number;
  readonly hits: number;
  readonly writes: number;
  /** number of writes that failed because the store did not get their mark */
  readonly refused: number;
  /** the longest time that a read took, in milliseconds */
  readonly slowest: number;
}

/**
 * Readers and writers of several processes work on the same rows without any stops.
 *
 * This process is the auditor: it orders all reads, and is notified of all commits and results. So when it orders a
 * read it knows a committed version, and older ones are stale. No clocks are compared, and no process has to wait.
 */
export async function runStress(stress: Stress): Promise<Tally> {
  const { readers, writers, rows, reads, mayRefuse = false, lanes = { reader: 6, writer: 2 } } = stress;
  const known = new Map(rows.map(row => [row, 1]));
  const learn = (row: number, version: number) => known.set(row, Math.max(version, known.get(row)!));
  const stale: string[] = [];
  let ordered = 0;
  let hits = 0;
  let writes = 0;
  let refused = 0;
  let slowest = 0;
  let happening = stress.meanwhile !== undefined;
  const isOver = () => ordered >= reads && !happening;

  const read = async (reader: Child) => {
    while (!isOver()) {
      ordered++;
      const row = pick(rows);
      const way = pick(ways);
      const floor = known.get(row)!;
      const { version, hit, took } = await reader.do<Sight>('look', way, row);
      hits += Number(hit);
      slowest = Math.max(slowest, took);
      if (version < floor) {
        const source = hit ? 'the cache' : 'the database';
        stale.push(`row ${row} ${way} from ${source}: version ${version}, but ${floor} was committed before`);
      }
      // a version that was read is committed, even if the writer has no answer yet
      learn(row, version);
    }
  };
  const write = async (writer: Child) => {
    while (!isOver()) {
      const row = pick(rows);
      try {
        learn(row, await writer.do<number>('bump', pick(bumps), row));
        writes++;
      } catch (error) {
        if (!mayRefuse || !/The (cache )?store/.test(String(error))) {
          throw error;
        }
        refused++;
      }
    }
  };
  await Promise.all([
    ...readers.flatMap(reader => Array.from({ length: lanes.reader }, () => read(reader))),
    ...writers.flatMap(writer => Array.from({ length: lanes.writer }, () => write(writer))),
    stress
      .meanwhile?.(() => ordered)
      .finally(() => {
        happening = false;
      }),
  ]);
  return { stale, reads: ordered, hits, writes, refused, slowest };
}

function pick<T>(items: readonly T[]): T {
  return items[Math.floor(Math.random() * items.length)]!;
}
