import { actions } from '../processes/actions.js';
import type { Audit } from '../processes/audit.js';
import type { Child } from '../processes/child.js';
import { describeMoment, MOMENTS, type Moment, runCrash } from '../processes/crash.js';
import { inLanes } from '../processes/lanes.js';
import { prepare, type Setting } from '../processes/setting.js';
import { bumps, ways } from '../processes/tasks.js';
import { type Fault, Findings } from './fault.js';
import { between, pick, type Random } from './random.js';
import { portOf, startRelay, through } from './relay.js';

/** Number of writers that share a process, and die with it. */
const VICTIMS = 5;
/** Number of processes killed at the same time. */
const LANES = 4;

const FILLING: readonly Moment[] = (['lease', 'database', 'fill'] as const).flatMap(step => [
  { step, taking: false },
  { step, taking: true },
]);

const tries = { long: 200, short: 0 };

export const crashes: readonly Fault[] = [
  ...MOMENTS.map(moment => ({
    name: `kill -9 of a writer ${describeMoment(moment)}`,
    tries, // `npm test` covers these in separate specs
    run: (count: number) =>
      killInLanes(count, async (setting, observer, rows, findings) => {
        const aftermath = await runCrash(setting, observer, { moment, rows });
        findings.add({ ...aftermath, stale: aftermath.wrong });
      }),
  })),
  ...FILLING.map(moment => ({
    name: `kill -9 of a reader ${describeMoment(moment)}`,
    tries: { long: 200, short: 10 },
    run: (count: number, random: Random) =>
      killInLanes(count, async (setting, observer, rows, findings) => {
        await killReader(setting, observer, rows, moment, random() < 0.5);
        findings.add(await observer.do<Audit>('audit', rows));
      }),
  })),
  {
    name: 'kill -9 at any message to or from PostgreSQL or Redis',
    tries: { long: 1000, short: 20 },
    run: (count, random) =>
      killInLanes(count, async (setting, observer, rows, findings) => {
        await killAtMessage(setting, rows, random);
        findings.add(await observer.do<Audit>('audit', rows));
      }),
  },
];

type Kill = (setting: Setting, observer: Child, rows: number[], findings: Findings) => Promise<void>;

/** Kills processes, each with rows of its own, and compares all rows at the end. */
async function killInLanes(count: number, kill: Kill): Promise<Findings> {
  const findings = new Findings();
  const deaths = Math.ceil(count / VICTIMS);
  await using setting = await prepare(deaths * VICTIMS);
  const observer = await setting.child();
  const batches = Array.from({ length: deaths }, (_, i) =>
    Array.from({ length: VICTIMS }, (_, j) => 1 + i * VICTIMS + j),
  );
  await inLanes(LANES, batches, rows => kill(setting, observer, rows, findings));
  for (const participant of [setting, observer]) {
    findings.add(await participant.do<Audit>('audit', batches.flat()), true);
  }
  findings.tries = deaths * VICTIMS;
  return findings;
}

/** Readers die while they store a result from before or after a concurrent write. */
async function killReader(
  setting: Setting,
  writer: Child,
  rows: readonly number[],
  { step, taking }: Moment,
  writtenBefore: boolean,
): Promise<void> {
  const victim = await setting.child();
  const reading = rows.map(row => victim.stepwise('look', 'by category', row));
  await Promise.all(reading.map(run => run.upTo(step)));
  const write = () => Promise.all(rows.map((row, i) => writer.do('bump', bumps[i % bumps.length], row)));
  if (writtenBefore) {
    await write();
  }
  await (taking ? victim.dieTakingStep() : victim.kill());
  if (!writtenBefore) {
    await write();
  }
}

/** Number of messages that a process exchanges with its servers in this fault. */
const MESSAGES = 150;

/** Readers and writers die at a message, which may or may not still arrive. */
async function killAtMessage(setting: Setting, rows: readonly number[], random: Random): Promise<void> {
  const { database, redis } = setting.place;
  await using toDatabase = await startRelay(portOf(database));
  await using toStore = await startRelay(portOf(redis as string));
  const victim = await setting.child({
    database: through(toDatabase, database),
    redis: through(toStore, redis as string),
  });
  await Promise.all(rows.flatMap(row => ways.map(way => victim.do('look', way, row))));

  const last = between(random, 1, MESSAGES);
  const arrives = random() < 0.5;
  let death: Promise<void> | undefined;
  let messages = 0;
  for (const relay of [toDatabase, toStore]) {
    relay.interfere = ({ data }) => {
      if (++messages === last) {
        death = victim.kill();
        return arrives ? data : undefined;
      }
      return death ? undefined : data;
    };
  }
  for (;;) {
    const work = rows.map(row => [
      victim.do('alter', pick(random, Object.keys(actions)), row),
      victim.do('look', pick(random, ways), row),
    ]);
    await Promise.race([Promise.allSettled(work.flat()), victim.ended]);
    if (death) {
      await death;
      return;
    }
  }
}
