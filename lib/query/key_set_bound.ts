import type { Comparable } from '../values/comparable.js';
import { encodeValues } from '../values/encode.js';
import { canonicalOfResult } from '../values/result.js';
import type { KeySetBound } from './result_bound.js';

/** More keys are not stored. */
const MAX_KEYS = 2000;

/**
 * The bound of a table reference whose rows in the result have these keys. `null` if there are too many keys or one
 * is not understood.
 *
 * If the table is joined by its own key, these are the values of the foreign keys in the root's rows; if its rows
 * refer to the root, these are the root's keys.
 *
 * The bound covers only rows in the result. If the query has conditions on the joined rows, or drops rows without
 * one, then a row outside can bring other rows into the result: if it starts to satisfy the predicate (`filters`), or
 * if it changes in a column that joins it or whose conditions are not exactly in the predicate. `filterColumns` names
 * these columns: all columns in the SQL, except those that are only selected, and those whose conditions the
 * predicate contains exactly.
 *
 * @param columns the columns by which it is joined
 * @param keys values as the driver returned them; a key with NULL joins nothing
 * @param filters does the query have conditions on the joined rows, or drop rows without one?
 * @param filterColumns only columns with identifying canonical forms
 */
export function keySetBound(
  columns: readonly { readonly name: string; readonly kind: Comparable }[],
  keys: Iterable<readonly unknown[]>,
  filters: boolean,
  filterColumns: readonly string[] = [],
): KeySetBound | null {
  const encoded = new Set<string>();
  for (const key of keys) {
    if (key.includes(null)) {
      continue;
    }
    const values: string[] = [];
    for (const [i, { kind }] of columns.entries()) {
      const bounds = canonicalOfResult(kind, key[i]);
      if (!bounds || bounds[0] !== bounds[1]) {
        return null;
      }
      values.push(bounds[0]);
    }
    encoded.add(encodeValues(values));
    if (encoded.size > MAX_KEYS) {
      return null;
    }
  }
  const names = columns.map(({ name }) => name);
  return {
    type: 'keys',
    columns: names,
    keys: [...encoded],
    filters,
    ...(filterColumns.length > 0 && { filterColumns }),
  };
}
