import type { Comparable } from '../values/comparable.js';
import { compareCanonical } from '../values/order.js';
import { canonicalOfParameter, WHOLE_MINUTES_SINCE } from '../values/parameter.js';
import { canonicalOfResult } from '../values/result.js';
import type { Key } from './key_list.js';

type Row = Readonly<Record<string, unknown>>;

/** How a row of a result contains its key. */
export interface KeyColumn {
  /** the property */
  readonly name: string;
  readonly kind: Comparable;
  /** the property of the related entity, if that is loaded in place of its key */
  readonly referred: string | undefined;
}

/** A term of an ORDER BY, as a property of rows. */
export interface RowOrder {
  readonly name: string;
  readonly kind: Comparable;
  readonly desc: boolean;
  readonly nullsFirst: boolean;
}

/** Kinds whose exact key is known from a row of a result (see `canonicalOfResult`). */
const REVERSIBLE: ReadonlySet<Comparable> = new Set(['integer', 'text', 'uuid', 'decimal', 'date', 'padded']);

export function isReversible(kind: Comparable): boolean {
  return REVERSIBLE.has(kind);
}

/**
 * Can rows of a result be sorted as the database sorts them?
 *
 * @param type the SQL type: a Date has milliseconds, and most columns no more
 */
export function isSortable(kind: Comparable, type: string): boolean {
  return REVERSIBLE.has(kind) || kind === 'boolean' || (kind === 'instant' && /\([0-3]\)/.test(type));
}

/** The index of each key, by its canonical form; `undefined` if two keys are equal, or one is not understood. */
export function placesOf(kind: Comparable, keys: readonly Key[]): ReadonlyMap<string, number> | undefined {
  const places = new Map<string, number>();
  for (const [i, key] of keys.entries()) {
    const canonical = canonicalOfParameter(kind, key);
    if (typeof canonical !== 'string' || places.has(canonical)) {
      return undefined;
    }
    places.set(canonical, i);
  }
  return places;
}

/**
 * The rows of each key, in the order of the keys.
 *
 * @returns `undefined` if the key of a row is not known
 */
export function partitionByKey(
  result: unknown,
  column: KeyColumn,
  places: ReadonlyMap<string, number>,
): Row[][] | undefined {
  if (!Array.isArray(result)) {
    return undefined;
  }
  const parts: Row[][] = Array.from(places, () => []);
  for (const row of result as Row[]) {
    const key = keyOf(row, column);
    const place = key === undefined ? undefined : places.get(key);
    if (place === undefined) {
      return undefined;
    }
    parts[place]!.push(row);
  }
  return parts;
}

function keyOf(row: Row, { name, kind, referred }: KeyColumn): string | undefined {
  let value = row[name];
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    value = referred === undefined ? undefined : (value as Row)[referred];
  }
  const bounds = value === undefined ? undefined : canonicalOfResult(kind, value);
  return bounds && bounds[0] === bounds[1] ? bounds[0] : undefined;
}

/**
 * Merges the rows of all keys into one result.
 *
 * @param order sorts the rows; without terms, rows are in the order of the keys, which the database may also return
 * @returns `undefined` if a row cannot be sorted
 */
export function mergeInOrder(
  parts: readonly (readonly Row[])[],
  order: readonly RowOrder[],
): Row[] | undefined {
  const rows = parts.flat();
  if (order.length === 0) {
    return rows;
  }
  const sorted = rows.map(row => ({ row, values: order.map(term => sortedBy(term, row)) }));
  if (sorted.some(({ values }) => values.includes(undefined))) {
    return undefined;
  }
  sorted.sort((a, b) => compare(order, a.values as Sorted[], b.values as Sorted[]));
  return sorted.map(({ row }) => row);
}

/** A canonical value, or a number with the same order. */
type Sorted = string | number | null;

function sortedBy({ name, kind }: RowOrder, row: Row): Sorted | undefined {
  const value = row[name];
  if (value === null) {
    return null;
  }
  if (kind === 'integer' && typeof value === 'number') {
    return value;
  }
  if (kind === 'instant') {
    // other values are infinite, and earlier dates may be read in time zones whose offsets have seconds
    return value instanceof Date && value.getTime() >= WHOLE_MINUTES_SINCE ? value.getTime() : undefined;
  }
  const bounds = value === undefined ? undefined : canonicalOfResult(kind, value);
  return bounds && bounds[0] === bounds[1] ? bounds[0] : undefined;
}

function compare(order: readonly RowOrder[], a: readonly Sorted[], b: readonly Sorted[]): number {
  for (const [i, { kind, desc, nullsFirst }] of order.entries()) {
    const [x, y] = [a[i]!, b[i]!];
    if (x === y) {
      continue;
    }
    if (x === null || y === null) {
      return (x === null) === nullsFirst ? -1 : 1;
    }
    const difference =
      typeof x === 'number' && typeof y === 'number' ? x - y : compareCanonical(kind, String(x), String(y));
    if (difference !== 0) {
      return desc ? -difference : difference;
    }
  }
  return 0;
}
