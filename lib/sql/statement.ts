import { Cursor } from './lexer/cursor.js';
import { type Token, tokenize } from './lexer/tokens.js';
import { parseDelete } from './statements/delete.js';
import { parseInsert } from './statements/insert.js';
import { otherStatement, severalStatements, unreadableStatement } from './statements/other.js';
import { mayModifyInWith } from './statements/query.js';
import { parseRead } from './statements/read.js';
import { parseSession } from './statements/set.js';
import { parseTransaction } from './statements/transaction.js';
import { parseTruncate } from './statements/truncate.js';
import { parseUpdate } from './statements/update.js';

/**
 * What a SQL text does, as far as it is understood beyond doubt. Whatever is not is an {@link Other}: that is never
 * wrong, it only says less.
 *
 * What functions, triggers, rules and foreign keys do is not in the text of a statement.
 */
export type Statement = Read | Insert | Update | Delete | Truncate | Transaction | Session | Other;

/** It changes no table: a plain query (locking or not), SHOW, EXPLAIN without execution, a cursor … */
export interface Read {
  readonly kind: 'read';
  /** what its calls of `set_config` do to the session, if there are any */
  readonly effects: SessionEffects | undefined;
  /** it does nothing else, and until the end of the transaction */
  readonly onlyConfigures?: true;
}

/** What INSERT, UPDATE and DELETE of one named table have in common. */
export interface RowStatement {
  readonly sql: string;
  readonly table: TableName;
  readonly alias: string | undefined;
  /** the table as written, with its alias */
  readonly target: Range;
  /** the output list, without the keyword */
  readonly returning: Range | undefined;
  /** offset behind the last token that is not a semicolon: where more can be written */
  readonly end: number;
}

export interface Insert extends RowStatement {
  readonly kind: 'insert';
  /** `undefined` if it names none: then it is all columns, or the first ones */
  readonly columns: readonly string[] | undefined;
  /** OVERRIDING SYSTEM VALUE or USER VALUE */
  readonly overriding: boolean;
  readonly source: InsertSource;
  readonly conflict: Conflict;
}

export type InsertSource =
  /** each row's values in the order of the columns */
  | { readonly kind: 'values'; readonly rows: readonly (readonly Range[])[] }
  | { readonly kind: 'default values' | 'query' };

export type Conflict =
  | { readonly kind: 'none' | 'nothing' }
  | {
      readonly kind: 'update';
      /** ON CONFLICT (…) if it is a plain list of columns, neither a constraint nor with a condition */
      readonly columns: readonly string[] | undefined;
      /** the columns that are set */
      readonly set: readonly string[];
    };

export interface Update extends RowStatement {
  readonly kind: 'update';
  /** the columns that are set, also if only an element or a field of them is */
  readonly set: readonly string[];
  /** whether it joins others in FROM */
  readonly from: boolean;
  /** the condition, without the keyword */
  readonly where: Range | undefined;
}

export interface Delete extends RowStatement {
  readonly kind: 'delete';
  /** whether it joins others in USING */
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
  /** of the savepoint */
  readonly name: string | undefined;
  readonly isolation: IsolationLevel | undefined;
  /** AND CHAIN: a transaction of the same kind begins at once */
  readonly chain: boolean;
}

export type IsolationLevel = 'read uncommitted' | 'read committed' | 'repeatable read' | 'serializable';

/** SET, RESET and DISCARD. */
export interface Session {
  readonly kind: 'session';
  readonly effects: SessionEffects;
  /** the isolation level that it gives the current transaction, if it is SET TRANSACTION */
  readonly isolation: IsolationLevel | undefined;
}

/** What of the session a statement changes, or may change. */
export interface SessionEffects {
  /** role, session authorization, row security */
  readonly changesRole: boolean;
  /** the isolation level (of this transaction or of those to come), or the snapshot */
  readonly changesIsolation: boolean;
  readonly changesSearchPath: boolean;
  /** how string constants are read: nothing that follows is understood */
  readonly changesSyntax: boolean;
  /** the settings' names in lower case; `undefined` if it may be any */
  readonly settings: readonly string[] | undefined;
}

