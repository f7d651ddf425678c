import type { Canonical } from '../values/comparable.js';
import { decodeValues } from '../values/encode.js';
import type { Step } from '../values/step.js';
import type { Watch, WatchedDependency } from './dependencies.js';
import { type Guard, isBehind, isContained, isUsable, type Tested } from './guard.js';
import { type Fails, keyOfPartner, NOTHING_IS_KNOWN, type Partner } from './partner.js';

/** The guards of an entry, by the index of the occurrence; `null` where there is none. */
export type Guards = readonly (Guard | null | undefined)[];

/**
 * May any of these steps have changed the result that an entry has?
 *
 * A step is let pass only if in *every* state of the database that gives this result, the result is the same with it and
 * without it. So it does not matter in which order steps are judged, nor which of them the result has seen already.
 *
 * What is known of partners restricts that to the states since the entry was sealed, in all of which it holds.
 */
export function movedMatters(
  { scheme, watches }: WatchedDependency,
  steps: readonly Step[],
  guards: Guards,
  fails: Fails = NOTHING_IS_KNOWN,
): boolean {
  const { tests } = scheme;
  return (
    !watches ||
    !tests ||
    steps.some(step => watches.some(watch => stepMatters(step, watch, tests, guards, fails)))
  );
}

/** May this step have changed the result, by way of this occurrence of the table? */
export function stepMatters(
  step: Step,
  watch: Watch,
  tests: readonly string[],
  guards: Guards,
  fails: Fails = NOTHING_IS_KNOWN,
): boolean {
  const [old, now, read] = step;
  if ([old, now].some(values => values && values.length !== tests.length)) {
    return true; // not a step of this scheme
  }
  if (watch.referenced && (old === null || now === null)) {
    return false; // nothing refers to it yet, or any more
  }
  const guard = guards[watch.occurrence];
  const usable = guard && isUsable(guard, tests) ? guard : undefined;
  const satisfies = (values: readonly Canonical[] | null) =>
    values !== null && watch.predicate.matches(values);
  const isAlone = (values: readonly Canonical[]) =>
    watch.partners.some(partner => {
      const key = keyOfPartner(partner, tests, values);
      return key !== undefined && !containsPartner(guards, partner, key) && fails(partner, key);
    });
  const mayTakePart = (values: readonly Canonical[] | null) => satisfies(values) && !isAlone(values!);
  const takesPart = (values: readonly Canonical[] | null) =>
    usable?.type === 'keys'
      ? satisfies(values) && isContained(usable, tested(tests, values!)) // so its partner is, too
      : mayTakePart(values) && !(usable && isBehind(usable, tested(tests, values!)));
  // one that comes to satisfy it may bring others into the result; one that no longer does takes out who it is in it for
  if (usable?.type === 'keys' && usable.filters && mayTakePart(now) && !mayTakePart(old)) {
    return true;
  }
  const before = takesPart(old);
  return before !== takesPart(now) || (before && read === 1);
}

/** What the result contains has satisfied what the query asks of it: nobody has to be asked. */
function containsPartner(guards: Guards, { occurrence, on }: Partner, key: string): boolean {
  const guard = guards[occurrence];
  const columns = on.map(([, column]) => column);
  return (
    guard?.type === 'keys' &&
    isUsable(guard, columns) &&
    isContained(guard, tested(columns, decodeValues(key)))
  );
}

function tested(tests: readonly string[], values: readonly Canonical[]): Tested {
  return new Map(tests.map((column, i) => [column, values[i]!]));
}
