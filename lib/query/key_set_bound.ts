import type { Comparable } from '../values/comparable.js';
import { encodeValues } from '../values/encode.js';
import { canonicalOfResult } from '../values/result.js';
import type { KeySetBound } from './result_bound.js';

/** More keys than these are not remembered. */
const MAX_KEYS = 2000;

/**
 * The bound of an occurrence of which a result contains the rows with these keys. `null` if they are too many or not
 * understood, which tells nothing.
 *
 * Of rows that are joined to the root by their own key, these are the values of the foreign keys in the root's rows;
 * of rows that refer to the root, the root's keys.
 *
 * It tells of nothing but what the result contains. Where the query also asks something of the joined rows, or leaves out
 * rows to which none is joined, a row that is not contained may bring others into the result: by coming to satisfy the
 * predicate (`filters`), but also by a change of what it is joined by, or of what the predicate does not say exactly.
 * Where these may change, `filterColumns` names the columns which decide about that: all that are mentioned in the SQL, but
 * those that are only selected, and those of which the predicate says all.
 *
 * @param columns of the occurrence, by which it is joined
 * @param keys values as the driver gave them; where one is NULL, nothing is joined
 * @param filters does the query ask something of the joined rows, or leave out rows to which none is joined?
 * @param filterColumns of columns whose canonical form tells all
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
