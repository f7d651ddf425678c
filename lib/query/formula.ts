import type { Canonical } from '../values/comparable.js';
import type { Test } from './test.js';

/**
 * A condition as far as it is understood: what is not is `anything`, which every row satisfies.
 *
 * The one law of this room: a formula may be satisfied by more rows than the condition it stands for, never by
 * fewer. Where it is satisfied by just the same ones it is *exact*: it has no `anything` in it, and nothing `wider`.
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
  /** can only be evaluated, against the values that a row has */
  | { readonly type: 'test'; readonly source: Source; readonly column: string; readonly test: Test }
  | { readonly type: 'and' | 'or'; readonly parts: readonly Formula[] }
  /** a part of what it stands for is not in it, or not as often as it is in the SQL */
  | { readonly type: 'wider'; readonly part: Formula };

/** One occurrence of a table in a query: the root, or one relation that the condition goes through. */
export interface Source {
  readonly table: string;
}

/** A conjunction over several sources: for each of them the columns that are fixed. */
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

/** The same, with other leaves. */
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
 * The disjunctive normal form of what a formula says by equality.
 *
 * @param limit the most conjunctions that may come of it; a factor that would exceed it is left out (which widens
 *   the conjunctions that it would have narrowed), and a sum that exceeds it is one conjunction without conditions
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
      // small factors first: if one has to be left out, it should be the largest
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
 * Where two conditions fix one column to different values, the first is kept: no row satisfies both, and one is
 * wide enough.
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
