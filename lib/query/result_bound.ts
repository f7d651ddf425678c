import type { Canonical, Comparable } from '../values/comparable.js';
import { encodeValues } from '../values/encode.js';
import { compareCanonical } from '../values/order.js';
import type { Bounds } from '../values/result.js';

/** Limits the rows that matter to a result, derived from the result itself. It is plain JSON, stored with the entry. */
export type ResultBound = PageBound | KeySetBound;

/** The result is full: a row that sorts after its last row does not enter it. */
export interface PageBound {
  readonly type: 'window';
  /** the beginning of the ORDER BY */
  readonly order: readonly OrderTerm[];
  /** bounds of the last row's values, by term; `null` for NULL */
  readonly bound: readonly (Bounds | null)[];
}

export interface OrderTerm {
  readonly column: string;
  /** one whose order is known */
  readonly kind: Comparable;
  readonly desc: boolean;
  readonly nullsFirst: boolean;
}

/** The result contains only rows with these keys of this table reference. */
export interface KeySetBound {
  readonly type: 'keys';
  readonly columns: readonly string[];
  /** see `encodeValues` */
  readonly keys: readonly string[];
  /**
   * Does the query have conditions on these rows? Then a row that starts to satisfy them can enter the result, or
   * bring in rows that refer to it.
   */
  readonly filters: boolean;
  /**
   * Columns that decide, with the predicate, whether such a row is in the result. A row outside does not enter it
   * while they are unchanged.
   */
  readonly filterColumns?: readonly string[];
  /** the bound of the same rows, if the result is also full */
  readonly window?: PageBound;
}

/** The values of a row in the columns that its scheme tests. */
export type Tested = ReadonlyMap<string, Canonical>;

/** Does a row certainly sort after the last row of the page? False for a tie. */
export function isBehind({ order, bound }: PageBound, row: Tested): boolean {
  for (const [i, term] of order.entries()) {
    const behind = isBehindIn(term, row.get(term.column)!, bound[i]!);
    if (behind !== undefined) {
      return behind;
    }
  }
  return false;
}

export function isContained({ columns, keys }: KeySetBound, row: Tested): boolean {
  return keys.includes(encodeValues(columns.map(column => row.get(column)!)));
}

/** Are all columns of the bound tested? */
export function isUsable(bound: ResultBound, tests: readonly string[]): boolean {
  return columnsOf(bound).every(column => tests.includes(column));
}

function columnsOf(bound: ResultBound): readonly string[] {
  return bound.type === 'window'
    ? bound.order.map(term => term.column)
    : [...bound.columns, ...(bound.filterColumns ?? []), ...(bound.window ? columnsOf(bound.window) : [])];
}

/** `undefined` if the next term decides. */
function isBehindIn(
  { kind, desc, nullsFirst }: OrderTerm,
  value: Canonical,
  bounds: Bounds | null,
): boolean | undefined {
  if (value === null || bounds === null) {
    return value === bounds ? undefined : (value === null) !== nullsFirst;
  }
  const [low, high] = bounds;
  if (compareCanonical(kind, value, low) < 0) {
    return desc;
  }
  if (compareCanonical(kind, value, high) > 0) {
    return !desc;
  }
  return low === high ? undefined : false;
}
