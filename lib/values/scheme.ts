/** Stands for all columns of a table, except the system columns, among the columns that a query reads. */
export const ALL_COLUMNS = '*';

/** The shape of a dependency: the columns that it compares, and the changes that matter to its readers. */
export interface Scheme {
  /** all other fields, encoded (see `schemeOf`); `''` for any change of the whole table */
  readonly id: string;
  /** compared by equality, sorted; none for the whole table */
  readonly columns: readonly string[];
  /** the columns whose change matters, sorted; left out: any change of a row */
  readonly reads?: readonly string[];
  /** the columns whose old and new values readers need, sorted; left out: none */
  readonly tests?: readonly string[];
  /** how the reader compares `columns` and `tests`; left out if every process derives the same kinds */
  readonly kinds?: readonly string[];
}

/** A conjunction of equalities with its values: `category = 7 and status = 'published'`. */
export interface Dependency {
  readonly scheme: Scheme;
  /** the values in the order of the scheme's columns, encoded (see `encodeValues`); `''` for the whole table */
  readonly values: string;
}

export interface TableDependencies {
  /** full name: database identity, schema and table */
  readonly table: string;
  /** at least one; the dependency on the whole table has no columns and no values */
  readonly dependencies: readonly Dependency[];
}

/** The scheme without columns: the dependency on a whole table. */
export const WHOLE_TABLE: Scheme = { id: '', columns: [] };
