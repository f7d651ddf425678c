import type { Dependency, TableDependencies } from '../values/scheme.js';
import type { Predicate } from './predicate.js';
import type { Expression } from './view.js';

export interface Watch {
  /** index of the occurrence */
  readonly occurrence: number;
  /** over the scheme's `tests` */
  readonly predicate: Predicate;
  /** what it is made of */
  readonly expression: Expression;
  /** see `Occurrence.referenced`; only where the scheme compares no columns: moves would look the same */
  readonly referenced: boolean;
  readonly joinedRows: readonly JoinedRow[];
  /** the columns of its key, where its rows are joined rows of others */
  readonly key?: readonly string[];
}

/** A dependency, and how to judge the steps that come to it. */
export interface WatchedDependency extends Dependency {
  /** one an occurrence; left out if its scheme tests nothing */
  readonly watches?: readonly Watch[];
}

export interface WatchedTable extends TableDependencies {
  readonly dependencies: readonly WatchedDependency[];
}

/**
 * Of an occurrence whose rows are each joined to one row at most, by that row's whole key: the other row.
 *
 * A row whose joined row does not satisfy what the query asks of it takes part in nothing, whatever it is itself. A step
 * does not tell of that. But the database can be asked what the joined row is, and the joined row's own steps tell whether it
 * was something else since the entry was sealed.
 */
export interface JoinedRow {
  /** index of the joined row's occurrence */
  readonly occurrence: number;
  readonly table: string;
  readonly on: JoinedRowKey;
  /** what the query asks of it; a joined row of which it asks nothing is not worth knowing */
  readonly expression: Expression;
}

/** Pairs of a column of the row, and the column of the joined row's key that it is equal to. */
export type JoinedRowKey = readonly (readonly [own: string, key: string])[];
