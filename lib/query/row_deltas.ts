import type { Canonical } from '../values/comparable.js';
import { decodeValues } from '../values/encode.js';
import type { RowDelta } from '../values/row_delta.js';
import { type Fails, keyOfJoinedRow, NOTHING_IS_KNOWN } from './joined_row.js';
import { isBehind, isContained, isUsable, type ResultBound, type Tested } from './result_bound.js';
import type { JoinedRow, Watch, WatchedDependency } from './watch.js';

/** The bounds of an entry, by the index of the occurrence; `null` where there is none. */
export type ResultBounds = readonly (ResultBound | null | undefined)[];

/**
 * May any of these steps have changed the result that an entry has?
 *
 * A step is let pass only if in *every* state of the database that gives this result, the result is the same with it and
 * without it. So it does not matter in which order steps are judged, nor which of them the result has seen already.
 *
 * What is known of joined rows restricts that to the states since the entry was sealed, in all of which it holds.
 */
export function deltasMatter(
  { scheme, watches }: WatchedDependency,
  steps: readonly RowDelta[],
  bounds: ResultBounds,
  fails: Fails = NOTHING_IS_KNOWN,
): boolean {
  const { tests } = scheme;
  return (
    !watches ||
    !tests ||
    steps.some(step =>
      watches.some(
        watch => deltaMatters(step, watch, tests, bounds, fails) || takesItsPlace(step, steps, watch, tests),
      ),
    )
  );
}

/**
 * Is it a new row, with the key of one that is gone, to whom others may be joined rows?
 *
 * Who asks the database before that is committed is told of the other row. So what is said of new rows to which nothing
 * refers yet is not said of this one: what refers to its key may have been let pass already, or will be.
 */
function takesItsPlace(
  [old, now]: RowDelta,
  steps: readonly RowDelta[],
  { predicate, key }: Watch,
  tests: readonly string[],
): boolean {
  if (!key || old || !now || !predicate.matches(now)) {
    return false;
  }
  const at = key.map(column => tests.indexOf(column));
  const isTaken = (values: readonly Canonical[]) => at.every(i => values[i] === now[i]);
  return steps.some(([left]) => left && isTaken(left));
}

/** May this step have changed the result, by way of this occurrence of the table? */
export function deltaMatters(
  step: RowDelta,
  watch: Watch,
  tests: readonly string[],
  bounds: ResultBounds,
  fails: Fails = NOTHING_IS_KNOWN,
): boolean {
  const [old, now, read] = step;
  if ([old, now].some(values => values && values.length !== tests.length)) {
    return true; // not a step of this scheme
  }
  // nothing refers to it yet, or any more. But what has referred to it asks what its joined row is, and may be told of
  // another row that has its key by then: it must have been heard of that there was one that satisfied
  if (watch.referenced && (old === null || (now === null && !watch.key))) {
    return false;
  }
  const bound = bounds[watch.occurrence];
  const usable = bound && isUsable(bound, tests) ? bound : undefined;
  const keys = usable?.type === 'keys' ? usable : undefined;
  const window = usable?.type === 'window' ? usable : keys?.window;
  const satisfies = (values: readonly Canonical[] | null): values is readonly Canonical[] =>
    values !== null && watch.predicate.matches(values);
  const lacksJoinedRow = (values: readonly Canonical[]) =>
    watch.joinedRows.some(joinedRow => {
      const key = keyOfJoinedRow(joinedRow, tests, values);
      return key !== undefined && !containsJoinedRow(bounds, joinedRow, key) && fails(joinedRow, key);
    });
  const mayTakePart = (values: readonly Canonical[] | null) =>
    satisfies(values) && !(window && isBehind(window, tested(tests, values))) && !lacksJoinedRow(values);
  if (!keys) {
    const before = mayTakePart(old);
    return before !== mayTakePart(now) || (before && read === 1);
  }
  const isIn = (values: readonly Canonical[] | null) =>
    satisfies(values) && isContained(keys, tested(tests, values)) && !lacksJoinedRow(values);
  const before = isIn(old);
  if (before !== isIn(now) || (before && read === 1)) {
    return true;
  }
  // one that is not contained may come in, or bring others in which refer to it
  const decides = [...keys.columns, ...(keys.filterColumns ?? [])];
  const stays = satisfies(old) && satisfies(now) && areSame(decides, tests, old, now);
  return keys.filters && !before && !stays && mayTakePart(now);
}

function areSame(
  columns: readonly string[],
  tests: readonly string[],
  old: readonly Canonical[],
  now: readonly Canonical[],
): boolean {
  return columns.every(column => old[tests.indexOf(column)] === now[tests.indexOf(column)]);
}

/** What the result contains has satisfied what the query asks of it: nobody has to be asked. */
function containsJoinedRow(bounds: ResultBounds, { occurrence, on }: JoinedRow, key: string): boolean {
  const bound = bounds[occurrence];
  const columns = on.map(([, column]) => column);
  return (
    bound?.type === 'keys' &&
    isUsable(bound, columns) &&
    isContained(bound, tested(columns, decodeValues(key)))
  );
}

function tested(tests: readonly string[], values: readonly Canonical[]): Tested {
  return new Map(tests.map((column, i) => [column, values[i]!]));
}
