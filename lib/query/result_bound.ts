import type { Canonical, Comparable } from '../values/comparable.js';
import { encodeValues } from '../values/encode.js';
import { compareCanonical } from '../values/order.js';
import type { Bounds } from '../values/result.js';

/** What a result itself tells of the rows that matter to it. Consists of what JSON has: it is stored with the entry. */
export type ResultBound = PageBound | KeySetBound;

/** The result is full: what sorts after its last row is not in it, and does not get into it. */
export interface PageBound {
  readonly type: 'window';
  /** the beginning of the ORDER BY */
  readonly order: readonly OrderTerm[];
  /** between which values those of the last row are, term by term; `null` for NULL */
  readonly bound: readonly (Bounds | null)[];
}

export interface OrderTerm {
  readonly column: string;
  /** one whose order is known */
  readonly kind: Comparable;
  readonly desc: boolean;
  readonly nullsFirst: boolean;
}

/** The result contains rows with these keys, and no others of this occurrence. */
export interface KeySetBound {
  readonly type: 'keys';
  readonly columns: readonly string[];
  /** see `encodeValues` */
  readonly keys: readonly string[];
  /**
   * Does the query ask something of these rows, so that one that comes to satisfy it brings others into the result which
   * refer to it, or itself?
   */
  readonly filters: boolean;
  /**
   * Columns that decide, beside the predicate, whether such a row is in the result. One that is not in it does not get
   * into it while they stay what they are.
   */
  readonly filterColumns?: readonly string[];
  /** of the same rows, if the result is also full */
  readonly window?: PageBound;
}

/** The values that a row has in the columns that its scheme tests. */
export type Tested = ReadonlyMap<string, Canonical>;

/** Does a row sort behind all of the window for certain? Rows that sort beside the last one do not. */
export function isBehind({ order, bound }: PageBound, row: Tested): boolean {
  for (const [i, term] of order.entries()) {
    const place = placeOf(term, row.get(term.column), bound[i]);
    if (place !== 'beside') {
      return place === 'behind';
    }
  }
  return false;
}

export function isContained({ columns, keys }: KeySetBound, row: Tested): boolean {
  return keys.includes(encodeValues(columns.map(column => row.get(column)!)));
}

/** Does the bound speak of columns that are tested? */
export function isUsable(bound: ResultBound, tests: readonly string[]): boolean {
  return columnsOf(bound).every(column => tests.includes(column));
}

function columnsOf(bound: ResultBound): readonly string[] {
  return bound.type === 'window'
    ? bound.order.map(term => term.column)
    : [...bound.columns, ...(bound.filterColumns ?? []), ...(bound.window ? columnsOf(bound.window) : [])];
}

type Place = 'before' | 'beside' | 'behind' | 'unknown';

function placeOf(
  { kind, desc, nullsFirst }: OrderTerm,
  value: Canonical | undefined,
  bounds: Bounds | null | undefined,
): Place {
  if (value === undefined || bounds === undefined) {
    return 'unknown';
  }
  if (value === null || bounds === null) {
    return value === bounds ? 'beside' : (value === null) === nullsFirst ? 'before' : 'behind';
  }
  const [low, high] = bounds;
  if (compareCanonical(kind, value, low) < 0) {
    return desc ? 'behind' : 'before';
  }
  if (compareCanonical(kind, value, high) > 0) {
    return desc ? 'before' : 'behind';
  }
  return low === high ? 'beside' : 'unknown';
}
