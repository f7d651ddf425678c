import type { Canonical, Comparable } from '../values/comparable.js';
import { compareCanonical } from '../values/order.js';
import { type JsonScalar, readScalar } from './json_scalar.js';
import { matchesPattern } from './like.js';
import { matchesRegex, type Regex } from './regex.js';

/** A condition on the value of one column, other than equality with few values. NULL satisfies none. */
export type Test =
  | { readonly type: 'one of'; readonly values: ReadonlySet<string> }
  | { readonly type: 'none of'; readonly values: ReadonlySet<string> }
  | { readonly type: Comparison; readonly kind: Comparable; readonly value: string }
  | { readonly type: 'like' | 'not like'; readonly pattern: string }
  | { readonly type: '~' | '!~'; readonly pattern: string; readonly regex: Regex }
  /** On a text that the database casts. A text with an unknown cast passes the test and its negation. */
  | { readonly type: 'as'; readonly kind: JsonScalar; readonly test: Test }
  | { readonly type: ArrayTest; readonly elements: ReadonlySet<string> };

export type Comparison = '<' | '<=' | '>' | '>=';

/**
 * Compares a stored array with a given one: `@>` contains it, `<@` is contained in it, `&&` has an element in common.
 */
export type ArrayTest = '@>' | '<@' | '&&' | 'not @>' | 'not <@' | 'not &&';

export const NOT_NULL: Test = { type: 'none of', values: new Set() };

/** Passes exactly the non-NULL values that fail the test. */
export function negated(test: Test): Test {
  return test.type === 'as'
    ? { ...test, test: negated(test.test) }
    : ({ ...test, type: NEGATED[test.type] } as Test);
}

const NEGATED: Readonly<Record<Exclude<Test['type'], 'as'>, Test['type']>> = {
  'one of': 'none of',
  'none of': 'one of',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
  like: 'not like',
  'not like': 'like',
  '~': '!~',
  '!~': '~',
  '@>': 'not @>',
  'not @>': '@>',
  '<@': 'not <@',
  'not <@': '<@',
  '&&': 'not &&',
  'not &&': '&&',
};

export function passes(test: Test, value: Canonical): boolean {
  if (value === null) {
    return false;
  }
  switch (test.type) {
    case 'one of':
      return test.values.has(value);
    case 'none of':
      return !test.values.has(value);
    case '<':
      return compareCanonical(test.kind, value, test.value) < 0;
    case '<=':
      return compareCanonical(test.kind, value, test.value) <= 0;
    case '>':
      return compareCanonical(test.kind, value, test.value) > 0;
    case '>=':
      return compareCanonical(test.kind, value, test.value) >= 0;
    case 'like':
      return matchesPattern(test.pattern, value);
    case 'not like':
      return !matchesPattern(test.pattern, value);
    case '~':
      return matchesRegex(test.regex, value);
    case '!~':
      return !matchesRegex(test.regex, value);
    case 'as': {
      const scalar = readScalar(test.kind, value);
      return scalar === undefined || passes(test.test, scalar);
    }
    default:
      return passesArray(test.type, elementsOf(value), test.elements);
  }
}

function passesArray(type: ArrayTest, stored: ReadonlySet<unknown>, given: ReadonlySet<unknown>): boolean {
  switch (type) {
    case '@>':
      return includesAll(stored, given);
    case 'not @>':
      return !includesAll(stored, given);
    case '<@': // a NULL element equals nothing, so an array with one is contained in no other
      return includesAll(given, stored);
    case 'not <@':
      return !includesAll(given, stored);
    case '&&':
      return includesSome(stored, given);
    case 'not &&':
      return !includesSome(stored, given);
  }
}

function includesAll(all: ReadonlySet<unknown>, some: ReadonlySet<unknown>): boolean {
  return [...some].every(element => all.has(element));
}

function includesSome(stored: ReadonlySet<unknown>, given: ReadonlySet<unknown>): boolean {
  return [...given].some(element => stored.has(element));
}

/** The elements in an array's canonical form, of all dimensions. */
function elementsOf(canonical: string): ReadonlySet<unknown> {
  // as strings, because they may have more digits than JavaScript's numbers
  const quoted = canonical.replace(/"(?:[^"\\]|\\.)*"|-?\d+/g, part =>
    part.startsWith('"') ? part : `"${part}"`,
  );
  const elements = (JSON.parse(quoted) as unknown[]).flat(Number.POSITIVE_INFINITY);
  return new Set(elements.map(element => (element === null ? null : String(element))));
}
