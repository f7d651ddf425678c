/** The shape of a dependency: what it compares, and what of a change is of interest to those who have it. */
export interface Scheme {
  /** all of what follows, encoded (see `schemeOf`); `''` for the whole table, whatever changes */
  readonly id: string;
  /** compared by equality, sorted; none for the whole table */
  readonly columns: readonly string[];
  /** the columns whose change matters, sorted; left out: any change of a row does */
  readonly reads?: readonly string[];
  /** the columns of which readers want to see the old and the new values, sorted; left out: none */
  readonly tests?: readonly string[];
  /** how these columns and tests are compared, as its readers know them; left out: it goes without saying */
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
