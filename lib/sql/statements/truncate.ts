import type { Cursor } from '../lexer/cursor.js';
import type { TableName, Truncate } from '../statement.js';
import { parseTable } from './table.js';

/** `truncate [table] [only] t [*], … [restart identity | continue identity] [cascade | restrict]` */
export function parseTruncate(cursor: Cursor): Truncate | undefined {
  cursor.takeWords('truncate');
  cursor.takeWords('table');
  const tables: TableName[] = [];
  do {
    cursor.takeWords('only');
    const table = parseTable(cursor);
    if (!table) {
      return undefined;
    }
    tables.push(table);
    cursor.takeOperator('*');
  } while (cursor.takeMark(','));
  if (cursor.takeWord('restart', 'continue') && !cursor.takeWords('identity')) {
    return undefined;
  }
  const cascade = cursor.takeWord('cascade', 'restrict') === 'cascade';
  return cursor.atEnd ? { kind: 'truncate', tables, cascade } : undefined;
}
