import { quoteName } from './lexer/names.js';
import { tokenize } from './lexer/tokens.js';
import type { Delete, Insert, Range, Update } from './statement.js';

export interface Query {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** The quoted qualifier for columns of the table that a statement writes. */
export function columnQualifier(statement: Insert | Update | Delete): string {
  return quoteName(statement.alias ?? statement.table.name);
}

/**
 * The same statement with {@link IMAGE_COLUMN} as the last column of its output. Its parameters are unchanged. A
 * statement without RETURNING now returns rows.
 */
export function returningSql(statement: Insert | Update | Delete, expression: string): string {
  const { sql, returning, end } = statement;
  const column = `${expression} as ${quoteName(IMAGE_COLUMN)}`;
  return returning
    ? `${sql.slice(0, returning.end)}, ${column}${sql.slice(returning.end)}`
    : `${sql.slice(0, end)} returning ${column}${sql.slice(end)}`;
}

/** The output column with the number of rows that a {@link boundedSql} changed. */
export const COUNT_COLUMN = '__cacheops_count';

/**
 * The same for a statement without RETURNING that may change very many rows: at most `limit` images are returned.
 * PostgreSQL executes a data-modifying WITH query completely, so all rows are changed.
 */
export function boundedSql(statement: Insert | Update | Delete, expression: string, limit: number): string {
  const write = statement.sql.slice(0, statement.end);
  const image = quoteName(IMAGE_COLUMN);
  return (
    `with "__cacheops_rows" as (${write} returning ${expression} as ${image}) ` +
    `select ${image}, (count(*) over ())::text as ${quoteName(COUNT_COLUMN)} from "__cacheops_rows" limit ${limit}`
  );
}

/**
 * Whether the number of rows that it changes is certainly limited by the keys or values in its text.
 *
 * @param key the columns of the primary key
 */
export function isBounded(statement: Insert | Update | Delete, key: readonly string[] | undefined): boolean {
  if (statement.kind === 'insert') {
    return statement.source.kind !== 'query';
  }
  const { sql, where, from } = statement;
  const match = where && !from ? KEYS.exec(sql.slice(where.start, where.end)) : null;
  return match !== null && key?.length === 1 && key[0] === match?.[1] && !/\bor\b/i.test(match[2] ?? '');
}

/** `"id" = 1` or `"id" in (1, 'x')`, optionally with further conditions. */
const KEYS = (() => {
  const value = String.raw`(?:-?\d+|\$\d+|'[^'\\]*')`;
  const values = String.raw`(?:=\s*${value}|in\s*\(\s*${value}(?:\s*,\s*${value})*\s*\))`;
  return new RegExp(String.raw`^(?:"?[\w]+"?\.)?"?([a-z_]\w*)"?\s*${values}\s*(and\s[^]*)?$`, 'i');
})();

/**
 * The query that locks the rows which an UPDATE or DELETE would change now, and returns an expression for each.
 *
 * It misses rows that start to match between the two statements. So the caller must look up each changed row, by its
 * key, among the locked ones.
 *
 * @param limit the maximum number of rows; pass one more than allowed to detect more
 * @param parameters the parameters of the statement
 * @param strength the default is that of an UPDATE (slightly weaker if it changes a key)
 * @returns `undefined` if the statement joins other tables
 */
export function lockingSql(
  statement: Update | Delete,
  expression: string,
  limit: number,
  parameters: readonly unknown[] = [],
  strength: 'update' | 'no key update' = 'no key update',
): Query | undefined {
  if (statement.from) {
    return undefined;
  }
  const table = statement.sql.slice(statement.target.start, statement.target.end);
  const { sql: condition, parameters: used } = extract(statement.sql, statement.where, parameters);
  const where = condition && ` where (${condition})`;
  return {
    sql: `select ${expression} as ${quoteName(IMAGE_COLUMN)} from ${table}${where} limit ${limit} for ${strength}`,
    parameters: used,
  };
}

/** A part of a statement as a text of its own, with parameters that start at `$1`. */
export function extract(sql: string, range: Range | undefined, parameters: readonly unknown[]): Query {
  return range ? renumber(sql.slice(range.start, range.end), parameters) : { sql: '', parameters: [] };
}

/** Turns `$5 … $2 … $5` into `$1 … $2 … $1`, and drops unused parameters. */
export function renumber(sql: string, parameters: readonly unknown[]): Query {
  const numbers = new Map<string, string>();
  const used: unknown[] = [];
  let renumbered = '';
  let at = 0;
  for (const token of tokenize(sql) ?? []) {
    if (token.kind === 'parameter') {
      const old = sql.slice(token.start, token.end);
      if (!numbers.has(old)) {
        used.push(parameters[Number(old.slice(1)) - 1]);
        numbers.set(old, `$${used.length}`);
      }
      renumbered += sql.slice(at, token.start) + numbers.get(old);
      at = token.end;
    }
  }
  return { sql: renumbered + sql.slice(at), parameters: used };
}

/** The output column with row images. */
export const IMAGE_COLUMN = '__cacheops';
