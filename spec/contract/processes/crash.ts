import { until } from '../../support/until.js';
import type { Child } from './child.js';
import type { Setting } from './setting.js';
import type { Step } from './steps.js';
import { bumps, type Sight } from './tasks.js';

/**
 * The moment of a writer's death: before a step, or *taking* it: the step is sent, and its answer is never received.
 */
export interface Moment {
  readonly step: Step;
  readonly taking: boolean;
}

export const MOMENTS: readonly Moment[] = (['mark', 'commit', 'settle'] as const).flatMap(step => [
  { step, taking: false },
  { step, taking: true },
]);

export function describeMoment({ step, taking }: Moment): string {
  return taking ? `as soon as '${step}' is sent` : `before '${step}'`;
}

export interface Crash {
  readonly moment: Moment;
  /** each row has its own writer; the writers share a process */
  readonly rows: readonly number[];
}

export interface Aftermath {
  /** versions older than the database's at the start of the read, or never committed */
  readonly wrong: readonly string[];
  /** number of writers whose transaction was committed */
  readonly committed: number;
  /** number of reads after the crash */
  readonly reads: number;
  readonly hits: number;
  /** the longest time that one of them took, in milliseconds */
  readonly slowest: number;
}

/** The query whose answer is cached, and the query whose answer is about to be stored. */
const CACHED = 'by key';
const SLOW = 'by category';

/**
 * Time limit for rows to be cached again, in milliseconds: readers ask for a writer's status after 1 s, the rest is
 * tolerance.
 */
const RESUMED_WITHIN = 20_000;

/**
 * Kills writers with SIGKILL while their rows are cached, and while a reader in another process is about to store what
 * it read before. Then that process and this one read until all rows are cached again.
 */
export async function runCrash(setting: Setting, reader: Child, { moment, rows }: Crash): Promise<Aftermath> {
  const writer = await setting.child();
  const before = await setting.storedVersions(rows);
  for (const row of rows) {
    await until(async () => (await setting.do<Sight>('look', CACHED, row)).hit);
  }
  const slow = rows.map(row => reader.stepwise<Sight>('look', SLOW, row));
  await Promise.all(slow.map(reading => reading.upTo('fill')));
  const writing = rows.map((row, i) => writer.stepwise('bump', bumps[i % bumps.length], row));
  await Promise.all(writing.map(run => run.upTo(moment.step)));

  await (moment.taking ? writer.dieTakingStep() : writer.kill());

  const wrong: string[] = [];
  const seen: Sight[] = [];
  const look = async (participant: Pick<Child, 'do'>): Promise<boolean> => {
    const floors = await setting.storedVersions(rows);
    const sights = await participant.do<Sight[]>('lookAtAll', [CACHED, SLOW], rows);
    seen.push(...sights);
    const old = sights.filter(({ id, version }) => version < floors.get(id)!);
    wrong.push(
      ...old.map(sight => `${describe(moment, sight)}, but ${floors.get(sight.id)} was committed before`),
    );
    return sights.every(({ hit }) => hit);
  };
  await look(setting);
  await Promise.all(slow.map(reading => reading.toTheEnd()));
  for (const participant of [reader, setting]) {
    await until(() => look(participant), { timeout: RESUMED_WITHIN, interval: 600 });
  }

  const after = await setting.storedVersions(rows);
  const uncommitted = seen.filter(({ id, version }) => version > after.get(id)!);
  wrong.push(...uncommitted.map(sight => `${describe(moment, sight)}, which was never committed`));
  return {
    wrong,
    committed: rows.filter(row => after.get(row) !== before.get(row)).length,
    reads: seen.length,
    hits: seen.filter(({ hit }) => hit).length,
    slowest: Math.max(...seen.map(({ took }) => took)),
  };
}

function describe(moment: Moment, { id, way, version, hit }: Sight): string {
  const source = hit ? 'the cache' : 'the database';
  return `after a death ${describeMoment(moment)}, row ${id} ${way} from ${source}: version ${version}`;
}
