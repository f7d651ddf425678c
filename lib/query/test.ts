import type { Canonical, Comparable } from '../values/comparable.js';
import { compareCanonical } from '../values/order.js';
import { type JsonScalar, readScalar } from './json_scalar.js';
import { matchesPattern } from './like.js';
import { matchesRegex, type Regex } from './regex.js';

/** What a condition asks of one column's value, if that is more than to be one of a few values. NULL passes none. */
export type Test =
  | { readonly type: 'one of'; readonly values: ReadonlySet<string> }
  | { readonly type: 'none of'; readonly values: ReadonlySet<string> }
  | { readonly type: Comparison; readonly kind: Comparable; readonly value: string }
  | { readonly type: 'like' | 'not like'; readonly pattern: string }
  | { readonly type: '~' | '!~'; readonly pattern: string; readonly regex: Regex }
  /**
   * Of a text that the database casts. What it would make of some texts is not known here: they pass every such test,
   * and its negation.
   */
  | { readonly type: 'as'; readonly kind: JsonScalar; readonly test: Test }
  | { readonly type: ArrayTest; readonly elements: ReadonlySet<string> };

export type Comparison = '<' | '<=' | '>' | '>=';

/**
 * How an array is compared with one that is given: `@>` contains all of it, `<@` is contained in it, `&&` has an
 * element in common.
 */
export type ArrayTest = '@>' | '<@' | '&&' | 'not @>' | 'not <@' | 'not &&';

export const NOT_NULL: Test = { type: 'none of', values: new Set() };

/** Passes exactly what is not NULL and does not pass the test. */
export function negated(test: Test): Test {
  switch (test.type) {
    case 'one of':
      return { type: 'none of', values: test.values };
    case 'none of':
      return { type: 'one of', values: test.values };
    case '<':
      return { ...test, type: '>=' };
    case '<=':
      return { ...test, type: '>' };
    case '>':
      return { ...test, type: '<=' };
    case '>=':
      return { ...test, type: '<' };
    case 'like':
      return { ...test, type: 'not like' };
    case 'not like':
      return { ...test, type: 'like' };
    case '~':
      return { ...test, type: '!~' };
    case '!~':
      return { ...test, type: '~' };
    case 'as':
      return { ...test, test: negated(test.test) };
    default:
      return {
        ...test,
        type: (test.type.startsWith('not') ? test.type.slice(4) : `not ${test.type}`) as ArrayTest,
      };
  }
}

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
    case '<@': // an element NULL equals none, so that an array that has one is contained in no other
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

/** Of an array's canonical form, whatever its dimensions. */
function elementsOf(canonical: string): ReadonlySet<unknown> {
  // numbers as they are written: they may have more digits than JavaScript's
  const quoted = canonical.replace(/"(?:[^"\\]|\\.)*"|-?\d+/g, part =>
    part.startsWith('"') ? part : `"${part}"`,
  );
  const elements = (JSON.parse(quoted) as unknown[]).flat(Number.POSITIVE_INFINITY);
  return new Set(elements.map(element => (element === null ? null : String(element))));
}
