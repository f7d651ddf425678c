import type { Canonical } from './comparable.js';
import type { Dependency, Scheme } from './scheme.js';

const schemes = new Map<string, Scheme>();
/** Paths within a column are as many as whoever asks thinks of. */
const MAX_KNOWN = 10_000;

/**
 * The scheme that compares these columns.
 *
 * @param reads the columns whose change matters; left out: any change of a row does
 * @param tests the columns of which readers want to see the old and the new values
 */
export function schemeOf(
  columns: readonly string[],
  reads?: readonly string[],
  tests: readonly string[] = [],
): Scheme {
  const compared = sorted(columns);
  const read = reads && sorted(reads);
  const tested = sorted(tests);
  // an escaped name has neither of these marks; no columns read is something else than any
  const id =
    encodeColumns(compared) +
    (read ? `!${encodeColumns(read)}` : '') +
    (tested.length > 0 ? `?${encodeColumns(tested)}` : '');
  let scheme = schemes.get(id);
  if (!scheme) {
    scheme = {
      id,
      columns: compared,
      ...(read && { reads: read }),
      ...(tested.length > 0 && { tests: tested }),
    };
    remember(scheme);
  }
  return scheme;
}

/**
 * The same scheme for columns of these kinds: values are only comparable with those of the same. Processes may differ in
 * what they know of a table, while its columns are given other types.
 */
export function schemeOfKinds(scheme: Scheme, kindOf: (column: string) => string | undefined): Scheme {
  const kinds = [...scheme.columns, ...(scheme.tests ?? [])].map(column => kindOf(column) ?? '');
  if (kinds.length === 0) {
    return scheme;
  }
  // an escaped name has no brackets
  const id = `${scheme.id}[${kinds.join(',')}]`;
  let known = schemes.get(id);
  if (!known) {
    known = { ...scheme, id, kinds };
    remember(known);
  }
  return known;
}

function remember(scheme: Scheme): void {
  if (schemes.size >= MAX_KNOWN) {
    schemes.clear();
  }
  schemes.set(scheme.id, scheme);
}

function sorted(columns: readonly string[]): readonly string[] {
  return columns.length > 1 ? [...new Set(columns)].sort() : columns;
}

function encodeColumns(columns: readonly string[]): string {
  return columns.length === 1 ? escapePart(columns[0]!) : columns.map(escapePart).join(',');
}

/**
 * Values in the order of their scheme's columns, as one string that no other values of the same scheme have.
 * NULL is `!`, which no escaped text contains.
 */
export function encodeValues(values: readonly Canonical[]): string {
  return values.map(value => (value === null ? '!' : escapePart(value))).join(',');
}

/** What {@link encodeValues} encoded, of at least one value. */
export function decodeValues(encoded: string): Canonical[] {
  return encoded
    .split(',')
    .map(part =>
      part === '!'
        ? null
        : part.replace(/%([\da-f]{4})/g, (_, code) => String.fromCharCode(Number.parseInt(code, 16))),
    );
}

/** @param values by column; every column of the conjunction */
export function dependencyOf(values: ReadonlyMap<string, Canonical>): Dependency {
  const scheme = schemeOf([...values.keys()]);
  return { scheme, values: encodeValues(scheme.columns.map(column => values.get(column)!)) };
}

/** Percent-encodes what the encodings above, and the keys of a store, use as punctuation. */
function escapePart(text: string): string {
  return PLAIN.test(text)
    ? text
    : text.replace(SPECIAL, c => `%${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

const PLAIN = /^[\w .@/+-]*$/;
// punctuation of the encodings and of keys, control characters
const SPECIAL = /[%,!:{}*?[\]\\\p{Cc}]/gu;
