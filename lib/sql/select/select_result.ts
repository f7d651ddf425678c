import type { TableName } from '../statement.js';

export interface ColumnName {
  readonly alias: string;
  readonly column: string;
}

/** One table reference of a SELECT, with the columns of it that the text mentions. */
export interface SelectTable extends TableName {
  /** the alias, which several table references may share */
  readonly alias: string;
  /** its position in the FROM of the outermost SELECT; left out: elsewhere, or not understood */
  readonly place?: 'first' | Join;
  /**
   * For a table in a subquery `a.id in (select a.id from t as a …)` of the outermost WHERE, as `$some` and `$none` make:
   * this column. If it is the key of the outer table `a`, both table references have the same row.
   */
  readonly again?: string;
  /** how it is joined in such a subquery */
  readonly within?: Join;
  /** it is in a subquery */
  readonly inner?: true;
  /** columns mentioned anywhere but in the WHERE of the outermost SELECT, or {@link ALL_COLUMNS}; `undefined`: any */
  readonly reads: ReadonlySet<string> | undefined;
  /** the subset of `reads` that is also mentioned outside the list of the outermost SELECT; `undefined`: any */
  readonly outsideList: ReadonlySet<string> | undefined;
  /** columns mentioned in that WHERE, without its subqueries, and how often */
  readonly where: ReadonlyMap<string, number>;
}

/** A table that is joined by equality of columns, and perhaps by conditions on its own columns. */
export interface Join {
  readonly kind: 'inner' | 'left';
  /** never empty */
  readonly on: readonly (ColumnName & { readonly own: string })[];
  /** the join has conditions on its own columns besides, such as a discriminator or a filter */
  readonly filtered: boolean;
}

/** What a SELECT reads, according to its text. */
export interface Select {
  /** every table reference, also in subqueries; includes names of common table expressions */
  readonly tables: readonly SelectTable[];
  /** Does the outermost SELECT have LIMIT or OFFSET, and possibly several rows? */
  readonly limited: boolean;
  /** Is each of its rows one row of its FROM: no DISTINCT, GROUP BY, HAVING, UNION, WITH? */
  readonly plain: boolean;
  /** Are its rows made of rows of one FROM and WHERE: no UNION, no WITH? */
  readonly single: boolean;
  /** Does it contain another SELECT? */
  readonly nested: boolean;
  /** the aliases that subqueries mention */
  readonly inSubqueries: ReadonlySet<string>;
  /**
   * Does anything except its own LIMIT depend on the order of rows: DISTINCT ON, an aggregate that lists rows, a window
   * function of neighbours, LIMIT in a subquery?
   */
  readonly ordinal: boolean;
  /** Does it have a window function? */
  readonly windowed: boolean;
  /** its ORDER BY, as far as it is understood */
  readonly order: readonly OrderColumn[];
  /** Is that all of its ORDER BY? */
  readonly orderKnown: boolean;
  /** Does it contain SQL whose tables the user declared? Then this result is incomplete. */
  readonly opaque: boolean;
  readonly evaluation: Evaluation;
  /** by each name before a dot, the names after the dot: if the name is an alias, columns of its table */
  readonly qualified: ReadonlyMap<string, ReadonlySet<string>>;
}

export interface OrderColumn extends ColumnName {
  readonly desc: boolean;
  readonly nullsFirst: boolean;
}

export type Unanalysable = { readonly reason: string };

/**
 * The functions, operators, types and columns that the text of a query names. Whether these give the same result as
 * long as the tables are unchanged is answered by the catalog.
 */
export interface Evaluation {
  /** names before a parenthesis, without keywords that call nothing */
  readonly calls: ReadonlySet<string>;
  /** keywords before a parenthesis: the database may have functions with these names */
  readonly keywords: ReadonlySet<string>;
  readonly operators: ReadonlySet<string>;
  /** Does it have a cast, or a constant with a named type? */
  readonly casts: boolean;
  /** names of the types of its casts, without `CAST_TARGETS` */
  readonly types: ReadonlySet<string>;
  /** columns that are cast to a date/time type: if they are text, the cast may read the clock */
  readonly timed: readonly ColumnName[];
  /** columns that are compared with a constant for which a date/time type would read the clock */
  readonly clocked: readonly ColumnName[];
  /** operands of AT TIME ZONE, because a time of day takes today's offset */
  readonly inZone: readonly (ColumnName | 'any')[];
  /** May something be cast to a time of day? */
  readonly ofDay: boolean;
  /** columns that are part of an expression, not an item of a list by themselves */
  readonly composed: readonly ColumnName[];
  /** single words that are no known keywords, and so must be columns or aliases */
  readonly bare: ReadonlySet<string>;
  /** names that the query defines: aliases of FROM items and of expressions */
  readonly given: ReadonlySet<string>;
  /**
   * The subset of `given` that names something in parentheses (a subquery, but also an expression) or a table with
   * renamed columns: a name after it and a dot may not be a column of the table with that name.
   */
  readonly derived: ReadonlySet<string>;
  /** Does it have WITH? Then a table name may be one that it defines. */
  readonly hasWith: boolean;
  /** why it is not known what is evaluated */
  readonly obstacle: string | undefined;
}
