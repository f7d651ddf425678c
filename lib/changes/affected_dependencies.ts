import type { Canonical } from '../values/comparable.js';
import { encodeValues } from '../values/encode.js';
import { storedColumn } from '../values/path.js';
import type { RowDelta } from '../values/row_delta.js';
import { ALL_COLUMNS, type Scheme } from '../values/scheme.js';
import type { Row } from './row_image.js';

/** The change of one row. Columns missing in its old or new state are unknown. */
export interface RowPair {
  /** `undefined` if it is inserted */
  readonly old: Row | undefined;
  /** `undefined` if it is deleted */
  readonly new: Row | undefined;
  /** the columns that may differ now; `undefined`: any */
  readonly changed: ReadonlySet<string> | undefined;
}

type Affected = Map<string, RowDelta[] | undefined>;

/**
 * The dependencies of a scheme that changes of rows affect: by encoded values, the row deltas; `undefined` instead of
 * deltas if only the values are known; `undefined` as a whole if the values are unknown.
 *
 * Each statement has its own delta, even if a later statement of the same transaction reverts it. A delta that does
 * not matter leaves a result unchanged, so a sequence of such deltas does too.
 */
export function affectedBy(pairs: Iterable<RowPair>, scheme: Scheme): Affected | undefined {
  const affected: Affected = new Map();
  const noted = new Set<string>();
  for (const pair of pairs) {
    const read = !pair.old || !pair.new ? 2 : isRead(pair, scheme) ? 1 : 0;
    if (!read && !mayMove(pair, scheme)) {
      continue;
    }
    const old = pair.old && valuesOf(pair.old, scheme.columns, scheme.kinds);
    const now = pair.new && valuesOf(pair.new, scheme.columns, scheme.kinds);
    if ((pair.old && !old) || (pair.new && !now)) {
      return undefined;
    }
    const before = old && encodeValues(old);
    const after = now && encodeValues(now);
    if (before === after) {
      const delta = deltaOf(pair.old, pair.new, read, scheme);
      if (read || (delta ? !isEqual(delta[0]!, delta[1]!) : scheme.tests)) {
        note(affected, noted, before!, delta);
      }
    } else {
      if (before !== undefined) {
        note(affected, noted, before, deltaOf(pair.old, undefined, read || 1, scheme));
      }
      if (after !== undefined) {
        note(affected, noted, after, deltaOf(undefined, pair.new, read || 1, scheme));
      }
    }
  }
  return affected;
}

/** Whether a column that readers of the scheme read may have changed. */
function isRead({ changed }: RowPair, { reads }: Scheme): boolean {
  return (
    !changed ||
    !reads ||
    reads.some(column =>
      column === ALL_COLUMNS ? [...changed].some(each => !SYSTEM_COLUMNS.has(each)) : changed.has(column),
    )
  );
}

/** The catalog does not list them, but a query may name them, and every update changes them. */
export const SYSTEM_COLUMNS: ReadonlySet<string> = new Set([
  ...['cmax', 'cmin', 'ctid', 'tableoid', 'xmax', 'xmin'],
]);

/** Whether a row with known changes may have moved to another dependency, or another tested value. */
function mayMove({ changed }: RowPair, { columns, tests = [] }: Scheme): boolean {
  const mayDiffer = (column: string) => changed!.has(storedColumn(column));
  return columns.some(mayDiffer) || tests.some(mayDiffer);
}

/** `undefined` if a value is unknown, or has another kind than readers of the scheme expect. */
function valuesOf(
  row: Row,
  columns: readonly string[],
  kinds: readonly string[] | undefined,
): Canonical[] | undefined {
  const values: Canonical[] = [];
  for (const [i, column] of columns.entries()) {
    const value = row.values[row.positions.get(column)!];
    if (value === undefined || (kinds && row.kinds.get(column) !== kinds[i])) {
      return undefined;
    }
    values.push(value);
  }
  return values;
}

/** `undefined` if it is unknown, or the scheme tests nothing. */
function deltaOf(
  old: Row | undefined,
  now: Row | undefined,
  read: RowDelta[2],
  { columns, tests, kinds }: Scheme,
): RowDelta | undefined {
  const tested = kinds?.slice(columns.length);
  const before = tests && old && valuesOf(old, tests, tested);
  const after = tests && now && valuesOf(now, tests, tested);
  const isKnown = (!old || before) && (!now || after);
  return isKnown ? [before ?? null, after ?? null, read] : undefined;
}

/** @param noted the deltas that were added: many rows may have the same one */
function note(affected: Affected, noted: Set<string>, values: string, delta: RowDelta | undefined): void {
  const deltas = affected.get(values);
  if (!delta || (affected.has(values) && !deltas)) {
    affected.set(values, undefined);
    return;
  }
  const text = JSON.stringify([values, delta]);
  if (noted.has(text)) {
    return;
  }
  noted.add(text);
  if (deltas) {
    deltas.push(delta);
  } else {
    affected.set(values, [delta]);
  }
}

function isEqual(a: readonly Canonical[], b: readonly Canonical[]): boolean {
  return a.every((value, i) => value === b[i]);
}
