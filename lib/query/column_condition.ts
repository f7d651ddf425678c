import { type Canonical, type Comparable, isArray } from '../values/comparable.js';
import { canonicalOfParameter, elementsOfParameter } from '../values/parameter.js';
import { ANYTHING, and, type Formula, or, type Source, wider } from './formula.js';
import { isPattern } from './like.js';
import { readRegex } from './regex.js';
import { type ArrayTest, type Comparison, NOT_NULL, negated, type Test } from './test.js';

/** Facts about columns, from the catalog. */
export interface ColumnFacts {
  /** `undefined` if the column's values cannot be compared */
  kindOf(table: string, column: string): Comparable | undefined;
  /** Is the order of its values known? */
  orderable(table: string, column: string): boolean;
  /** Is it known which characters LIKE sees in it? */
  matchable(table: string, column: string): boolean;
}

/** The context of a condition on columns. */
export interface ColumnContext {
  readonly source: Source;
  readonly negated: boolean;
  /** may the whole row be missing (an outer join)? Then NULL says nothing about the column */
  readonly optional: boolean;
}

/** Longer lists are not analysed. */
const MAX_TESTED = 5000;

/** Reads a condition on one column, or on several that are compared together. */
export class ColumnConditions {
  readonly #facts: ColumnFacts;
  readonly #maxIn: number;

  /** @param maxIn a list with more values than this does not narrow */
  constructor(facts: ColumnFacts, maxIn: number) {
    this.#facts = facts;
    this.#maxIn = maxIn;
  }

  read(columns: readonly string[], operator: PropertyKey, value: unknown, context: ColumnContext): Formula {
    switch (operator) {
      case '$eq':
        return this.#isOneOf(columns, [value], context, !context.negated);
      case '$ne':
        return this.#isOneOf(columns, [value], context, context.negated);
      case '$in':
        return Array.isArray(value) ? this.#isInList(columns, value, context, !context.negated) : ANYTHING;
      case '$nin':
        return Array.isArray(value) ? this.#isInList(columns, value, context, context.negated) : ANYTHING;
      case '$exists':
        return typeof value === 'boolean'
          ? this.#isOneOf(columns, [null], context, value === context.negated)
          : ANYTHING;
      default:
        return columns.length === 1 ? this.#test(columns[0]!, operator, value, context) : ANYTHING;
    }
  }

  #isInList(
    columns: readonly string[],
    values: readonly unknown[],
    context: ColumnContext,
    inside: boolean,
  ): Formula {
    if (values.length === 0) {
      // the ORM's SQL for an empty list does not contain the column
      return inside && !context.negated && columns.length === 1
        ? wider({ type: 'equals', source: context.source, column: columns[0]!, values: [] })
        : ANYTHING;
    }
    if (!values.includes(null)) {
      return this.#isOneOf(columns, values, context, inside);
    }
    // a list with NULL does not find rows with NULL
    return inside ? wider(this.#isOneOf(columns, values, context, true)) : ANYTHING;
  }

  /** @param inside must the value be in the list, or outside? */
  #isOneOf(
    columns: readonly string[],
    values: readonly unknown[],
    context: ColumnContext,
    inside: boolean,
  ): Formula {
    if (columns.length === 1) {
      return this.#column(columns[0]!, values, context, inside);
    }
    const tuples = values.map(value =>
      Array.isArray(value) ? value.flat(Number.POSITIVE_INFINITY) : [value],
    );
    if (!inside || tuples.length > this.#maxIn || tuples.some(tuple => tuple.length !== columns.length)) {
      return ANYTHING;
    }
    // each column is in the SQL only once
    return wider(
      or(
        tuples.map(tuple => and(columns.map((column, i) => this.#column(column, [tuple[i]], context, true)))),
      ),
    );
  }

  #column(column: string, values: readonly unknown[], context: ColumnContext, inside: boolean): Formula {
    const { source, optional } = context;
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

  #test(column: string, operator: PropertyKey, value: unknown, context: ColumnContext): Formula {
    const { source } = context;
    const kind = this.#facts.kindOf(source.table, column);
    const test = kind && this.#testOf(source.table, column, kind, operator, value);
    return test ? { type: 'test', source, column, test: context.negated ? negated(test) : test } : ANYTHING;
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
    if (operator === '$like' || operator === '$re') {
      const pattern = this.#facts.matchable(table, column) ? canonicalOfParameter('text', value) : undefined;
      return typeof pattern === 'string' ? patternTest(operator, pattern) : undefined;
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

function patternTest(operator: '$like' | '$re', pattern: string): Test | undefined {
  if (operator === '$like') {
    return isPattern(pattern) ? { type: 'like', pattern } : undefined;
  }
  const regex = readRegex(pattern);
  return regex && { type: '~', pattern, regex };
}

function isOnlyNull(values: ReadonlySet<unknown>): boolean {
  return values.size === 1 && values.has(null);
}
