import type { Canonical } from '../values/comparable.js';
import { type Expression, holds, leavesOf } from './projection.js';

/** Decides from the values that a scheme tests whether a row may be part of a query's result. */
export interface Predicate {
  /** @param values of the scheme's `tests`, in their order */
  matches(values: readonly Canonical[]): boolean;
}

/** The columns that an expression reads. */
export function columnsOf(expression: Expression): ReadonlySet<string> {
  return new Set(leavesOf(expression).map(leaf => leaf.column));
}

/** @param tests columns, including all that the expression reads */
export function compile(expression: Expression, tests: readonly string[]): Predicate {
  return { matches: compiled(expression, new Map(tests.map((column, i) => [column, i]))) };
}

type Matches = (values: readonly Canonical[]) => boolean;

function compiled(expression: Expression, positions: ReadonlyMap<string, number>): Matches {
  switch (expression.type) {
    case 'always':
      return () => true;
    case 'never':
      return () => false;
    case 'and': {
      const parts = expression.parts.map(part => compiled(part, positions));
      return values => parts.every(matches => matches(values));
    }
    case 'or': {
      const parts = expression.parts.map(part => compiled(part, positions));
      return values => parts.some(matches => matches(values));
    }
    default: {
      const position = positions.get(expression.column)!;
      return values => holds(expression, values[position]!);
    }
  }
}
