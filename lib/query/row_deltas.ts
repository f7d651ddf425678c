import type { Canonical } from '../values/comparable.js';
import { decodeValues } from '../values/encode.js';
import type { RowDelta } from '../values/row_delta.js';
import { type Fails, keyOfJoinedRow, NOTHING_IS_KNOWN } from './joined_row.js';
import { isBehind, isContained, isUsable, type ResultBound, type Tested } from './result_bound.js';
import type { JoinedRow, Watch, WatchedDependency } from './watch.js';

/** The bounds of an entry, by the index of the occurrence; `null` where there is none. */
export type ResultBounds = readonly (ResultBound | null | undefined)[];

/**
 * May one of these row deltas have changed the result of an entry?
 *
 * A delta is ignored only if in *every* state of the database with this result, the result is the same with and
 * without it. So neither the order of deltas matters, nor whether the result already includes some of them.
 *
 * Known joined rows restrict this to the states since the entry was sealed, because they were the same in all of
 * these.
 */
export function deltasMatter(
  { scheme, watches }: WatchedDependency,
  deltas: readonly RowDelta[],
  bounds: ResultBounds,
  fails: Fails = NOTHING_IS_KNOWN,
): boolean {
  const { tests = [] } = scheme;
  return (
    !watches ||
    deltas.some(delta =>
      watches.some(
        watch =>
          deltaMatters(delta, watch, tests, bounds, fails) || reinsertsKey(delta, deltas, watch, tests),
      ),
    )
  );
}

/**
 * Does this delta re-insert a key that an earlier delta deleted, while other rows still join to that key?
 *
 * A reader that looks up the joined row before this commit finds the old row. So the rule that no row refers to a new
 * row does not apply: a delta of a referring row may already have been ignored.
 */
function reinsertsKey(
  [old, now]: RowDelta,
  deltas: readonly RowDelta[],
  { predicate, key }: Watch,
  tests: readonly string[],
): boolean {
  if (!key || old || !now || !predicate.matches(now)) {
    return false;
  }
  return deltas.some(([deleted]) => deleted && areSame(key, tests, deleted, now));
}

/** May this delta have changed the result through this table reference? */
function deltaMatters(
  delta: RowDelta,
  watch: Watch,
  tests: readonly string[],
  bounds: ResultBounds,
  fails: Fails,
): boolean {
  const [old, now, read] = delta;
  if ([old, now].some(values => values && values.length !== tests.length)) {
    return true; // not a delta of this scheme
  }
  // No row refers to it. But a reader may look up the joined row of a referring row and find another row with the
  // same key, so the deletion of a joined row matters.
  if (watch.referenced && read === 2 && (old === null || !watch.key)) {
    return false;
  }
  const bound = bounds[watch.occurrence];
  const usable = bound && isUsable(bound, tests) ? bound : undefined;
  const keys = usable?.type === 'keys' ? usable : undefined;
  const window = usable?.type === 'window' ? usable : keys?.window;
  const satisfies = (values: readonly Canonical[] | null): values is readonly Canonical[] =>
    values !== null && watch.predicate.matches(values);
  // each is asked about, because any of them may fail
  const lacksJoinedRow = (values: readonly Canonical[]) =>
    watch.joinedRows.filter(joinedRow => {
      const key = keyOfJoinedRow(joinedRow, tests, values);
      return (
        key !== undefined &&
        !joinedRow.unless?.predicate.matches(values) &&
        !(containsJoinedRow(bounds, joinedRow, key) && !joinedRow.unless) &&
        fails(joinedRow, key)
      );
    }).length > 0;
  const mayTakePart = (values: readonly Canonical[] | null): values is readonly Canonical[] =>
    satisfies(values) && !(window && isBehind(window, tested(tests, values))) && !lacksJoinedRow(values);
  if (!keys) {
    const before = mayTakePart(old);
    return before !== mayTakePart(now) || (before && read > 0);
  }
  const isIn = (values: readonly Canonical[] | null) =>
    satisfies(values) && isContained(keys, tested(tests, values)) && !lacksJoinedRow(values);
  const before = isIn(old);
  if (before !== isIn(now) || (before && read > 0)) {
    return true;
  }
  // a row outside the bound may enter, or bring in rows that refer to it
  const decides = [...keys.columns, ...(keys.filterColumns ?? [])];
  return keys.filters && mayTakePart(now) && !(satisfies(old) && areSame(decides, tests, old, now));
}

function areSame(
  columns: readonly string[],
  tests: readonly string[],
  old: readonly Canonical[],
  now: readonly Canonical[],
): boolean {
  return columns.every(column => old[tests.indexOf(column)] === now[tests.indexOf(column)]);
}

/** A row in the result satisfied the conditions on it, unless there was another way, so no lookup is needed. */
function containsJoinedRow(bounds: ResultBounds, { occurrence, on }: JoinedRow, key: string): boolean {
  const bound = bounds[occurrence];
  const columns = on.map(([, column]) => column);
  return (
    bound?.type === 'keys' &&
    bound.columns.every(column => columns.includes(column)) &&
    isContained(bound, tested(columns, decodeValues(key)))
  );
}

function tested(tests: readonly string[], values: readonly Canonical[]): Tested {
  return new Map(tests.map((column, i) => [column, values[i]!]));
}
