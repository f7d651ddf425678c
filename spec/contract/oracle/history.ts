import fc from 'fast-check';
import { record } from './arbitrary.js';
import { type Read, reads } from './reads.js';
import { Sequence } from './sequence.js';
import type { Isolation, Opening, Outcome } from './session.js';
import { type Write, writes } from './writes.js';

/** What several programs do, one step at a time. They have a few queries, which they make again and again. */
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
  /** a reader that has got its lease, and asks the database only when it is told to */
  | { readonly kind: 'slow reader'; readonly session: number; readonly query: number }
  /** all of them go on, and everything that was held is done */
  | { readonly kind: 'go on' }
  /** from now on, what is to be stored or settled is so only later */
  | { readonly kind: 'hold'; readonly what: 'fills' | 'settles' }
  | { readonly kind: 'evict'; readonly keys: readonly number[] }
  | { readonly kind: 'evict all' };

export interface ReadStep {
  readonly kind: 'read';
  readonly session: number;
  readonly query: number;
  /** by an EntityManager that knows nothing, or by the session's own */
  readonly em: 'fresh' | 'own';
}

export interface WriteStep {
  readonly kind: 'write';
  readonly session: number;
  readonly write: Write;
}

export const SESSIONS = 4;
const MIN_STEPS = 50;
const MAX_STEPS = 100;
export const STEPS_A_HISTORY = (MIN_STEPS + MAX_STEPS) / 2;
const MAX_QUERIES = 9;

const kind = <K extends string>(name: K) => fc.constant(name);
const session = fc.nat({ max: SESSIONS - 1 });
const query = fc.nat({ max: MAX_QUERIES - 1 });

const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 60,
    arbitrary: record({
      kind: kind('read'),
      session,
      query,
      em: fc.oneof(
        { weight: 4, arbitrary: fc.constant('fresh' as const) },
        { weight: 1, arbitrary: fc.constant('own' as const) },
      ),
    }),
  },
  { weight: 18, arbitrary: record({ kind: kind('write'), session, write: writes }) },
  {
    weight: 4,
    arbitrary: record({
      kind: kind('open'),
      session,
      how: fc.constantFrom<Opening>('transactional', 'requires_new', 'begin', 'kysely'),
      isolation: fc.constantFrom<Isolation | undefined>(
        undefined,
        undefined,
        'read committed',
        'repeatable read',
        'serializable',
      ),
    }),
  },
  {
    weight: 5,
    arbitrary: record({
      kind: kind('close'),
      session,
      outcome: fc.constantFrom<Outcome>('commit', 'commit', 'rollback'),
    }),
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

export const histories: fc.Arbitrary<History> = record({
  queries: fc.array(reads, { minLength: MAX_QUERIES, maxLength: MAX_QUERIES }),
  steps: new Sequence(steps, MIN_STEPS, MAX_STEPS),
});
