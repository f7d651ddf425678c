/**
 * How the database compares a column, if JavaScript can decide the same comparison.
 *
 * Only columns of these kinds narrow a dependency or are tested. For any other type (citext, real, json, timestamps
 * without a time zone, text under a nondeterministic collation …) the dependency is wider, never wrong.
 */
export type Comparable =
  | 'boolean'
  | 'date'
  | 'decimal'
  | 'enum'
  | 'float'
  | 'instant'
  | 'integer'
  | 'padded'
  | 'text'
  | 'time'
  | 'uuid'
  | ArrayKind;

/** Arrays are not compared with each other, but their elements are compared. */
export type ArrayKind = 'booleans' | 'integers' | 'texts' | 'uuids';

/**
 * A value in canonical form: two values are equal in the database exactly if their canonical forms are the same
 * string. `null` is SQL's NULL.
 *
 * The form of an array is its elements as JSON, nested by dimension. It is not exact, because it does not contain the
 * lower bounds of the subscripts.
 */
export type Canonical = string | null;

/** A column's type according to PostgreSQL's catalog. */
export interface ColumnType {
  /** `pg_type.typname` */
  readonly name: string;
  /** `pg_type.typtype`: `b` base, `e` enum, `d` domain … */
  readonly category: string;
  /** false if equal strings may have different bytes */
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
  // not float4: `real = 0.1` compares doubles, but `real in (0.1)` single floats
  float8: 'float',
  date: 'date',
  time: 'time',
  timestamptz: 'instant',
  _bool: 'booleans',
  _int2: 'integers',
  _int4: 'integers',
  _int8: 'integers',
  _text: 'texts',
  _varchar: 'texts',
  _uuid: 'uuids',
};

const ELEMENTS: Readonly<Record<ArrayKind, Comparable>> = {
  booleans: 'boolean',
  integers: 'integer',
  texts: 'text',
  uuids: 'uuid',
};

export function comparableOf(type: ColumnType): Comparable | undefined {
  if (!type.deterministic) {
    return undefined;
  }
  if (type.category === 'e') {
    return 'enum';
  }
  return type.category === 'b' ? KINDS[type.name] : undefined;
}

export function isArray(kind: Comparable): kind is ArrayKind {
  return kind in ELEMENTS;
}

export function elementOf(kind: ArrayKind): Comparable {
  return ELEMENTS[kind];
}

/**
 * Are two stored values with the same canonical form identical, so that no result shows a difference? 1.5 and 1.50
 * are equal, but not identical.
 *
 * @param type the SQL type with its modifiers
 */
export function isIdentifying(kind: Comparable, type: string): boolean {
  switch (kind) {
    case 'decimal':
      return /^numeric\(/.test(type);
    case 'padded':
      return /^character\(/.test(type);
    case 'float': // 0 and -0
      return false;
    default:
      return !isArray(kind);
  }
}

/**
 * The SQL expression for a stored value in a form that depends on no session setting (DateStyle, TimeZone,
 * extra_float_digits …) and raises no error. {@link canonicalOfStored} reads it.
 */
export function storedExpression(kind: Comparable, column: string): string {
  switch (kind) {
    case 'date':
      return `to_json(${column})`;
    case 'instant':
    case 'time':
      // numeric since PostgreSQL 14: six decimals, or 'Infinity'
      return `extract(epoch from ${column})::text`;
    case 'float':
      return `encode(float8send(${column}), 'hex')`;
    case 'booleans':
    case 'integers':
    case 'texts':
    case 'uuids':
      return `to_json(${column})::text`;
    default:
      return `${column}::text`;
  }
}

/** @param value the result of {@link storedExpression} */
export function canonicalOfStored(kind: Comparable, value: string | null): Canonical {
  if (value === null) {
    return null;
  }
  switch (kind) {
    case 'decimal':
      return canonicalDecimal(value);
    case 'float':
      return canonicalFloat(Buffer.from(value, 'hex').readDoubleBE());
    case 'instant':
    case 'time':
      return microseconds(value);
    default:
      return value;
  }
}

const SECONDS = /^(-?\d+)\.(\d{6})$/;

function microseconds(seconds: string): string {
  const match = SECONDS.exec(seconds);
  return match ? BigInt(match[1]! + match[2]!).toString() : seconds;
}

const DECIMAL = /^([+-]?)0*(\d*)(?:\.(\d*?)0*)?$/;

/** `-01.50` → `-1.5`, `0.00` → `0`; `NaN` and infinities are unchanged. */
export function canonicalDecimal(text: string): string {
  const match = DECIMAL.exec(text);
  if (!match) {
    return text;
  }
  const digits = (match[2] || '0') + (match[3] ? `.${match[3]}` : '');
  return match[1] === '-' && digits !== '0' ? `-${digits}` : digits;
}

export function isDecimal(text: string): boolean {
  return /\d/.test(text) && DECIMAL.test(text);
}

/** The shortest digits of this number; -0 is 0, and NaN equals itself, as in the database. */
export function canonicalFloat(value: number): string {
  return String(value + 0);
}
