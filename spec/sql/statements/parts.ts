import { parseStatement } from '../../../lib/sql/parse_statement.js';
import type { Range, Statement } from '../../../lib/sql/statement.js';

/** A statement with the text of each part instead of its offsets, without its own text and without default values. */
export function parts(sql: string): Record<string, unknown> {
  const { sql: _, ...statement } = parseStatement(sql) as Statement & { sql?: string };
  return Object.fromEntries(
    Object.entries(statement).flatMap(([key, value]) => {
      const part = key === 'end' ? sql.slice(value as number) : partOf(sql, value);
      return part === undefined || part === false || part === '' ? [] : [[key, part]];
    }),
  );
}

function partOf(sql: string, value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(item => partOf(sql, item));
  }
  if (isRange(value)) {
    return sql.slice(value.start, value.end);
  }
  if (typeof value === 'object' && value !== null && !(value instanceof Set)) {
    const entries = Object.entries(value).map(([key, item]) => [key, partOf(sql, item)]);
    return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
  }
  return value;
}

function isRange(value: unknown): value is Range {
  return typeof value === 'object' && value !== null && 'start' in value;
}
