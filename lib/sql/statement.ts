/**
 * The effect of one SQL text. A statement that is not fully understood is an {@link Other}, which is never wrong,
 * only less precise.
 *
 * Effects of functions, triggers, rules and foreign keys are not part of a statement's text.
 */
export type Statement = Read | Insert | Update | Delete | Truncate | Transaction | SessionStatement | Other;

/** Changes no table: a plain query (locking or not), SHOW, EXPLAIN without execution, a cursor … */
export interface Read {
  readonly kind: 'read';
  /** the effects of its calls of `set_config` on the session, if it has any */
  readonly effects: SessionEffects | undefined;
  /** it only changes settings, and only until the end of the transaction */
  readonly onlyConfigures?: true;
}

/** The common part of INSERT, UPDATE and DELETE of one named table. */
export interface RowStatement {
  readonly sql: string;
  readonly table: TableName;
  readonly alias: string | undefined;
  /** the table as written, with its alias */
  readonly target: Range;
  /** the RETURNING list, without the keyword */
  readonly returning: Range | undefined;
  /** offset behind the last token that is not a semicolon, where clauses can be appended */
  readonly end: number;
}

export interface Insert extends RowStatement {
  readonly kind: 'insert';
  /** `undefined` if it names none: then all columns, or the first ones */
  readonly columns: readonly string[] | undefined;
  /** OVERRIDING SYSTEM VALUE or USER VALUE */
  readonly overriding: boolean;
  readonly source: InsertSource;
  readonly conflict: Conflict;
}

export type InsertSource =
  /** the values of each row, in the order of the columns */
  | { readonly kind: 'values'; readonly rows: readonly (readonly Range[])[] }
  | { readonly kind: 'default values' | 'query' };

export type Conflict =
  | { readonly kind: 'none' | 'nothing' }
  | {
      readonly kind: 'update';
      /** ON CONFLICT (…) if it is a plain list of columns: no constraint, no condition */
      readonly columns: readonly string[] | undefined;
      /** the columns that are set */
      readonly set: readonly string[];
    };

export interface Update extends RowStatement {
  readonly kind: 'update';
  /** the columns that are set, also if only an element or a field is */
  readonly set: readonly string[];
  /** whether it has FROM */
  readonly from: boolean;
  /** the condition, without the keyword */
  readonly where: Range | undefined;
}

export interface Delete extends RowStatement {
  readonly kind: 'delete';
  /** whether it has USING */
  readonly from: boolean;
  readonly where: Range | undefined;
}

export interface Truncate {
  readonly kind: 'truncate';
  readonly tables: readonly TableName[];
  readonly cascade: boolean;
}

export interface Transaction {
  readonly kind: 'transaction';
  readonly command:
    | 'begin'
    | 'commit'
    | 'rollback'
    | 'savepoint'
    | 'release'
    | 'rollback to'
    | 'prepare'
    | 'commit prepared'
    | 'rollback prepared';
  /** the name of the savepoint */
  readonly name: string | undefined;
  readonly isolation: IsolationLevel | undefined;
  /** AND CHAIN: a transaction with the same modes begins at once */
  readonly chain: boolean;
}

export type IsolationLevel = 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable';

/** SET, RESET and DISCARD. */
export interface SessionStatement {
  readonly kind: 'session';
  readonly effects: SessionEffects;
  /** the isolation level that SET TRANSACTION gives the current transaction */
  readonly isolation: IsolationLevel | undefined;
}

/** The session state that a statement changes, or may change. */
export interface SessionEffects {
  /** role, session authorization, row security */
  readonly changesRole: boolean;
  /** the isolation level (of this transaction or of later ones), or the snapshot */
  readonly changesIsolation: boolean;
  readonly changesSearchPath: boolean;
  /** the syntax of string constants: no later statement can be parsed */
  readonly changesSyntax: boolean;
  /** names of the settings in lower case; `undefined`: any */
  readonly settings: readonly string[] | undefined;
}

/** Every other statement. Each field states the worst case that is possible. */
export interface Other {
  readonly kind: 'other';
  /** all names in the statement and in its string constants, whatever they name */
  readonly names: ReadonlySet<string>;
  /** it may change tables that are not in `names`, because it executes text, calls a routine or cascades */
  readonly opaque: boolean;
  readonly writes: boolean;
  readonly ddl: boolean;
  /**
   * it may define something, also by a routine that it calls: event triggers fire, and the catalog must be read again
   */
  readonly mayDefine: boolean;
  /** false if it cannot, or may not, run inside a transaction block */
  readonly transactional: boolean;
  /** it begins or ends a transaction or a savepoint, in a text with several statements or in an unknown form */
  readonly controlsTransaction: boolean;
  /** its possible effects on the session */
  readonly effects: SessionEffects | undefined;
}

export interface TableName {
  /** `undefined` if the search path decides */
  readonly schema: string | undefined;
  readonly name: string;
}

/** A part of the SQL text, by offsets. */
export interface Range {
  readonly start: number;
  /** exclusive */
  readonly end: number;
}
