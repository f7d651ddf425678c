import type { Canonical } from '../values/comparable.js';
import { encodeValues } from '../values/encode.js';
import { storedColumn } from '../values/path.js';
import type { RowDelta } from '../values/row_delta.js';
import type { Scheme } from '../values/scheme.js';
import type { Row } from './row_image.js';
import type { Pair } from './row_pair.js';

type Touched = Map<string, RowDelta[] | undefined>;

/**
 * What changes of rows mean to those who depend on a scheme: by the values that the rows had and have, the steps; or
 * `undefined` where only that these values were touched can be told. `undefined` as a whole if not even that can.
 *
 * Steps tell what each statement did, also where later ones of the same transaction undo it: a step that does not
 * matter to a result leaves it as it is, so neither does a sequence of them.
 */
export function touchedBy(pairs: Iterable<Pair>, scheme: Scheme): Touched | undefined {
  const touched: Touched = new Map();
  const told = new Set<string>();
  for (const pair of pairs) {
    const read = isRead(pair, scheme);
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
      const step = stepOf(pair.old, pair.new, read, scheme);
      if (read || (step ? !isEqual(step[0], step[1]) : scheme.tests)) {
        note(touched, told, before!, step);
      }
    } else {
      if (before !== undefined) {
        note(touched, told, before, stepOf(pair.old, undefined, true, scheme));
      }
      if (after !== undefined) {
        note(touched, told, after, stepOf(undefined, pair.new, true, scheme));
      }
    }
  }
  return touched;
}

/** Whether what readers of the scheme see of the row, wherever it stands, may have changed. */
function isRead({ old, new: now, changed }: Pair, { reads }: Scheme): boolean {
  return !old || !now || !changed || !reads || reads.some(column => changed.has(column));
}

/** Whether it may stand elsewhere. */
function mayMove({ changed }: Pair, { columns, tests = [] }: Scheme): boolean {
  const mayDiffer = (column: string) => changed!.has(storedColumn(column));
  return !changed || columns.some(mayDiffer) || tests.some(mayDiffer);
}

/** `undefined` if one of them is not known, or is of another kind than it is to the scheme's readers. */
function valuesOf(
  row: Row,
  columns: readonly string[],
  kinds: readonly string[] | undefined,
): Canonical[] | undefined {
  const values: Canonical[] = [];
  for (const [i, column] of columns.entries()) {
    const at = row.positions.get(column);
    const value = at === undefined ? undefined : row.values[at];
    if (value === undefined || (kinds && row.kinds.get(column) !== kinds[i])) {
      return undefined;
    }
    values.push(value);
  }
  return values;
}

/** `undefined` if it cannot be told, or nobody asks for it. */
function stepOf(
  old: Row | undefined,
  now: Row | undefined,
  read: boolean,
  { columns, tests, kinds }: Scheme,
): RowDelta | undefined {
  const tested = kinds?.slice(columns.length);
  const before = tests && old && valuesOf(old, tests, tested);
  const after = tests && now && valuesOf(now, tests, tested);
  const isKnown = tests && (!old || before) && (!now || after);
  return isKnown ? [before ?? null, after ?? null, read ? 1 : 0] : undefined;
}

/** @param told the steps by what they say: many rows may have made the same one */
function note(touched: Touched, told: Set<string>, values: string, step: RowDelta | undefined): void {
  const steps = touched.get(values);
  if (!step || (touched.has(values) && !steps)) {
    touched.set(values, undefined);
    return;
  }
  const text = JSON.stringify([values, step]);
  if (told.has(text)) {
    return;
  }
  told.add(text);
  if (steps) {
    steps.push(step);
  } else {
    touched.set(values, [step]);
  }
}

function isEqual(a: readonly Canonical[] | null, b: readonly Canonical[] | null): boolean {
  return a !== null && b !== null && a.every((value, i) => value === b[i]);
}
