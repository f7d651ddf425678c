import { quoteName } from './lexer/names.js';
import { tokenize } from './lexer/tokens.js';
import type { Delete, Insert, Range, Update } from './statement.js';

/** A statement as it is sent. */
export interface Query {
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

/** By what the columns of the table that a statement writes are qualified in it, quoted. */
export function columnQualifier(statement: Insert | Update | Delete): string {
  return quoteName(statement.alias ?? statement.table.name);
}

/**
 * The same statement, with one more column at the end of its output: {@link IMAGE_COLUMN}. Its parameters are the
 * same. A statement without RETURNING has rows then, where it had none.
 */
export function returningSql(statement: Insert | Update | Delete, expression: string): string {
  const { sql, returning, end } = statement;
  const column = `${expression} as ${quoteName(IMAGE_COLUMN)}`;
  return returning
    ? `${sql.slice(0, returning.end)}, ${column}${sql.slice(returning.end)}`
    : `${sql.slice(0, end)} returning ${column}${sql.slice(end)}`;
}

/** The output column that carries how many rows a {@link boundedSql} has touched. */
export const COUNT_COLUMN = '__cacheops_count';

/**
 * The same for a statement without RETURNING that may touch very many rows: only the first so many images are sent.
 * All of it is carried out, for that is what PostgreSQL does with writes in a WITH query.
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
 * Whether it touches no more rows than its text gives keys or values of, beyond doubt.
 *
 * @param key the primary key's columns
 */
export function isBounded(statement: Insert | Update | Delete, key: readonly string[] | undefined): boolean {
  if (statement.kind === 'insert') {
    return statement.source.kind !== 'query';
  }
  const { sql, where, from } = statement;
  const match = where && !from ? KEYS.exec(sql.slice(where.start, where.end)) : null;
  return match !== null && key?.length === 1 && key[0] === match?.[1] && !/\bor\b/i.test(match[2] ?? '');
}

/** `"id" = 1` or `"id" in (1, 'x')`, and perhaps more. */
const KEYS = (() => {
  const value = String.raw`(?:-?\d+|\$\d+|'[^'\\]*')`;
  const values = String.raw`(?:=\s*${value}|in\s*\(\s*${value}(?:\s*,\s*${value})*\s*\))`;
  return new RegExp(String.raw`^(?:"?[\w]+"?\.)?"?([a-z_]\w*)"?\s*${values}\s*(and\s[^]*)?$`, 'i');
})();

/**
 * The query that locks the rows which an UPDATE or DELETE would touch now, and gives an expression of each.
 *
 * Rows that start to match between the two statements are not among them: whoever compares must find each row that
 * was touched, by its key, among the locked ones.
 *
 * @param limit the most rows; ask for one more than you will take to learn whether there are more
 * @param parameters of the statement
 * @param strength by default as strong as an UPDATE's (or a bit less, where it changes a key)
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

/** Part of a statement as a text of its own, whose parameters count from `$1` again. */
export function extract(sql: string, range: Range | undefined, parameters: readonly unknown[]): Query {
  return range ? renumber(sql.slice(range.start, range.end), parameters) : { sql: '', parameters: [] };
}

/** Makes `$5 … $2 … $5` into `$1 … $2 … $1`, and drops the parameters that are not used. */
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

/** The output column that carries images. */
export const IMAGE_COLUMN = '__cacheops';
