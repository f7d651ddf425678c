import { Cursor, isWord } from './lexer/cursor.js';
import { quoteName } from './lexer/names.js';
import { type Token, tokenize } from './lexer/tokens.js';
import { columnQualifier, IMAGE_COLUMN, type Query, renumber } from './rewrite.js';
import type { Insert } from './statement.js';

/**
 * The query that locks the rows which an INSERT … VALUES … ON CONFLICT (…) DO UPDATE would update now, and gives an
 * expression of each.
 *
 * The values of columns that triggers change, and rows that others insert in between, are not found by it: whoever
 * compares must find each row that was not inserted, by its key, among the locked ones.
 *
 * @param types how SQL writes the types of the table's columns, as `format_type` tells them
 * @param parameters of the statement
 * @returns `undefined` if what it conflicts on is not a list of columns, or their values are not all constants
 */
export function conflictSql(
  insert: Insert,
  types: ReadonlyMap<string, string>,
  expression: string,
  parameters: readonly unknown[] = [],
): Query | undefined {
  const keys = insert.conflict.kind === 'update' ? insert.conflict.columns : undefined;
  const rows = keys && valuesOf(insert, keys, types);
  if (!rows) {
    return undefined;
  }
  const qualifier = columnQualifier(insert);
  const columns = keys.map(key => `${qualifier}.${quoteName(key)}`).join(', ');
  const table = insert.sql.slice(insert.target.start, insert.target.end);
  const values = rows.map(row => `(${row.join(', ')})`).join(', ');
  return renumber(
    `select ${expression} as ${quoteName(IMAGE_COLUMN)} from ${table} where (${columns}) in (values ${values}) for no key update`,
    parameters,
  );
}

/** For each row that is to be inserted, the values of these columns as SQL; `undefined` if they are not all plain. */
function valuesOf(
  insert: Insert,
  keys: readonly string[],
  types: ReadonlyMap<string, string>,
): string[][] | undefined {
  const { sql, source, columns } = insert;
  // OVERRIDING USER VALUE would ignore values
  if (source.kind !== 'values' || !columns || insert.overriding) {
    return undefined;
  }
  const positions = keys.map(key => columns.indexOf(key));
  const rows = source.rows.map(row =>
    positions.map((position, i) => {
      const range = row[position];
      const type = types.get(keys[i]!);
      const text = range && sql.slice(range.start, range.end);
      return text && type && isConstant(text) ? `(${text})::${type}` : undefined;
    }),
  );
  return rows.every(row => row.every(value => value !== undefined)) ? (rows as string[][]) : undefined;
}

/** `1`, `-1.5`, `'x'`, `$1`, `true`, `null`, and casts of these: what has the same value wherever it is evaluated. */
function isConstant(sql: string): boolean {
  const cursor = new Cursor(tokenize(sql) ?? []);
  if (!cursor.takeOperator('-')) {
    cursor.takeOperator('+');
  }
  const value = cursor.next;
  if (!value || !isPlainValue(value) || !cursor.skip()) {
    return false;
  }
  while (cursor.takeMark('::')) {
    if (!takeType(cursor)) {
      return false;
    }
  }
  return cursor.atEnd;
}

function isPlainValue(token: Token): boolean {
  return ['string', 'number', 'parameter'].includes(token.kind) || isWord(token, 'null', 'true', 'false');
}

/** `text`, `"s"."kind"`, `numeric(10, 2)`, `integer[]`; not the types whose names are several words. */
function takeType(cursor: Cursor): boolean {
  do {
    if (cursor.takeName() === undefined) {
      return false;
    }
  } while (cursor.takeMark('.'));
  return (!cursor.isMark('(') || cursor.skip()) && (!cursor.isMark('[') || cursor.skip());
}
