import type { Comparable } from './comparable.js';

/**
 * Compares two values of a kind, neither of them NULL, as the database sorts them: negative if `a` comes first,
 * positive if `b` does, 0 if they are equal.
 *
 * Strings are compared by code points. The database does the same under the collations `C` and `POSIX` and those of
 * PostgreSQL's builtin provider, if its encoding is UTF-8 (see {@link isOrderable}).
 *
 * @param kind one that {@link isOrderable}
 */
export function compareCanonical(kind: Comparable, a: string, b: string): number {
  if (a === b) {
    return 0;
  }
  switch (kind) {
    case 'integer':
    case 'decimal':
    case 'instant':
    case 'time':
      return compareDecimals(a, b);
    case 'float':
      return rankOfSpecial(a) - rankOfSpecial(b) || Number(a) - Number(b);
    case 'date':
      return compareDates(a, b);
    case 'text':
    case 'padded':
      return compareCodePoints(a, b);
    case 'boolean': // false < true
    case 'uuid':
      return a < b ? -1 : 1;
    default:
      throw new TypeError(`Values of kind ${kind} have no order here`);
  }
}

/** @param collated whether the column's collation sorts by code points; used for strings only */
export function isOrderable(kind: Comparable, collated: boolean): boolean {
  switch (kind) {
    case 'text':
    case 'padded':
      return collated;
    case 'enum':
    case 'booleans':
    case 'integers':
    case 'texts':
    case 'uuids':
      return false;
    default:
      return true;
  }
}

/** Infinities sort at the ends, and NaN after all. */
function rankOfSpecial(text: string): number {
  switch (text) {
    case '-Infinity':
      return -1;
    case 'Infinity':
      return 1;
    case 'NaN':
      return 2;
    default:
      return 0;
  }
}

/** Compares canonical decimals of any length: without leading zeros, and without trailing zeros after the point. */
function compareDecimals(a: string, b: string): number {
  const special = rankOfSpecial(a) - rankOfSpecial(b);
  if (special !== 0) {
    return special;
  }
  const negative = a.startsWith('-');
  if (negative !== b.startsWith('-')) {
    return negative ? -1 : 1;
  }
  const larger = compareMagnitudes(negative ? a.slice(1) : a, negative ? b.slice(1) : b);
  return negative ? -larger : larger;
}

function compareMagnitudes(a: string, b: string): number {
  return integerDigits(a) - integerDigits(b) || (a < b ? -1 : 1);
}

function integerDigits(text: string): number {
  const point = text.indexOf('.');
  return point < 0 ? text.length : point;
}

/** `2024-02-29`, `10000-01-01`, `0044-03-15 BC`, `infinity`, `-infinity` */
function compareDates(a: string, b: string): number {
  const [yearA, dayA] = yearAndDay(a);
  const [yearB, dayB] = yearAndDay(b);
  return yearA === yearB ? (dayA < dayB ? -1 : dayA > dayB ? 1 : 0) : yearA < yearB ? -1 : 1;
}

function yearAndDay(text: string): [year: number, day: string] {
  if (text === 'infinity' || text === '-infinity') {
    return [text === 'infinity' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY, ''];
  }
  const isBC = text.endsWith(' BC');
  const dash = text.indexOf('-');
  const year = Number(text.slice(0, dash));
  return [isBC ? -year : year, text.slice(dash + 1, dash + 6)];
}

function compareCodePoints(a: string, b: string): number {
  const end = Math.min(a.length, b.length);
  let at = 0;
  while (at < end && a.charCodeAt(at) === b.charCodeAt(at)) {
    at++;
  }
  if (at === end) {
    return a.length - b.length;
  }
  return rankOfUnit(a.charCodeAt(at)) - rankOfUnit(b.charCodeAt(at));
}

/** Surrogates encode characters that sort after all other code units. */
function rankOfUnit(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}
