import { until } from '../../support/until.js';
import type { Audit } from '../processes/audit.js';
import type { Child } from '../processes/child.js';
import type { Place } from '../processes/open.js';
import { prepare, type Setting } from '../processes/setting.js';
import { runStress, type Stress } from '../processes/stress.js';
import { Findings } from './fault.js';

export interface Siege {
  readonly place: Partial<Place>;
  /** the least number of reads; they go on while the fault lasts */
  readonly reads: number;
  /** the fault itself; `reads` returns the number of reads so far */
  meanwhile?(reads: () => number, setting: Setting): Promise<void>;
  /** length of every row's title */
  readonly filler?: number;
  readonly lanes?: Stress['lanes'];
  /** number of rows that are read and written */
  readonly rows?: number;
}

/**
 * Several processes read and write the same rows while their store is disturbed. Once it has ended, and they use the
 * store again, each answers every query about these rows.
 *
 * With `throw`, a write that the store did not get is not committed. With `degrade` it is, and *other* processes may
 * see stale rows: so one process does all the work then.
 */
export async function runSiege({
  place,
  reads,
  meanwhile,
  lanes,
  filler = 0,
  rows = 12,
}: Siege): Promise<Findings> {
  const findings = new Findings();
  const policy = place.onStoreFailure ?? 'throw';
  await using setting = await prepare(rows, { onStoreFailure: policy, retryAfter: 50, ...place }, { filler });
  const all = Array.from({ length: rows }, (_, i) => i + 1);
  const [one, two, three] = await Promise.all(
    Array.from({ length: policy === 'throw' ? 3 : 1 }, () => setting.child()),
  );
  const cast =
    two && three ? { readers: [one!, two], writers: [two, three] } : { readers: [one!], writers: [one!] };
  const tally = await runStress({
    ...cast,
    rows: all,
    reads,
    mayRefuse: true,
    ...(lanes && { lanes }),
    ...(meanwhile && { meanwhile: done => meanwhile(done, setting) }),
  });
  findings.add(tally);
  findings.notes.push(`${tally.writes} writes, ${tally.refused} refused`);
  // a process that still owes invalidations comes first
  for (const participant of [one, two, three, setting, one]) {
    if (participant) {
      await untilUsable(participant);
      findings.add(await participant.do<Audit>('audit', all), true);
    }
  }
  return findings;

  /** Reads until the store answers again: until then, every answer comes from the database. */
  async function untilUsable(participant: Pick<Child, 'do'>): Promise<void> {
    await until(async () => (await participant.do<Audit>('audit', all.slice(0, 3))).hits > 0, {
      timeout: 20_000,
      interval: 50,
    }).catch(() => {}); // the store may have no memory left
  }
}
