import fc from 'fast-check';
import { record, weighted } from './arbitrary.js';
import { type Read, reads } from './reads.js';
import { Sequence } from './sequence.js';
import type { Isolation, Opening, Outcome, Setting, SettingHow } from './session.js';
import { SETTINGS, someSettings, ZONES } from './settings.js';
import { type Topic, topics } from './topics.js';
import { VARIANTS } from './vary.js';
import { VERSIONS } from './versions.js';
import { type Write, writes } from './writes.js';

/** The actions of several programs, step by step. They repeat a small number of queries. */
export interface History {
  readonly queries: readonly Read[];
  readonly steps: readonly Step[];
}

export type Step =
  | ReadStep
  | WriteStep
  | {
      readonly kind: 'open';
      readonly session: number;
      readonly how: Opening;
      readonly isolation: Isolation | undefined;
    }
  | { readonly kind: 'close'; readonly session: number; readonly outcome: Outcome }
  /** a transaction is prepared, and decided at a later step */
  | { readonly kind: 'prepare'; readonly session: number }
  /** any session decides one of the prepared transactions; no session: another program */
  | {
      readonly kind: 'decide';
      readonly session: number | undefined;
      readonly pick: number;
      readonly outcome: Outcome;
    }
  /** an open transaction changes a setting */
  | {
      readonly kind: 'setting';
      readonly session: number;
      readonly how: SettingHow;
      readonly setting: Setting;
    }
  /** the pool of an ORM is opened anew, with other settings */
  | { readonly kind: 'reconnect'; readonly session: number; readonly settings: readonly Setting[] }
  /** the time zone of the process */
  | { readonly kind: 'zone'; readonly zone: string }
  /** a reader that takes its lease, and asks the database only at a later step */
  | { readonly kind: 'slow reader'; readonly session: number; readonly query: number }
  /** all slow readers go on, and all held work is done */
  | { readonly kind: 'go on' }
  /** from now on, fills or settles are delayed */
  | { readonly kind: 'hold'; readonly what: 'fills' | 'settles' }
  | { readonly kind: 'evict'; readonly keys: readonly number[] }
  | { readonly kind: 'evict all' };

export interface ReadStep {
  readonly kind: 'read';
  readonly session: number;
  readonly query: number;
  /** 0: unchanged; others: a similar query with another result */
  readonly variant: number;
  /** a new EntityManager, or the session's own */
  readonly em: 'fresh' | 'own';
}

export interface WriteStep {
  readonly kind: 'write';
  readonly session: number;
  readonly write: Write;
}

/** each session has an ORM of another version */
export const SESSIONS = VERSIONS.length;
const MIN_STEPS = 50;
const MAX_STEPS = 100;
export const STEPS_A_HISTORY = (MIN_STEPS + MAX_STEPS) / 2;
const QUERIES = 7;

const kind = <K extends string>(name: K) => fc.constant(name);
/** the first session does most of the work, so that states build up */
const session = fc.constantFrom(...[0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3]);
const query = fc.nat({ max: QUERIES - 1 });
const variant = fc.oneof(
  { weight: 9, arbitrary: fc.constant(0) },
  { weight: 3, arbitrary: fc.nat({ max: VARIANTS }) },
);

function steps(topic: Topic): fc.Arbitrary<Step> {
  return fc.oneof<fc.MaybeWeightedArbitrary<Step>[]>(
    {
      weight: 80,
      arbitrary: record<ReadStep>({
        kind: kind('read'),
        session,
        query,
        variant,
        em: fc.constantFrom('fresh', 'fresh', 'fresh', 'own'),
      }),
    },
    { weight: 24, arbitrary: record<WriteStep>({ kind: kind('write'), session, write: writes(topic) }) },
    {
      weight: 6,
      arbitrary: record({
        kind: kind('open'),
        session,
        how: fc.constantFrom<Opening>(
          'transactional',
          'transactional',
          'requires_new',
          'begin',
          'kysely',
          'prepared',
        ),
        isolation: fc.oneof(
          { weight: 3, arbitrary: fc.constant(undefined) },
          {
            weight: 1,
            arbitrary: fc.constantFrom<Isolation>('read committed', 'repeatable read', 'serializable'),
          },
        ),
      }),
    },
    {
      weight: 7,
      arbitrary: record({
        kind: kind('close'),
        session,
        outcome: fc.constantFrom<Outcome>('commit', 'commit', 'rollback'),
      }),
    },
    { weight: 2, arbitrary: record({ kind: kind('prepare'), session }) },
    {
      weight: 2,
      arbitrary: record({
        kind: kind('decide'),
        session: fc.constantFrom(0, 1, 2, 3, undefined, undefined, undefined),
        pick: fc.nat({ max: 3 }),
        outcome: fc.constantFrom<Outcome>('commit', 'commit', 'rollback'),
      }),
    },
    {
      weight: 3,
      arbitrary: weighted<Step>(
        [
          10,
          record({
            kind: kind('setting'),
            session,
            how: fc.constantFrom<SettingHow>('set', 'set local', 'set_config'),
            setting: fc.constantFrom(...SETTINGS),
          }),
        ],
        [2, record({ kind: kind('zone'), zone: fc.constantFrom(...ZONES) })],
        [1, record({ kind: kind('reconnect'), session, settings: someSettings })],
      ),
    },
    { weight: 1, arbitrary: record({ kind: kind('slow reader'), session, query }) },
    { weight: 2, arbitrary: record({ kind: kind('go on') }) },
    { weight: 1, arbitrary: record({ kind: kind('hold'), what: fc.constantFrom('fills', 'settles') }) },
    {
      weight: 2,
      arbitrary: record({
        kind: kind('evict'),
        keys: fc.array(fc.nat({ max: 997 }), { minLength: 1, maxLength: 3 }),
      }),
    },
    { weight: 1, arbitrary: record({ kind: kind('evict all') }) },
  );
}

export const histories: fc.Arbitrary<History> = topics.chain(topic =>
  record<History>({
    queries: fc.array(reads(topic), { minLength: QUERIES, maxLength: QUERIES }),
    steps: new Sequence(steps(topic), MIN_STEPS, MAX_STEPS),
  }),
);
