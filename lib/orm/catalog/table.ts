import type { Routines } from '../../sql/routines.js';
import type { SessionEffects, TableName } from '../../sql/statement.js';
import type { Seal } from '../../store/store.js';
import type { Comparable } from '../../values/comparable.js';
import { pathOf } from '../../values/path.js';
import type { Definitions } from './definitions.js';

/** Runs one of the extension's own statements and returns its rows. */
export type Ask = (sql: string) => Promise<Record<string, any>[]>;

/** Lets work ask over one connection, which it holds until it ends. */
export type Connect = <T>(work: (ask: Ask) => Promise<T>) => Promise<T>;

/** A table as the database describes it. */
export interface Table {
  /** database identity, schema and name: the name of the table in stores */
  readonly fullName: string;
  /** `pg_class.oid` */
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** columns that JavaScript compares as the database does */
  readonly columns: readonly ComparableColumn[];
  readonly kinds: ReadonlyMap<string, Comparable>;
  /** comparable columns whose order in JavaScript is the database's */
  readonly orderable: ReadonlySet<string>;
  /** comparable columns in whose strings JavaScript sees the characters that LIKE does */
  readonly matchable: ReadonlySet<string>;
  /** types of all columns as SQL writes them */
  readonly types: ReadonlyMap<string, string>;
  /** the value of `columnsNow` for this table when the catalog was read */
  readonly columnsAs: string;
  /** generated columns of the table and of its descendants */
  readonly generated: readonly string[];
  /** the primary key's columns, if all are comparable; a descendant may have a row with the same key */
  readonly key: readonly string[] | undefined;
  /** the columns of each index that can find rows by them, in the order of the index; `null` is an expression */
  readonly indexed: readonly (readonly (string | null)[])[];
  /** an ordinary or partitioned table without rules and without a foreign partition: only writes to it change its rows */
  readonly plain: boolean;
  readonly partitioned: boolean;
  /** only REFRESH changes its rows */
  readonly materialized: boolean;
  /** no user-defined function is called for a value of its columns, by an operator or for the value's text */
  readonly settled: boolean;
  /** a column contains `time with time zone`: a value compared with it may take today's offset */
  readonly zoned: boolean;
  /** a column contains `time` */
  readonly ofDay: boolean;
  /** a writer may read its rows back: SELECT is granted, and there is no row-level security */
  readonly readable: boolean;
  readonly rowSecurity: boolean;
  /** why results that read it are not cached: its rows may change without a statement that is seen */
  readonly unfollowed: string | undefined;
  /** a writer may lock its rows: UPDATE is granted */
  readonly lockable: boolean;
  /** a trigger may change other columns than the statement sets */
  readonly rewritten: boolean;
  /** the table itself, and the tables that it is a partition or an inheritance child of */
  readonly ancestors: readonly string[];
  /** the table itself, and its partitions or inheritance children */
  readonly descendants: readonly string[];
  /** full names of all tables with a foreign key to it, whatever its action: TRUNCATE … CASCADE empties them */
  readonly referencedBy: readonly string[];
  /**
   * What else a change of its rows writes to: by triggers, rules, functions in expressions, and the tables behind a view;
   * also those of its descendants, whose rows are changed through it.
   */
  readonly triggers: readonly Trigger[];
  /** what {@link triggers} change in the settings of the session */
  readonly effects: SessionEffects | undefined;
  /** foreign keys whose action changes other tables when rows of this one are deleted */
  readonly onDelete: readonly ForeignKey[];
  /** foreign keys whose action changes other tables when the referenced columns of this one change */
  readonly onUpdate: readonly ForeignKey[];
  /** its own foreign keys that hold in every visible state: enforced, validated, not deferrable */
  readonly references: readonly Reference[];
}

export interface Reference {
  /** full name of the referenced table */
  readonly to: string;
  readonly columns: readonly (readonly [own: string, referenced: string])[];
}

export interface ComparableColumn {
  readonly name: string;
  readonly kind: Comparable;
}

export type TriggerEvent = 'insert' | 'update' | 'delete' | 'truncate';

export interface Trigger {
  readonly events: readonly TriggerEvent[];
  /** full names of the tables that it may write to */
  readonly reached: readonly string[];
}

export interface ForeignKey {
  /** full name of the referencing table */
  readonly from: string;
  /** the action deletes referencing rows (CASCADE), or only changes them (SET NULL, SET DEFAULT) */
  readonly deletes: boolean;
  /** columns of the referenced table */
  readonly referenced: readonly string[];
  readonly columns: readonly (readonly [from: string, referenced: string])[];
  /** every referencing row was checked when it was written, and its writer locked the referenced row until its end */
  readonly checked: boolean;
}

/**
 * The database's description of itself. It is asked because entity metadata may differ from it (a hand-written
 * migration, a citext column mapped as a string), which would mean stale reads.
 */
export interface Catalog {
  /** why it is empty and nothing is cached: the role lacks rights on the database's catalog */
  readonly obstacle?: string;
  /** identifies the database, however it is reached: cluster and database name */
  readonly database: string;
  /** the stamp of the definitions, leased before they were read; without it nothing may be stored by this catalog */
  readonly stamp?: Seal | undefined;
  readonly user: string;
  /** the search path without the schemas that PostgreSQL adds */
  readonly path: readonly string[];
  readonly readCommitted: boolean;
  /** the value of `DEFINITIONS` before anything else was read */
  readonly definitionsAs: string;
  /** the value of `EVENT_TRIGGERS` at that time */
  readonly eventTriggersAs: string;
  /** RETURNING also returns rows as they were before (`old.…`), since PostgreSQL 18 */
  readonly returnsOld: boolean;
  readonly tables: ReadonlyMap<string, Table>;
  /** the encoding is UTF8 */
  readonly unicode: boolean;
  /** the default collation sorts by code points */
  readonly sortsByCodePoints: boolean;
  /** functions, procedures and views, and what they may write to */
  readonly routines: Routines;
  /** full names of the tables that event triggers may write to when a DDL statement runs */
  readonly onDefinition: readonly string[];
  /** what event triggers change in the settings of the session when a DDL statement runs */
  readonly effectsOnDefinition: SessionEffects | undefined;
  /** some table has {@link Table.effects} */
  readonly configures: boolean;
  /** texts of functions, procedures and views, by name */
  readonly definitions: ReadonlyMap<string, string>;
  readonly defined: Definitions;
  /** names are looked up in other schemas before pg_catalog */
  readonly isShadowed: boolean;
  /** finds a table by its name in SQL */
  resolve(name: TableName): Table | undefined;
  /** all tables of that name, in any schema */
  named(name: string): readonly Table[];
}

/** The type of a column, or of a path within one; `undefined` if it is not comparable. */
export function kindIn(table: Table | undefined, name: string): Comparable | undefined {
  const path = pathOf(name);
  return path ? (table?.types.get(path.column) === 'jsonb' ? 'text' : undefined) : table?.kinds.get(name);
}

/** At most one: the path, if it is a path within a comparable column of the table. */
export function pathColumn(table: Table, name: string): ComparableColumn[] {
  const kind = pathOf(name) && kindIn(table, name);
  return kind ? [{ name, kind }] : [];
}
