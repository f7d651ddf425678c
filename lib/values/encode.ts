import type { Dependency, Scheme } from '../store/store.js';
import type { Canonical } from './comparable.js';

const schemes = new Map<string, Scheme>();

/** The scheme that compares these columns. One object a scheme, so that it can be a key. */
export function schemeOf(columns: readonly string[]): Scheme {
  const sorted = columns.length > 1 ? [...new Set(columns)].sort() : columns;
  const id = sorted.map(escapePart).join(',');
  let scheme = schemes.get(id);
  if (!scheme) {
    scheme = { id, columns: sorted };
    schemes.set(id, scheme);
  }
  return scheme;
}

/**
 * Values in the order of their scheme's columns, as one string that no other values of the same scheme have.
 * NULL is `!`, which no escaped text contains.
 */
export function encodeValues(values: readonly Canonical[]): string {
  return values.map(value => (value === null ? '!' : escapePart(value))).join(',');
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
