import { Cursor, isWord } from './lexer/cursor.js';
import { quoteName } from './lexer/names.js';
import { type Token, tokenize } from './lexer/tokens.js';
import { columnQualifier, IMAGE_COLUMN, type Query, renumber } from './rewrite.js';
import type { Insert } from './statement.js';

/**
 * The query that locks the rows which an INSERT … VALUES … ON CONFLICT (…) DO UPDATE would update now, and returns an
 * expression for each.
 *
 * It may miss rows: a trigger may change the values, and another transaction may insert a row in between. So the
 * caller must look up each row that was not inserted, by its key, among the locked ones.
 *
 * @param types the SQL types of the table's columns, as `format_type` writes them
 * @param parameters the parameters of the statement
 * @returns `undefined` if the conflict target is not a list of columns, or a value is not a constant
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

/** The SQL values of these columns for each row of the INSERT; `undefined` if one is not a constant. */
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

/**
 * `1`, `-1.5`, `'x'`, `$1`, `true`, `null`, and casts of these: their value is the same wherever they are evaluated.
 */
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

/** `text`, `"s"."kind"`, `numeric(10, 2)`, `integer[]`; not types with names of several words. */
function takeType(cursor: Cursor): boolean {
  do {
    if (cursor.takeName() === undefined) {
      return false;
    }
  } while (cursor.takeMark('.'));
  return (!cursor.isMark('(') || cursor.skip()) && (!cursor.isMark('[') || cursor.skip());
}