/** Everything else. Whatever is not certain is told as the worse case. */
export interface Other {
  readonly kind: 'other';
  /** all names that occur in it, also in its string constants, whatever they name */
  readonly names: ReadonlySet<string>;
  /** it may change tables that are not in `names`: it executes, calls or cascades */
  readonly opaque: boolean;
  readonly writes: boolean;
  readonly ddl: boolean;
  /** it defines something, or may do so by what it calls: it fires event triggers, and the catalog is read anew */
  readonly mayDefine: boolean;
  /** false if it cannot, or may not be able to, run inside a transaction */
  readonly transactional: boolean;
  /** it begins or ends a transaction or a savepoint, among several statements or in a form that is not understood */
  readonly controlsTransaction: boolean;
  /** what it may do to the session */
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

/**
 * Reads one SQL text as it is sent to PostgreSQL (14 or newer, standard_conforming_strings on). Never throws.
 *
 * ```ts
 * const statement = parseStatement(`update "book" set "title" = 'x' where "id" = 1`);
 * if (statement.kind === 'update') {
 *   statement.table; // { schema: undefined, name: 'book' }
 *   statement.set; // ['title']
 * }
 * ```
 *
 * @param parameters the values of `$1` …; they only tell which setting a `set_config($1, …)` changes
 */
export function parseStatement(sql: string, parameters: readonly unknown[] = []): Statement {
  const tokens = tokenize(sql);
  if (!tokens) {
    return unreadableStatement(sql);
  }
  const parts = splitStatements(tokens);
  const statements = parts.map(part => parseSingle(sql, part, parameters) ?? otherStatement(sql, part));
  if (statements.length > 1) {
    return severalStatements(sql, tokens, statements);
  }
  return statements[0] ?? { kind: 'read', effects: undefined };
}

/**
 * The quick answer to whether a statement is worth parsing: nearly all are not. Without a semicolon it is one
 * statement, however its strings are read.
 */
export function isPlainSelect(sql: string): boolean {
  return /^\s*select\b/i.test(sql) && !/;|\binto\b|set_config|u&"/i.test(sql);
}

/** `undefined` if its form is not understood. */
function parseSingle(
  sql: string,
  tokens: readonly Token[],
  parameters: readonly unknown[],
): Statement | undefined {
  const cursor = new Cursor(tokens);
  switch (tokens[0]!.kind === 'word' ? tokens[0]!.text : '') {
    case 'insert':
      return hasSideEffects(tokens) ? undefined : parseInsert(sql, cursor);
    case 'update':
      return hasSideEffects(tokens) ? undefined : parseUpdate(sql, cursor);
    case 'delete':
      return hasSideEffects(tokens) ? undefined : parseDelete(sql, cursor);
    case 'truncate':
      return parseTruncate(cursor);
    case 'set':
    case 'reset':
    case 'discard':
      return parseSession(cursor);
    case 'begin':
    case 'start':
    case 'commit':
    case 'end':
    case 'rollback':
    case 'abort':
    case 'savepoint':
    case 'release':
    case 'prepare':
      return parseTransaction(cursor);
    default:
      return parseRead(sql, tokens, parameters);
  }
}

/** Whether a statement on rows also does something else. */
function hasSideEffects(tokens: readonly Token[]): boolean {
  return mayModifyInWith(tokens.slice(1)) || tokens.some(token => token.text === 'set_config');
}

/** Between semicolons, wherever they are; without those that are empty. */
function splitStatements(tokens: readonly Token[]): (readonly Token[])[] {
  const statements: Token[][] = [[]];
  for (const token of tokens) {
    if (token.kind === 'mark' && token.text === ';') {
      statements.push([]);
    } else {
      statements.at(-1)!.push(token);
    }
  }
  return statements.filter(statement => statement.length > 0);
}
