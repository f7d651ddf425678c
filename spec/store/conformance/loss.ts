import { expect } from 'chai';
import { Keys } from '../../../lib/store/keys.js';
import type { Seal } from '../../../lib/store/store.js';
import { type MakeSubject, type Subject, subjects } from '../subject.js';
import {
  ask,
  cache,
  category,
  expectHit,
  expectMiss,
  LONG,
  leaseGranted,
  leaseTrusted,
  on,
  query,
  touching,
  trust,
  writer,
} from '../words.js';

const READER = ['lease', 'select', 'fill'] as const;
const WRITER = ['mark', 'commit', 'settle'] as const;

type Step = (typeof READER)[number] | (typeof WRITER)[number];

export function describeLoss(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const KINDS = ['entry', 'table stamp', 'dependency stamp', 'registry'] as const;

  it('makes stamps that never equal those that were lost', async () => {
    const { store, evict } = await make();
    const address = query(on('T', category('7')));
    const seals = new Set<Seal>([await leaseTrusted(store, address)]);
    for (const key of ['g:{T}', 'c:{T}:8:category:7', 'g:{T}', 'c:{T}:8:category:7']) {
      await evict(key);
      const seal = await leaseGranted(store, address);
      expect(seals.has(seal)).to.equal(false);
      seals.add(seal);
    }
  });

  for (const kind of KINDS) {
    it(`misses when the ${kind} is gone, at most until it is filled again`, async () => {
      const { store, evict } = await make();
      const address = query(on('T', category('7')));
      await cache(store, address, 'seven');
      await evict(keysOf('T')[KINDS.indexOf(kind)]!);
      await trust(store, address);
      await expectMiss(store, address);
      await cache(store, address, 'seven');

      await expectHit(store, address, 'seven');
    });
  }

  it('serves nothing stale, whatever is lost, at any moment of any interleaving of a reader and a writer', async () => {
    const subject = await make();
    const scenarios = [...interleavings(READER, WRITER)].flatMap(steps =>
      [...subsets([0, 1, 2, 3])].flatMap(lost =>
        Array.from({ length: steps.length + 1 }, (_, moment) => ({ steps, lost, moment })),
      ),
    );
    expect(scenarios).to.have.lengthOf(20 * 16 * 7);

    const tables = scenarios.entries();
    const play = async () => {
      for (const [i, scenario] of tables) {
        await playScenario(subject, `T${i}`, scenario);
      }
    };
    await Promise.all(Array.from({ length: 20 }, play));
  }).timeout(300_000);
}

/** In the order of their kinds above. */
function keysOf(table: string): string[] {
  const keys = new Keys('');
  const [entry, stamp, dependency] = keys.ofAddress(query(on(table, category('7'))));
  return [entry!, stamp!, dependency!, keys.of(table).registry];
}

interface Scenario {
  readonly steps: readonly Step[];
  /** numbers of kinds */
  readonly lost: readonly number[];
  /** before which step */
  readonly moment: number;
}

/** The database holds one value, which the writer changes, and which was cached before. */
async function playScenario(
  { store, other, evict }: Subject,
  table: string,
  scenario: Scenario,
): Promise<void> {
  const address = query(on(table, category('7')));
  const keys = keysOf(table);
  const w = writer();
  let database = 'old';
  let selected = '';
  let seal: Seal | undefined;
  const play = {
    lease: async () => {
      const lease = await store.lease(address, LONG);
      seal = lease.granted ? lease.seal : undefined;
    },
    select: async () => {
      selected = database;
    },
    fill: async () => {
      if (seal !== undefined) {
        await store.fill(address, seal, Buffer.from(selected), LONG);
      }
    },
    mark: () => other.mark(w, [touching(table, category('7'))]),
    commit: async () => {
      database = 'new';
    },
    settle: () => other.settle(w.id, [table]),
  };
  const check = async (after: string) => {
    const found = await ask(store, address);
    if (found !== undefined && found !== database) {
      throw new Error(`Stale after ${after}: ${JSON.stringify(scenario)}`);
    }
  };

  await cache(store, address, 'old');
  for (let i = 0; i <= scenario.steps.length; i++) {
    if (i === scenario.moment) {
      await Promise.all(scenario.lost.map(kind => evict(keys[kind]!)));
      await check('the loss');
    }
    const step = scenario.steps[i];
    if (step) {
      await play[step]();
      await check(step);
    }
  }

  // all transactions have ended, so that a quarantine may be
  await trust(store, address);
  await check('the end of the quarantine');
  await cache(store, address, database);
  await expectHit(store, address, 'new');
}

function* interleavings<A, B>(as: readonly A[], bs: readonly B[]): Generator<(A | B)[]> {
  const [a, ...restOfAs] = as;
  const [b, ...restOfBs] = bs;
  if (a === undefined || b === undefined) {
    yield [...as, ...bs];
    return;
  }
  for (const rest of interleavings(restOfAs, bs)) {
    yield [a, ...rest];
  }
  for (const rest of interleavings(as, restOfBs)) {
    yield [b, ...rest];
  }
}

function* subsets<T>(of: readonly T[]): Generator<T[]> {
  const [first, ...others] = of;
  if (first === undefined) {
    yield [];
    return;
  }
  for (const rest of subsets(others)) {
    yield rest;
    yield [first, ...rest];
  }
}
