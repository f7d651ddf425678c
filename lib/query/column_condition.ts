import { type Canonical, type Comparable, isArray } from '../values/comparable.js';
import { canonicalOfParameter, elementsOfParameter } from '../values/parameter.js';
import { ANYTHING, and, type Formula, or, type Source, wider } from './formula.js';
import { isPattern } from './like.js';
import { readRegex } from './regex.js';
import { type ArrayTest, type Comparison, NOT_NULL, negated, type Test } from './test.js';

/** What is known of columns. */
export interface ColumnFacts {
  /** `undefined` if nothing can be told of the column's values */
  kindOf(table: string, column: string): Comparable | undefined;
  /** Is the order of its values known? */
  orderable(table: string, column: string): boolean;
  /** Is it known which characters LIKE sees in it? */
  matchable(table: string, column: string): boolean;
}

/** Where a condition on columns stands. */
export interface ColumnPlace {
  readonly source: Source;
  readonly negated: boolean;
  /** may the whole row be missing (an outer join), so that NULL tells nothing of it? */
  readonly optional: boolean;
}

/** A longer list is not looked at. */
const MAX_TESTED = 5000;

/** Reads what a WHERE says of one column, or of several that are compared together. */
export class ColumnConditions {
  readonly #facts: ColumnFacts;
  readonly #maxIn: number;

  /** @param maxIn a list with more values than this does not narrow */
  constructor(facts: ColumnFacts, maxIn: number) {
    this.#facts = facts;
    this.#maxIn = maxIn;
  }

  read(columns: readonly string[], operator: PropertyKey, value: unknown, place: ColumnPlace): Formula {
    switch (operator) {
      case '$eq':
        return this.#isOneOf(columns, [value], place, !place.negated);
      case '$ne':
        return this.#isOneOf(columns, [value], place, place.negated);
      case '$in':
        return Array.isArray(value) ? this.#isInList(columns, value, place, !place.negated) : ANYTHING;
      case '$nin':
        return Array.isArray(value) ? this.#isInList(columns, value, place, place.negated) : ANYTHING;
      case '$exists':
        return typeof value === 'boolean'
          ? this.#isOneOf(columns, [null], place, value === place.negated)
          : ANYTHING;
      default:
        return columns.length === 1 ? this.#test(columns[0]!, operator, value, place) : ANYTHING;
    }
  }

  #isInList(
    columns: readonly string[],
    values: readonly unknown[],
    place: ColumnPlace,
    inside: boolean,
  ): Formula {
    if (values.length === 0) {
      // the column does not stand in what is made of it
      return inside && !place.negated && columns.length === 1
        ? wider({ type: 'equals', source: place.source, column: columns[0]!, values: [] })
        : ANYTHING;
    }
    if (!values.includes(null)) {
      return this.#isOneOf(columns, values, place, inside);
    }
    // a list with NULL in it is no condition that has NULL among its values
    return inside ? wider(this.#isOneOf(columns, values, place, true)) : ANYTHING;
  }

  /** @param inside must it be one of these, or none? */
  #isOneOf(
    columns: readonly string[],
    values: readonly unknown[],
    place: ColumnPlace,
    inside: boolean,
  ): Formula {
    if (columns.length === 1) {
      return this.#column(columns[0]!, values, place, inside);
    }
    const tuples = values.map(value =>
      Array.isArray(value) ? value.flat(Number.POSITIVE_INFINITY) : [value],
    );
    if (!inside || tuples.length > this.#maxIn || tuples.some(tuple => tuple.length !== columns.length)) {
      return ANYTHING;
    }
    // each column stands in the SQL but once
    return wider(
      or(tuples.map(tuple => and(columns.map((column, i) => this.#column(column, [tuple[i]], place, true))))),
    );
  }

  #column(column: string, values: readonly unknown[], place: ColumnPlace, inside: boolean): Formula {
    const { source, optional } = place;
    const kind = this.#facts.kindOf(source.table, column);
    if (!kind || values.length > MAX_TESTED) {
      return ANYTHING;
    }
    const canonical = new Set<Canonical | undefined>(values.map(value => canonicalOfParameter(kind, value)));
    if (canonical.has(undefined) || (isArray(kind) && !isOnlyNull(canonical))) {
      return ANYTHING;
    }
    if (canonical.has(null)) {
      return inside
        ? optional || isArray(kind)
          ? ANYTHING
          : { type: 'equals', source, column, values: [...canonical] as Canonical[] }
        : isOnlyNull(canonical)
          ? { type: 'test', source, column, test: NOT_NULL }
          : ANYTHING;
    }
    const known = canonical as ReadonlySet<string>;
    return inside && known.size <= this.#maxIn
      ? { type: 'equals', source, column, values: [...known] }
      : { type: 'test', source, column, test: { type: inside ? 'one of' : 'none of', values: known } };
  }

  #test(column: string, operator: PropertyKey, value: unknown, place: ColumnPlace): Formula {
    const { source } = place;
    const kind = this.#facts.kindOf(source.table, column);
    const test = kind && this.#testOf(source.table, column, kind, operator, value);
    return test ? { type: 'test', source, column, test: place.negated ? negated(test) : test } : ANYTHING;
  }

  #testOf(
    table: string,
    column: string,
    kind: Comparable,
    operator: PropertyKey,
    value: unknown,
  ): Test | undefined {
    const comparison = COMPARISONS.get(operator);
    if (comparison) {
      const canonical = this.#facts.orderable(table, column) ? canonicalOfParameter(kind, value) : undefined;
      return typeof canonical === 'string' ? { type: comparison, kind, value: canonical } : undefined;
    }
    if (operator === '$like') {
      const pattern = this.#facts.matchable(table, column) ? canonicalOfParameter('text', value) : undefined;
      return typeof pattern === 'string' && isPattern(pattern) ? { type: 'like', pattern } : undefined;
    }
    if (operator === '$re') {
      const pattern = this.#facts.matchable(table, column) ? canonicalOfParameter('text', value) : undefined;
      const regex = typeof pattern === 'string' ? readRegex(pattern) : undefined;
      return regex && { type: '~', pattern: pattern as string, regex };
    }
    const comparesArrays = ARRAY_TESTS.get(operator);
    const elements = comparesArrays && isArray(kind) ? elementsOfParameter(kind, value) : undefined;
    return elements && elements.length <= MAX_TESTED
      ? { type: comparesArrays!, elements: new Set(elements) }
      : undefined;
  }
}

const COMPARISONS: ReadonlyMap<PropertyKey, Comparison> = new Map([
  ['$gt', '>'],
  ['$gte', '>='],
  ['$lt', '<'],
  ['$lte', '<='],
]);

const ARRAY_TESTS: ReadonlyMap<PropertyKey, ArrayTest> = new Map([
  ['$contains', '@>'],
  ['$contained', '<@'],
  ['$overlap', '&&'],
]);

function isOnlyNull(values: ReadonlySet<unknown>): boolean {
  return values.size === 1 && values.has(null);
}
