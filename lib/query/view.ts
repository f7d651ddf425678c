import type { Canonical } from '../values/comparable.js';
import { storedColumn } from '../values/path.js';
import type { Formula, Source } from './formula.js';
import { passes, type Test } from './test.js';

/**
 * What a formula says of the rows of one source, as far as they can be judged by themselves. A row that does not
 * satisfy it takes part in nothing that satisfies the formula.
 */
export type Expression =
  | { readonly type: 'always' | 'never' }
  | { readonly type: 'in'; readonly column: string; readonly values: readonly Canonical[] }
  | { readonly type: 'test'; readonly column: string; readonly test: Test }
  | { readonly type: 'and' | 'or'; readonly parts: readonly Expression[] };

export interface View {
  readonly expression: Expression;
  /**
   * By column, how many mentions in the SQL's WHERE the expression stands for *exactly*: of conditions which say
   * something of this source alone, and are joined to everything else by AND.
   *
   * A row that satisfies the expression before and after a change satisfies all of these before and after it. So if
   * that is all that the SQL has of a column, a change of the column does no more than the expression tells.
   */
  readonly exact: ReadonlyMap<string, number>;
}

/** Beyond these a condition is left out. A predicate is evaluated for each step, and each step has all tested values. */
const MAX_LEAVES = 40;
const MAX_COLUMNS = 8;
const MAX_VALUES = 10_000;

export const ALWAYS: Expression = { type: 'always' };
export const NEVER: Expression = { type: 'never' };

export function viewOf(formula: Formula, source: Source): View {
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
  return { expression: conjunction(parts), exact };
}

/** The expression where some columns are known to have these values. */
export function given(expression: Expression, known: ReadonlyMap<string, Canonical>): Expression {
  switch (expression.type) {
    case 'in':
    case 'test': {
      const value = known.get(expression.column);
      return value === undefined ? expression : holds(expression, value) ? ALWAYS : NEVER;
    }
    case 'and':
      return conjunction(expression.parts.map(part => given(part, known)));
    case 'or':
      return disjunction(expression.parts.map(part => given(part, known)));
    default:
      return expression;
  }
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

/** What is joined by AND. */
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
      return conjunction(formula.parts.map(part => projected(part, source)));
    case 'or':
      return disjunction(formula.parts.map(part => projected(part, source)));
  }
}

/** Is it known completely, and about nothing else? */
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

function conjunction(parts: readonly Expression[]): Expression {
  if (parts.some(part => part.type === 'never')) {
    return NEVER;
  }
  const rest = parts.filter(part => part.type !== 'always');
  return rest.length === 0 ? ALWAYS : rest.length === 1 ? rest[0]! : { type: 'and', parts: rest };
}

function disjunction(parts: readonly Expression[]): Expression {
  if (parts.some(part => part.type === 'always')) {
    return ALWAYS;
  }
  const rest = parts.filter(part => part.type !== 'never');
  return rest.length === 0 ? NEVER : rest.length === 1 ? rest[0]! : { type: 'or', parts: rest };
}

function sizeOf(leaf: Leaf): number {
  if (leaf.type === 'in') {
    return leaf.values.length;
  }
  return sizeOfTest(leaf.test);
}

function sizeOfTest(test: Test): number {
  if (test.type === 'as') {
    return sizeOfTest(test.test);
  }
  return 'values' in test ? test.values.size : 'elements' in test ? test.elements.size : 1;
}
