import type { Cursor } from '../lexer/cursor.js';
import type { Update } from '../statement.js';
import { parseAssignments } from './assignments.js';
import { isFrom, isWhereOrReturning, parseEnding } from './clauses.js';
import { parseTable } from './table.js';

/** `update t [[as] x] set … [from …] [where …] [returning …]` */
export function parseUpdate(sql: string, cursor: Cursor): Update | undefined {
  cursor.takeWords('update');
  const start = cursor.next?.start ?? 0;
  const table = parseTable(cursor);
  // `set` without AS is always the keyword, never an alias
  const alias = cursor.takeWords('as') || !cursor.isWord('set') ? cursor.takeName() : null;
  const target = { start, end: cursor.end };
  if (!table || alias === undefined || !cursor.takeWords('set')) {
    return undefined;
  }
  const set = parseAssignments(cursor, next => isFrom(next) || isWhereOrReturning(next));
  const from = cursor.takeWords('from');
  if (!set || (from && !cursor.skipTo(isWhereOrReturning))) {
    return undefined;
  }
  const ending = parseEnding(cursor);
  return (
    ending && {
      kind: 'update',
      sql,
      table,
      alias: alias ?? undefined,
      target,
      set,
      from,
      ...ending,
      end: cursor.end,
    }
  );
}
