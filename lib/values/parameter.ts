import {
  type ArrayKind,
  type Canonical,
  type Comparable,
  canonicalDecimal,
  canonicalFloat,
  elementOf,
  isDecimal,
} from './comparable.js';

/**
 * The canonical form of a value that a query compares with; `undefined` if it is not certain how the database reads it.
 */
export function canonicalOfParameter(kind: Comparable, value: unknown): Canonical | undefined {
  if (value === null) {
    return null;
  }
  switch (kind) {
    case 'boolean':
      return typeof value === 'boolean' ? String(value) : undefined;
    case 'integer':
      return canonicalInteger(value);
    case 'decimal':
      return parameterDecimal(value);
    case 'float':
      return parameterFloat(value);
    case 'uuid':
      return typeof value === 'string' && UUID.test(value) ? value.toLowerCase() : undefined;
    case 'text':
    case 'enum':
      return typeof value === 'string' ? wellFormed(value) : undefined;
    case 'padded':
      return typeof value === 'string' ? wellFormed(value).replace(/ +$/, '') : undefined;
    case 'date':
      return typeof value === 'string' && DATE.test(value) ? value : undefined;
    case 'time':
      return canonicalTime(value);
    case 'instant':
      return canonicalInstant(value);
    default:
      return undefined;
  }
}

/**
 * The canonical forms of the elements of an array parameter, as the ORM sends it: `{a,"b c"}`. `undefined` if one is
 * NULL.
 */
export function elementsOfParameter(kind: ArrayKind, value: unknown): readonly string[] | undefined {
  const items = typeof value === 'string' ? readArray(wellFormed(value)) : undefined;
  const elements = items?.map(item =>
    kind === 'booleans'
      ? BOOLEAN.test(item)
        ? item
        : undefined
      : canonicalOfParameter(elementOf(kind), item),
  );
  return elements?.every(element => typeof element === 'string') ? elements : undefined;
}

const BOOLEAN = /^(?:true|false)$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const DATE = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;
const TIME = /^([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,6}))?)?$/;
const INTEGER = /^[+-]?\d{1,40}$/;
const INSTANT =
  /^(\d{4}-\d\d-\d\d)[T ]([01]\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.(\d{1,6}))?)?(?:Z|([+-])([01]\d):?([0-5]\d)?)$/;

function canonicalInteger(value: unknown): string | undefined {
  if (typeof value === 'number') {
    return Number.isSafeInteger(value) ? String(value + 0) : undefined;
  }
  if (typeof value === 'bigint') {
    return value.toString();
  }
  return typeof value === 'string' && INTEGER.test(value)
    ? BigInt(value.replace('+', '')).toString()
    : undefined;
}

function parameterDecimal(value: unknown): string | undefined {
  const text = typeof value === 'number' || typeof value === 'bigint' ? String(value) : value;
  return typeof text === 'string' && isDecimal(text) ? canonicalDecimal(text) : undefined;
}

/** A number is sent with its shortest digits, and both sides read digits as the nearest double. */
function parameterFloat(value: unknown): string | undefined {
  const text = typeof value === 'bigint' ? String(value) : value;
  const number = typeof text === 'string' && isDecimal(text) ? Number(text) : text;
  return typeof number === 'number' && Number.isFinite(number) ? canonicalFloat(number) : undefined;
}

/** Microseconds since midnight. */
function canonicalTime(value: unknown): string | undefined {
  const match = typeof value === 'string' ? TIME.exec(value) : null;
  if (!match) {
    return undefined;
  }
  const [, hour, minute, second = '0', fraction = ''] = match;
  const seconds = (Number(hour) * 60 + Number(minute)) * 60 + Number(second);
  return String(seconds * 1_000_000 + Number(fraction.padEnd(6, '0')));
}

/**
 * A Date is sent as local time with an offset in whole minutes. Before 1973 some time zones had offsets with seconds,
 * for which the database receives another instant.
 */
export const WHOLE_MINUTES_SINCE = Date.UTC(1973);

/** Microseconds since 1970. */
function canonicalInstant(value: unknown): string | undefined {
  if (value instanceof Date) {
    const ms = value.getTime();
    // false for NaN
    return ms >= WHOLE_MINUTES_SINCE ? (BigInt(ms) * 1000n).toString() : undefined;
  }
  const match = typeof value === 'string' ? INSTANT.exec(value) : null;
  if (!match) {
    return undefined;
  }
  const [, date, hour, minute, second = '00', fraction = '', sign, offsetHour = '0', offsetMinute = '0'] =
    match;
  const ms = Date.parse(`${date}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(ms) || new Date(ms).toISOString().slice(0, 10) !== date) {
    return undefined; // 30 February: the database rejects it
  }
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === '-' ? -1 : 1);
  return (BigInt(ms - offset * 60_000) * 1000n + BigInt(fraction.padEnd(6, '0'))).toString();
}

/** A lone surrogate reaches the database as U+FFFD. */
function wellFormed(text: string): string {
  return text.toWellFormed();
}

/** One item of an array literal: quoted, or without special characters. */
const ITEM = /"((?:[^"\\]|\\.)*)"|([^{},"\\\s]+(?: +[^{},"\\\s]+)*)/sy;

/** An array literal of one dimension; `undefined` if it has a NULL, or is not plain. */
function readArray(text: string): string[] | undefined {
  if (text === '{}') {
    return [];
  }
  const items: string[] = [];
  let at = 0;
  do {
    ITEM.lastIndex = at + 1;
    const match = ITEM.exec(text);
    if (!match || /^null$/i.test(match[2] ?? '')) {
      return undefined;
    }
    items.push(match[2] ?? match[1]!.replace(/\\(.)/gs, '$1'));
    at = ITEM.lastIndex;
  } while (text[at] === ',');
  return text.startsWith('{') && text[at] === '}' && at === text.length - 1 ? items : undefined;
}
