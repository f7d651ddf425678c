import type { Cursor } from '../lexer/cursor.js';
import type { TableName } from '../statement.js';

/** `name` or `schema.name`. */
export function parseTable(cursor: Cursor): TableName | undefined {
  if (cursor.isWord('only')) {
    return undefined; // ONLY excludes the tables that inherit from it
  }
  const first = cursor.takeName();
  const second = cursor.takeMark('.') ? cursor.takeName() : null;
  if (first === undefined || second === undefined) {
    return undefined;
  }
  return second === null ? { schema: undefined, name: first } : { schema: first, name: second };
}
