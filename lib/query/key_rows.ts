import type { Comparable } from '../values/comparable.js';
import { compareCanonical } from '../values/order.js';
import { canonicalOfParameter } from '../values/parameter.js';
import { canonicalOfResult } from '../values/result.js';
import type { Key } from './key_list.js';

type Row = Readonly<Record<string, unknown>>;

/** Where a row, as the driver gives it, says which key it has. */
export interface KeyColumn {
  /** the property */
  readonly name: string;
  readonly kind: Comparable;
  /** the property of the row that it refers to, if that is in its place */
  readonly referred: string | undefined;
}

/** A term of an ORDER BY, as a row tells of it. */
export interface RowOrder {
  readonly name: string;
  readonly kind: Comparable;
  readonly desc: boolean;
  readonly nullsFirst: boolean;
}

const YEAR_1973 = Date.UTC(1973);

/** Kinds of which a row of a result tells the key for certain (see `canonicalOfResult`). */
const TOLD: ReadonlySet<Comparable> = new Set(['integer', 'text', 'uuid', 'decimal', 'date', 'padded']);

export function isReversible(kind: Comparable): boolean {
  return TOLD.has(kind);
}

/**
 * Can a row of a result be compared with others as the database does?
 *
 * @param type as SQL writes it: a Date has milliseconds, and most columns have no more
 */
export function isSortable(kind: Comparable, type: string): boolean {
  return TOLD.has(kind) || kind === 'boolean' || (kind === 'instant' && /\([0-3]\)/.test(type));
}

/** Which place each of the keys has, by its canonical form; `undefined` if two are equal, or one cannot be told. */
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
 * The rows of each key, in the order of their places.
 *
 * @returns `undefined` if it cannot be told of a row which of the keys it has
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
 * One result of the rows of all keys.
 *
 * @param order sorts them; without terms, they are in that of the keys: the database might do so as well
 * @returns `undefined` if a row does not tell where it belongs
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

/** A canonical value, or a number that sorts as the value does. */
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
    // what is no Date is infinite, and earlier ones may be read in time zones with odd seconds
    return value instanceof Date && value.getTime() >= YEAR_1973 ? value.getTime() : undefined;
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
