import type { Cursor } from '../lexer/cursor.js';
import type { Delete } from '../statement.js';
import { isWhereOrReturning, parseEnding } from './clauses.js';
import { parseTable } from './table.js';

/** `delete from t [[as] x] [using …] [where …] [returning …]` */
export function parseDelete(sql: string, cursor: Cursor): Delete | undefined {
  if (!cursor.takeWords('delete', 'from')) {
    return undefined;
  }
  const start = cursor.next?.start ?? 0;
  const table = parseTable(cursor);
  const ends = cursor.atEnd || cursor.isWord('using', 'where', 'returning');
  const alias = cursor.takeWords('as') || !ends ? cursor.takeName() : null;
  const target = { start, end: cursor.end };
  const from = cursor.takeWords('using');
  if (!table || alias === undefined || (from && !cursor.skipTo(isWhereOrReturning))) {
    return undefined;
  }
  const ending = parseEnding(cursor);
  return (
    ending && {
      kind: 'delete',
      sql,
      table,
      alias: alias ?? undefined,
      target,
      from,
      ...ending,
      end: cursor.end,
    }
  );
}
