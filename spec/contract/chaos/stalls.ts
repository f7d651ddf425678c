import { quietClient } from '../../store/redis/support.js';
import { deferred } from '../../support/deferred.js';
import { until } from '../../support/until.js';
import type { Audit } from '../processes/audit.js';
import type { Child } from '../processes/child.js';
import { prepare, type Setting } from '../processes/setting.js';
import { bumps, type Sight, ways } from '../processes/tasks.js';
import { type Fault, Findings } from './fault.js';
import { pick, type Random } from './random.js';
import { portOf, type Relay, startRelay, through } from './relay.js';

/**
 * How long readers work around an undecided writer, in milliseconds: long enough to ask for its status more than once.
 * (They ask once its mark is a second old.)
 */
const STALL = 1500;

/** Longer than every deadline of the library: it gives up a writer without a transaction after a minute. */
const LONG_STALL = 65_000;

interface Cast {
  readonly setting: Setting;
  readonly reader: Child;
  readonly findings: Findings;
  readonly row: number;
  readonly random: Random;
}

/** Delays a write until `meanwhile` has ended. */
type Stalling = (cast: Cast, meanwhile: () => Promise<void>) => Promise<void>;

const stallings: Readonly<Record<string, Stalling>> = {
  'COMMIT stalls before it reaches PostgreSQL': async (cast, meanwhile) => {
    await withRelay(cast, async (relay, write) => {
      const { reached, release } = holdCommit(relay, 'the question');
      const writing = write();
      await reached;
      await meanwhile();
      release();
      await writing;
    });
  },
  'the answer to COMMIT stalls': async (cast, meanwhile) => {
    await withRelay(cast, async (relay, write) => {
      const { reached, release } = holdCommit(relay, 'the answer');
      const writing = write();
      await reached;
      await meanwhile();
      release();
      await writing;
    });
  },
  'COMMIT stalls, and the connection is lost': async (cast, meanwhile) => {
    await withRelay(cast, async (relay, write) => {
      const { reached } = holdCommit(relay, pick(cast.random, ['the question', 'the answer']));
      const writing = write().catch(() => {}); // the process cannot know whether it has committed
      await reached;
      await meanwhile();
      relay.interfere = undefined;
      relay.cut();
      await writing;
    });
  },
  'a writer hangs between its mark and COMMIT': (cast, meanwhile) => hang(cast, 'commit', meanwhile),
  'a writer hangs between COMMIT and settling': (cast, meanwhile) => hang(cast, 'settle', meanwhile),
};

export const stalls: readonly Fault[] = [
  ...Object.entries(stallings).map(([name, stalling]) => ({
    name,
    tries: { long: 20, short: 1 },
    run: (tries: number, random: Random) =>
      inSetting(tries, random, cast => stalling(cast, () => watch(cast, STALL))),
  })),
  {
    name: `COMMIT stalls for ${LONG_STALL / 1000} s`,
    tries: { long: 1, short: 0 },
    run: (tries, random) =>
      inSetting(tries, random, cast =>
        stallings['COMMIT stalls before it reaches PostgreSQL']!(cast, () => watch(cast, LONG_STALL)),
      ),
  },
  {
    name: 'a reader stores a result hours late, when everything else has expired',
    tries: { long: 50, short: 2 },
    run: (tries, random) => inSetting(tries, random, fillLate),
  },
];

async function inSetting(
  tries: number,
  random: Random,
  work: (cast: Cast) => Promise<void>,
): Promise<Findings> {
  const findings = new Findings();
  await using setting = await prepare(tries);
  const reader = await setting.child();
  for (let row = 1; row <= tries; row++) {
    await reader.do('audit', [row]);
    await reader.do('audit', [row]);
    await work({ setting, reader, findings, row, random });
    findings.tries++;
    for (const participant of [setting, reader]) {
      const last = row === tries;
      findings.add(await participant.do<Audit>('audit', last ? all(tries) : [row]), last);
    }
  }
  return findings;
}

/** Reads for this long, and compares with the versions committed by then. */
async function watch({ setting, reader, findings, row }: Cast, milliseconds: number): Promise<void> {
  const began = performance.now();
  await until(
    async () => {
      for (const participant of [reader, setting]) {
        const floor = (await setting.storedVersions([row])).get(row)!;
        const sights = await participant.do<Sight[]>('lookAtAll', ways, [row]);
        const old = sights.filter(({ version }) => version < floor);
        findings.add({
          reads: sights.length,
          hits: sights.filter(({ hit }) => hit).length,
          slowest: Math.max(...sights.map(({ took }) => took)),
          stale: old.map(({ way, version }) => `row ${row} ${way}: version ${version} after ${floor}`),
        });
      }
      return performance.now() - began >= milliseconds;
    },
    { timeout: milliseconds + 20_000, interval: 50 },
  );
}

async function withRelay(
  { setting, row, random }: Cast,
  work: (relay: Relay, write: () => Promise<unknown>) => Promise<void>,
): Promise<void> {
  const { database } = setting.place;
  await using relay = await startRelay(portOf(database));
  await using writer = await setting.child({ database: through(relay, database) });
  await work(relay, () => writer.do('bump', pick(random, bumps), row));
}

/** Delays the COMMIT, or PostgreSQL's answer to it. */
function holdCommit(relay: Relay, what: 'the question' | 'the answer') {
  const reached = deferred();
  const gate = deferred();
  let isCommitting = false;
  relay.interfere = async ({ data, by }) => {
    isCommitting ||= by === 'client' && /\bcommit\b/i.test(data.toString('latin1'));
    if (isCommitting && by === (what === 'the question' ? 'client' : 'server')) {
      reached.resolve();
      await gate.promise;
    }
    return data;
  };
  return { reached: reached.promise, release: () => gate.resolve() };
}

/** The system stops the writer's process, which keeps its connections open and its locks held. */
async function hang(cast: Cast, before: 'commit' | 'settle', meanwhile: () => Promise<void>): Promise<void> {
  const { setting, row, random } = cast;
  await using writer = await setting.child();
  const writing = writer.stepwise('bump', pick(random, bumps), row);
  await writing.upTo(before);
  process.kill(writer.pid, 'SIGSTOP');
  await meanwhile();
  process.kill(writer.pid, 'SIGCONT');
  await writing.toTheEnd();
}

const HOURS = 3 * 3600 * 1000;

/** Shortens the remaining lifetime of all other keys; the clock stays. */
async function fillLate({ setting, reader, row, random }: Cast): Promise<void> {
  const client = quietClient(setting.place.redis as string);
  await using late = await setting.child();
  const slow = late.stepwise<Sight>('look', 'by category', row);
  await reader.do('bump', pick(random, bumps), row); // otherwise the next read would be a hit
  await slow.upTo('fill');
  const writes = async () => {
    await reader.do('bump', pick(random, bumps), row);
    await age(HOURS);
  };
  const age = async (milliseconds: number) => {
    for (const key of await client.keys(`${setting.place.prefix}*`)) {
      const left = (await client.pttl(key)) - milliseconds;
      await (left > 0 ? client.pexpire(key, left) : client.del(key));
    }
  };
  await writes();
  if (random() < 0.5) {
    await reader.do('audit', [row]);
    await writes();
  }
  client.disconnect();
  await slow.toTheEnd();
}

function all(rows: number): number[] {
  return Array.from({ length: rows }, (_, i) => i + 1);
}
