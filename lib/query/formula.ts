import type { Canonical } from '../values/comparable.js';
import type { Test } from './test.js';

/**
 * A condition, as far as it is understood. Any other part is `anything`, which every row satisfies.
 *
 * The law of this room: a formula may be satisfied by more rows than its condition, never by fewer. A formula is
 * *exact* if it is satisfied by the same rows: it has no `anything` and no `wider`.
 */
export type Formula =
  | { readonly type: 'anything' }
  /** fixes a column to one of few values: narrows dependencies */
  | {
      readonly type: 'equals';
      readonly source: Source;
      readonly column: string;
      readonly values: readonly Canonical[];
    }
  /** can only be evaluated, against the values of a row */
  | { readonly type: 'test'; readonly source: Source; readonly column: string; readonly test: Test }
  | { readonly type: 'and' | 'or'; readonly parts: readonly Formula[] }
  /** omits a part of its condition, or occurs less often than the condition in the SQL */
  | { readonly type: 'wider'; readonly part: Formula };

/** One table reference of a query: the root, or a relation in the condition. */
export interface Source {
  readonly table: string;
  /** a condition on its rows does not exclude rows of other sources: it is that of `$none` or `$every` */
  readonly apart?: true;
}

/** A conjunction over several sources: the fixed columns of each. */
export type Conjunction = ReadonlyMap<Source, ReadonlyMap<string, Canonical>>;

export const ANYTHING: Formula = { type: 'anything' };

export function and(parts: readonly Formula[]): Formula {
  return parts.length === 1 ? parts[0]! : { type: 'and', parts };
}

export function or(parts: readonly Formula[]): Formula {
  return parts.length === 1 ? parts[0]! : { type: 'or', parts };
}

export function wider(part: Formula): Formula {
  return { type: 'wider', part };
}

/** The same formula with other leaves. */
export function mapped(formula: Formula, leaf: (leaf: Leaf) => Formula): Formula {
  switch (formula.type) {
    case 'equals':
    case 'test':
      return leaf(formula);
    case 'and':
    case 'or':
      return { type: formula.type, parts: formula.parts.map(part => mapped(part, leaf)) };
    case 'wider':
      return wider(mapped(formula.part, leaf));
    default:
      return formula;
  }
}

type Leaf = Extract<Formula, { type: 'equals' | 'test' }>;

/**
 * The disjunctive normal form of a formula's equalities.
 *
 * @param limit the maximum number of conjunctions; a factor that would exceed it is omitted (its conjunctions become
 *   wider), and a sum that exceeds it becomes one conjunction without conditions
 */
export function disjunctiveForm(formula: Formula, limit: number): Conjunction[] {
  switch (formula.type) {
    case 'anything':
    case 'test':
      return [EMPTY];
    case 'wider':
      return disjunctiveForm(formula.part, limit);
    case 'equals':
      return formula.values.length > limit
        ? [EMPTY]
        : formula.values.map(value => new Map([[formula.source, new Map([[formula.column, value]])]]));
    case 'or': {
      const sum = formula.parts.flatMap(part => disjunctiveForm(part, limit));
      return sum.length > limit ? [EMPTY] : sum;
    }
    case 'and': {
      // small factors first, so that the largest is omitted
      const factors = formula.parts
        .map(part => disjunctiveForm(part, limit))
        .sort((a, b) => a.length - b.length);
      return factors.reduce(
        (product, factor) =>
          product.length * factor.length > limit
            ? product
            : product.flatMap(a => factor.map(b => merge(a, b))),
        [EMPTY],
      );
    }
  }
}

const EMPTY: Conjunction = new Map();

/**
 * If two conditions fix a column to different values, the first is kept: no row satisfies both, so one is wide enough.
 */
function merge(a: Conjunction, b: Conjunction): Conjunction {
  if (a.size === 0 || b.size === 0) {
    return a.size === 0 ? b : a;
  }
  const merged = new Map(a);
  for (const [source, columns] of b) {
    merged.set(source, new Map([...columns, ...(a.get(source) ?? [])]));
  }
  return merged;
}
