import type { Child } from './child.js';
import { bumps, type Sight, ways } from './tasks.js';

export interface Stress {
  readonly readers: readonly Child[];
  readonly writers: readonly Child[];
  /** few, so that readers and writers meet */
  readonly rows: readonly number[];
  readonly reads: number;
  /** how many reads, or writes, a process has under way at the same time */
  readonly lanes?: { readonly reader: number; readonly writer: number };
  /** what else happens, told how many reads there have been: they go on until it is over */
  meanwhile?(reads: () => number): Promise<void>;
  /** whether writes may fail, with nothing committed, because the store could not be told of them */
  readonly mayRefuse?: boolean;
}

export interface Tally {
  /** reads that were given less than what was known to be committed when they began */
  readonly stale: readonly string[];
  readonly reads: number;
  readonly hits: number;
  readonly writes: number;
  /** writes that were not made, because the store could not be told of them */
  readonly refused: number;
  /** the longest that a read took, in milliseconds */
  readonly slowest: number;
}

/**
 * Readers and writers of several processes at work on the same rows, none of them held anywhere.
 *
 * This process is the auditor: all that is committed or seen is told to it, and all reads are ordered by it. So when
 * it orders a read it knows a version that is committed already, and older ones are stale. No clocks are compared,
 * and nobody has to stand still.
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
        stale.push(`row ${row} ${way} from ${source}: version ${version}, when it was ${floor} already`);
      }
      // what was seen is committed, even if the writer has not heard of it yet
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
