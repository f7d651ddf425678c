import type { Canonical } from './comparable.js';
import type { Dependency, Scheme } from './scheme.js';

const schemes = new Map<string, Scheme>();
/** Bounds the cache, because queries can name any number of paths within a column. */
const MAX_KNOWN = 10_000;

/**
 * The scheme that compares these columns.
 *
 * @param reads the columns whose change matters; left out: any change of a row
 * @param tests the columns whose old and new values readers need
 */
export function schemeOf(
  columns: readonly string[],
  reads?: readonly string[],
  tests: readonly string[] = [],
): Scheme {
  const compared = sorted(columns);
  const read = reads && sorted(reads);
  const tested = sorted(tests);
  // an escaped name contains neither mark; an empty list of columns read differs from no list
  const id =
    encodeColumns(compared) +
    (read ? `!${encodeColumns(read)}` : '') +
    (tested.length > 0 ? `?${encodeColumns(tested)}` : '');
  return remembered(id, () => ({
    columns: compared,
    ...(read && { reads: read }),
    ...(tested.length > 0 && { tests: tested }),
  }));
}

/**
 * The same scheme with the kinds of its columns, because only values of the same kind are comparable. Processes may
 * know different kinds while a column's type is being changed.
 */
export function schemeOfKinds(scheme: Scheme, kindOf: (column: string) => string | undefined): Scheme {
  const kinds = [...scheme.columns, ...(scheme.tests ?? [])].map(column => kindOf(column) ?? '');
  if (kinds.length === 0) {
    return scheme;
  }
  // an escaped name has no brackets
  const id = `${scheme.id}[${kinds.join(',')}]`;
  return remembered(id, () => ({ ...scheme, kinds }));
}

function remembered(id: string, fieldsOf: () => Omit<Scheme, 'id'>): Scheme {
  let scheme = schemes.get(id);
  if (!scheme) {
    if (schemes.size >= MAX_KNOWN) {
      schemes.clear();
    }
    scheme = { ...fieldsOf(), id };
    schemes.set(id, scheme);
  }
  return scheme;
}

function sorted(columns: readonly string[]): readonly string[] {
  return columns.length > 1 ? [...new Set(columns)].sort() : columns;
}

function encodeColumns(columns: readonly string[]): string {
  return columns.length === 1 ? escapePart(columns[0]!) : columns.map(escapePart).join(',');
}

/**
 * Encodes values in the order of their scheme's columns. The string is unique within the scheme. NULL is `!`, which
 * no escaped text contains.
 */
export function encodeValues(values: readonly Canonical[]): string {
  return values.map(value => (value === null ? '!' : escapePart(value))).join(',');
}

/** Decodes the result of {@link encodeValues} for at least one value. */
export function decodeValues(encoded: string): Canonical[] {
  return encoded
    .split(',')
    .map(part =>
      part === '!'
        ? null
        : part.replace(/%([\da-f]{4})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16))),
    );
}

/**
 * @param values by column; every column of the conjunction
 * @param reads see {@link schemeOf}
 * @param tests see {@link schemeOf}
 */
export function dependencyOf(
  values: ReadonlyMap<string, Canonical>,
  reads?: readonly string[],
  tests?: readonly string[],
): Dependency {
  const scheme = schemeOf([...values.keys()], reads, tests);
  return { scheme, values: encodeValues(scheme.columns.map(column => values.get(column)!)) };
}

/** Percent-encodes the punctuation of the encodings above and of store keys. */
function escapePart(text: string): string {
  return PLAIN.test(text)
    ? text
    : text.replace(SPECIAL, c => `%${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const PLAIN = /^[\w .@/+-]*$/;
// punctuation of the encodings and of keys, control characters
const SPECIAL = /[%,!:{}*?[\]\\\p{Cc}]/gu;
