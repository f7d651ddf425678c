/**
 * How the database compares a column for equality, as far as it can be decided in JavaScript.
 *
 * Only columns of these kinds may narrow a dependency. Everything else (citext, float, json, arrays, timestamps
 * without a time zone, text under a nondeterministic collation …) is left out: the dependency is wider for it, and
 * never wrong.
 */
export type Comparable = 'boolean' | 'date' | 'decimal' | 'instant' | 'integer' | 'padded' | 'text' | 'uuid';

/**
 * A value in canonical form: two values are equal in the database exactly when their canonical forms are the same
 * string. `null` is SQL's NULL.
 */
export type Canonical = string | null;

/** A column's type as PostgreSQL's catalog tells it. */
export interface ColumnType {
  /** `pg_type.typname` */
  readonly name: string;
  /** `pg_type.typtype`: `b` base, `e` enum, `d` domain … */
  readonly category: string;
  /** false if equal strings need not be the same bytes */
  readonly deterministic: boolean;
}

const KINDS: Readonly<Record<string, Comparable>> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  bool: 'boolean',
  uuid: 'uuid',
  text: 'text',
  varchar: 'text',
  bpchar: 'padded',
  numeric: 'decimal',
  date: 'date',
  timestamptz: 'instant',
};

export function comparableOf(type: ColumnType): Comparable | undefined {
  if (!type.deterministic) {
    return undefined;
  }
  if (type.category === 'e') {
    return 'text';
  }
  return type.category === 'b' ? KINDS[type.name] : undefined;
}

/**
 * The SQL expression that gives a stored value in a form which no session setting (DateStyle, TimeZone,
 * extra_float_digits …) changes and which cannot raise an error. Read it with {@link canonicalOfStored}.
 */
export function storedExpression(kind: Comparable, column: string): string {
  switch (kind) {
    case 'date':
      return `to_json(${column})`;
    case 'instant':
      // exact microseconds; numeric since PostgreSQL 14, and 'Infinity' where it is infinite
      return `trunc(extract(epoch from ${column}) * 1000000)::text`;
    default:
      return `${column}::text`;
  }
}

/** @param value what {@link storedExpression} gave */
export function canonicalOfStored(kind: Comparable, value: string | null): Canonical {
  return value !== null && kind === 'decimal' ? canonicalDecimal(value) : value;
}

/**
 * The canonical form of a value that a query compares with, or `undefined` if what the database will make of it
 * cannot be told for certain.
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
    case 'uuid':
      return typeof value === 'string' && UUID.test(value) ? value.toLowerCase() : undefined;
    case 'text':
      return typeof value === 'string' ? wellFormed(value) : undefined;
    case 'padded':
      return typeof value === 'string' ? wellFormed(value).replace(/ +$/, '') : undefined;
    case 'date':
      return typeof value === 'string' && DATE.test(value) ? value : undefined;
    case 'instant':
      return canonicalInstant(value);
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const DATE = /^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$/;
const INTEGER = /^[+-]?\d{1,40}$/;
const DECIMAL = /^([+-]?)0*(\d*)(?:\.(\d*?)0*)?$/;
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
  return typeof text === 'string' && /\d/.test(text) && DECIMAL.test(text)
    ? canonicalDecimal(text)
    : undefined;
}

/** `-01.50` → `-1.5`, `0.00` → `0`; `NaN` and infinities stay what they are. */
function canonicalDecimal(text: string): string {
  const match = DECIMAL.exec(text);
  if (!match) {
    return text;
  }
  const digits = (match[2] || '0') + (match[3] ? `.${match[3]}` : '');
  return match[1] === '-' && digits !== '0' ? `-${digits}` : digits;
}

/**
 * A Date is sent as local time with an offset in whole minutes. Until 1972 there were time zones with odd seconds,
 * where the database is told another instant for it.
 */
const WHOLE_MINUTES_SINCE = Date.UTC(1973);

/** Microseconds since 1970. */
function canonicalInstant(value: unknown): string | undefined {
  if (value instanceof Date) {
    const ms = value.getTime();
    // NaN is not either
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
    return undefined; // the 30th of February: the database would refuse it
  }
  const offset = (Number(offsetHour) * 60 + Number(offsetMinute)) * (sign === '-' ? -1 : 1);
  return (BigInt(ms - offset * 60_000) * 1000n + BigInt(fraction.padEnd(6, '0'))).toString();
}

/** A lone surrogate reaches the database as U+FFFD. */
function wellFormed(text: string): string {
  return text.toWellFormed();
}
