import type { Cursor } from '../lexer/cursor.js';
import type { Truncate } from '../statement.js';
import { parseTable } from './table.js';

/** `truncate [table] [only] t [*], … [restart identity | continue identity] [cascade | restrict]` */
export function parseTruncate(cursor: Cursor): Truncate | undefined {
  cursor.takeWords('truncate');
  cursor.takeWords('table');
  const tables = cursor.takeList(() => {
    cursor.takeWords('only');
    const table = parseTable(cursor);
    cursor.takeOperator('*');
    return table;
  });
  if (!tables || (cursor.takeWord('restart', 'continue') && !cursor.takeWords('identity'))) {
    return undefined;
  }
  const cascade = cursor.takeWord('cascade', 'restrict') === 'cascade';
  return cursor.atEnd ? { kind: 'truncate', tables, cascade } : undefined;
}
