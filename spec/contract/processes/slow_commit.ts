import { until } from '../../support/until.js';
import type { Child } from './child.js';
import type { Setting } from './setting.js';
import type { Sight } from './tasks.js';

export interface SlowCommit {
  readonly setting: Setting;
  readonly reader: Child;
  readonly writer: Child;
  readonly row: number;
  /** how long other processes read before the writer commits, in milliseconds */
  readonly wait: number;
  /** runs while the writer is stopped before its COMMIT */
  meanwhile?(): Promise<unknown>;
}

/**
 * A writer is stopped before its COMMIT while other processes read the rows that it changes. There is no other writer:
 * so PostgreSQL has no later ended transaction that would show the writer's own as running.
 *
 * @returns the versions returned before the COMMIT, and after it
 */
export async function readAroundCommit(cast: SlowCommit): Promise<{ before: Sight[]; after: Sight[] }> {
  const { setting, reader, writer, row, wait } = cast;
  const sights: Sight[] = [];
  const look = async () => {
    for (const participant of [reader, setting]) {
      sights.push(...(await participant.do<Sight[]>('lookAtAll', ['by key', 'by category'], [row])));
    }
  };
  const writing = writer.stepwise('bump', 'in raw SQL', row);
  await writing.upTo('commit');
  await cast.meanwhile?.();
  const began = performance.now();
  await until(
    async () => {
      await look();
      return performance.now() - began >= wait;
    },
    { timeout: wait + 10_000, interval: 50 },
  );
  const before = sights.splice(0);
  await writing.toTheEnd();
  await look();
  await look();
  return { before, after: sights };
}
