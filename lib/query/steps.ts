import type { Canonical } from '../values/comparable.js';
import type { Step } from '../values/step.js';
import type { Watch, WatchedDependency } from './dependencies.js';
import { type Guard, isBehind, isContained, isUsable, type Tested } from './guard.js';

/** The guards of an entry, by the index of the occurrence; `null` where there is none. */
export type Guards = readonly (Guard | null | undefined)[];

/**
 * May any of these steps have changed the result that an entry has?
 *
 * A step is let pass only if in *every* state of the database that gives this result, the result is the same with it and
 * without it. So it does not matter in which order steps are judged, nor which of them the result has seen already.
 */
export function movedMatters(
  { scheme, watches }: WatchedDependency,
  steps: readonly Step[],
  guards: Guards,
): boolean {
  const { tests } = scheme;
  return (
    !watches ||
    !tests ||
    steps.some(step => watches.some(watch => stepMatters(step, watch, tests, guards[watch.occurrence])))
  );
}

/** May this step have changed the result, by way of this occurrence of the table? */
export function stepMatters(
  step: Step,
  watch: Watch,
  tests: readonly string[],
  guard?: Guard | null,
): boolean {
  const [old, now, read] = step;
  if ([old, now].some(values => values && values.length !== tests.length)) {
    return true; // not a step of this scheme
  }
  if (watch.referenced && (old === null || now === null)) {
    return false; // nothing refers to it yet, or any more
  }
  const usable = guard && isUsable(guard, tests) ? guard : undefined;
  const satisfies = (values: readonly Canonical[] | null) =>
    values !== null && watch.predicate.matches(values);
  const takesPart = (values: readonly Canonical[] | null) =>
    satisfies(values) && (!usable || isInside(usable, tested(tests, values!)));
  // one that comes to satisfy it may bring others into the result; one that no longer does takes out who it is in it for
  if (usable?.type === 'keys' && usable.filters && satisfies(now) && !satisfies(old)) {
    return true;
  }
  const before = takesPart(old);
  return before !== takesPart(now) || (before && read === 1);
}

function isInside(guard: Guard, row: Tested): boolean {
  return guard.type === 'window' ? !isBehind(guard, row) : isContained(guard, row);
}

function tested(tests: readonly string[], values: readonly Canonical[]): Tested {
  return new Map(tests.map((column, i) => [column, values[i]!]));
}
