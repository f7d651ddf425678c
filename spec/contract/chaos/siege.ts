import { until } from '../../support/until.js';
import type { Audit } from '../processes/audit.js';
import type { Child } from '../processes/child.js';
import type { Place } from '../processes/open.js';
import { prepare, type Setting } from '../processes/setting.js';
import { runStress, type Stress } from '../processes/stress.js';
import { Findings } from './fault.js';

export interface Siege {
  readonly place: Partial<Place>;
  /** at least so many are made; they go on while something happens */
  readonly reads: number;
  /** the fault itself, told how many reads there have been */
  meanwhile?(reads: () => number, setting: Setting): Promise<void>;
  /** characters of every row */
  readonly filler?: number;
  readonly lanes?: Stress['lanes'];
  /** how many rows are read and written */
  readonly rows?: number;
}

/**
 * Several processes read and write the same rows while something happens to their store. When it is over, and they
 * have found back to the store, all of them are asked everything about these rows.
 *
 * What the store could not be told of was not committed (`throw`). Who lets it commit (`degrade`) promises less to
 * *other* processes: then it is one process that does everything.
 */
export async function lay({
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
  // in this order: who has kept something to deliver comes first
  for (const who of [one, two, three, setting, one]) {
    if (who) {
      await found(who);
      findings.add(await who.do<Audit>('audit', all), true);
    }
  }
  return findings;

  /** Reads until the store answers again: before, everything comes from the database. */
  async function found(who: Pick<Child, 'do'>): Promise<void> {
    await until(async () => (await who.do<Audit>('audit', all.slice(0, 3))).hits > 0, {
      timeout: 20_000,
      interval: 50,
    }).catch(() => {}); // it may have no memory for anything
  }
}
