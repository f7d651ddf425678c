import type { Canonical } from '../values/comparable.js';
import { storedColumn } from '../values/path.js';
import type { Formula, Source } from './formula.js';
import { passes, type Test } from './test.js';

/**
 * The part of a formula that single rows of one source decide. A row that fails it is part of no joined row that
 * satisfies the formula.
 */
export type Expression =
  | { readonly type: 'always' | 'never' }
  | { readonly type: 'in'; readonly column: string; readonly values: readonly Canonical[] }
  | { readonly type: 'test'; readonly column: string; readonly test: Test }
  | { readonly type: 'and' | 'or'; readonly parts: readonly Expression[] };

export interface Projection {
  readonly expression: Expression;
  /**
   * By column, how many references in the SQL's WHERE the expression covers *exactly*: references in conditions on
   * this source alone, joined to all others by AND.
   *
   * A row that satisfies the expression before and after a change satisfies all of these before and after. So if the
   * SQL has no other reference to a column, a change of that column matters only through the expression.
   */
  readonly exact: ReadonlyMap<string, number>;
}

/**
 * Conditions beyond these are omitted, because a predicate is evaluated for each row delta, and each delta contains
 * all tested values.
 */
const MAX_LEAVES = 40;
const MAX_COLUMNS = 8;
const MAX_VALUES = 10_000;

export const ALWAYS: Expression = { type: 'always' };
export const NEVER: Expression = { type: 'never' };

export function projectionOf(formula: Formula, source: Source): Projection {
  const parts: Expression[] = [];
  const exact = new Map<string, number>();
  const columns = new Set<string>();
  let leaves = 0;
  let values = 0;
  for (const factor of factorsOf(formula)) {
    const expression = projected(factor, source);
    const all = leavesOf(expression);
    const together = new Set([...columns, ...all.map(leaf => leaf.column)]);
    const size = all.reduce((sum, leaf) => sum + sizeOf(leaf), 0);
    if (leaves + all.length > MAX_LEAVES || together.size > MAX_COLUMNS || values + size > MAX_VALUES) {
      continue;
    }
    leaves += all.length;
    values += size;
    parts.push(expression);
    for (const { column } of all) {
      columns.add(column);
    }
    if (isExactAbout(factor, source)) {
      for (const leaf of all) {
        const column = storedColumn(leaf.column);
        exact.set(column, (exact.get(column) ?? 0) + 1);
      }
    }
  }
  return { expression: combined('and', parts), exact };
}

/** A condition that a row satisfies by the values of its joined row (`expression`), or by its own (`unless`). */
export interface JoinedCondition {
  readonly expression: Expression;
  readonly unless: Expression;
}

/**
 * The conditions that a joined row must satisfy, if the row itself does not satisfy `unless`. A part of an `or` that
 * neither of the two decides may hold for any rows, so that such an `or` is left out.
 */
export function joinedConditions(
  formula: Formula,
  own: Source | undefined,
  joined: Source,
): readonly JoinedCondition[] {
  const certain: Expression[] = [];
  const alternatives: JoinedCondition[] = [];
  for (const factor of factorsOf(formula)) {
    const expression = projected(factor, joined);
    if (expression.type !== 'always') {
      certain.push(expression);
      continue;
    }
    const [decided, others] = partition(
      operandsOf(factor),
      part => projected(part, joined).type !== 'always',
    );
    const unless = combined(
      'or',
      others.map(part => projected(part, own ?? NO_SOURCE)),
    );
    if (decided.length > 0 && unless.type !== 'always') {
      const parts = decided.map(part => projected(part, joined));
      alternatives.push({ expression: combined('or', parts), unless });
    }
  }
  const all = [{ expression: combined('and', certain), unless: NEVER }, ...alternatives];
  return all.filter(({ expression, unless }) => {
    const leaves = [...leavesOf(expression), ...leavesOf(unless)];
    return expression.type !== 'always' && leaves.length <= MAX_LEAVES;
  });
}

/** Of a row without conditions. */
const NO_SOURCE: Source = { table: '' };

/** The operands of OR. */
function operandsOf(formula: Formula): readonly Formula[] {
  return formula.type === 'wider'
    ? operandsOf(formula.part)
    : formula.type === 'or'
      ? formula.parts.flatMap(operandsOf)
      : [formula];
}

function partition<T>(items: readonly T[], belongs: (item: T) => boolean): readonly [T[], T[]] {
  return [items.filter(belongs), items.filter(item => !belongs(item))];
}

/** The expression for rows with these known values. */
export function given(expression: Expression, known: ReadonlyMap<string, Canonical>): Expression {
  switch (expression.type) {
    case 'in':
    case 'test': {
      const value = known.get(expression.column);
      return value === undefined ? expression : holds(expression, value) ? ALWAYS : NEVER;
    }
    case 'and':
    case 'or':
      return combined(
        expression.type,
        expression.parts.map(part => given(part, known)),
      );
    default:
      return expression;
  }
}

/** Does a row satisfy it whose columns are all NULL? */
export function holdsForNull(expression: Expression): boolean {
  const nothing = new Map(leavesOf(expression).map(({ column }) => [column, null]));
  return given(expression, nothing).type === 'always';
}

export type Leaf = Extract<Expression, { type: 'in' | 'test' }>;

export function holds(leaf: Leaf, value: Canonical): boolean {
  return leaf.type === 'in' ? leaf.values.includes(value) : passes(leaf.test, value);
}

export function leavesOf(expression: Expression): readonly Leaf[] {
  switch (expression.type) {
    case 'in':
    case 'test':
      return [expression];
    case 'and':
    case 'or':
      return expression.parts.flatMap(leavesOf);
    default:
      return [];
  }
}

/** The operands of AND. */
function factorsOf(formula: Formula): readonly Formula[] {
  return formula.type === 'and' ? formula.parts.flatMap(factorsOf) : [formula];
}

function projected(formula: Formula, source: Source): Expression {
  switch (formula.type) {
    case 'anything':
      return ALWAYS;
    case 'wider':
      return projected(formula.part, source);
    case 'equals':
      return formula.source === source
        ? { type: 'in', column: formula.column, values: formula.values }
        : ALWAYS;
    case 'test':
      return formula.source === source
        ? { type: 'test', column: formula.column, test: formula.test }
        : ALWAYS;
    case 'and':
    case 'or':
      return combined(
        formula.type,
        formula.parts.map(part => projected(part, source)),
      );
  }
}

/** Does it cover the condition completely, for this source only? */
function isExactAbout(formula: Formula, source: Source): boolean {
  switch (formula.type) {
    case 'equals':
    case 'test':
      return formula.source === source;
    case 'and':
    case 'or':
      return formula.parts.every(part => isExactAbout(part, source));
    default:
      return false;
  }
}

function combined(type: 'and' | 'or', parts: readonly Expression[]): Expression {
  const [neutral, absorbing] = type === 'and' ? [ALWAYS, NEVER] : [NEVER, ALWAYS];
  if (parts.some(part => part.type === absorbing.type)) {
    return absorbing;
  }
  const rest = parts.filter(part => part.type !== neutral.type);
  return rest.length === 0 ? neutral : rest.length === 1 ? rest[0]! : { type, parts: rest };
}

function sizeOf(leaf: Leaf): number {
  return leaf.type === 'in' ? leaf.values.length : sizeOfTest(leaf.test);
}

function sizeOfTest(test: Test): number {
  if (test.type === 'as') {
    return sizeOfTest(test.test);
  }
  return 'values' in test ? test.values.size : 'elements' in test ? test.elements.size : 1;
}
