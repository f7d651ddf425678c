import type { Dependency, TableDependencies } from '../values/scheme.js';
import type { Predicate } from './predicate.js';
import type { Expression } from './projection.js';

export interface Watch {
  /** index of the occurrence */
  readonly occurrence: number;
  /** over the scheme's `tests` */
  readonly predicate: Predicate;
  /** the source of the predicate */
  readonly expression: Expression;
  /** see `Occurrence.referenced` */
  readonly referenced: boolean;
  readonly joinedRows: readonly JoinedRow[];
  /** the columns of its key, if other table references join it by that */
  readonly key?: readonly string[];
}

/** A dependency, with the watches that decide whether a row delta matters. */
export interface WatchedDependency extends Dependency {
  /** one per occurrence; left out if its scheme tests nothing */
  readonly watches?: readonly Watch[];
}

export interface WatchedTable extends TableDependencies {
  readonly dependencies: readonly WatchedDependency[];
}

/**
 * For an occurrence that is joined to another: the row of the other, if it is joined by the whole key of that, or the rows.
 *
 * If the joined row fails the query's condition on it, the row is not in the result, whatever its own values are. A
 * row delta does not contain the joined row. But the database can return it, and its own deltas show whether it was
 * different since the entry was sealed.
 */
export interface JoinedRow {
  /** index of the joined row's occurrence */
  readonly occurrence: number;
  readonly table: string;
  readonly on: JoinedRowKey;
  /** it is joined by other columns than its key, so there may be none or several, and all must fail */
  readonly isMany: boolean;
  /** the query's condition on it; a joined row without a condition is not looked up */
  readonly expression: Expression;
  /** for `$or`: the condition holds for some values of the row itself, whatever the joined row is */
  readonly unless?: Alternative | undefined;
}

/** Another way for a row to satisfy a condition on its joined row. */
export interface Alternative {
  readonly expression: Expression;
  /** over the `tests` of the row's scheme */
  readonly predicate: Predicate;
}

/** Pairs of a column of the row, and the equal column of the joined row. */
export type JoinedRowKey = readonly (readonly [own: string, joined: string])[];
