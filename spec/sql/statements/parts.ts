import { parseStatement, type Range, type Statement } from '../../../lib/sql/statement.js';

/** A statement with the text of each part in place of its offsets, without its own text and what is as usual. */
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
