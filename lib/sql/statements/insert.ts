import type { Cursor } from '../lexer/cursor.js';
import type { Insert } from '../statement.js';
import { parseReturning } from './clauses.js';
import { parseSource } from './insert_source.js';
import { parseConflict } from './on_conflict.js';
import { startsQuery } from './query.js';
import { parseTable } from './table.js';

/** `insert into t [as x] [(…)] [overriding …] … [on conflict …] [returning …]` */
export function parseInsert(sql: string, cursor: Cursor): Insert | undefined {
  if (!cursor.takeWords('insert', 'into')) {
    return undefined;
  }
  const start = cursor.next?.start ?? 0;
  const table = parseTable(cursor);
  const alias = cursor.takeWords('as') ? cursor.takeName() : null;
  const target = { start, end: cursor.end };
  const columns = cursor.isMark('(') && !startsQuery(cursor.second) ? parseColumns(cursor) : null;
  if (!table || alias === undefined || columns === undefined) {
    return undefined;
  }
  const overriding = cursor.takePhrase('overriding system value', 'overriding user value') !== undefined;
  const source = parseSource(cursor);
  const conflict = source && parseConflict(cursor);
  const output = conflict && parseReturning(cursor);
  return (
    output && {
      kind: 'insert',
      sql,
      table,
      alias: alias ?? undefined,
      target,
      columns: columns ?? undefined,
      overriding,
      source,
      conflict,
      ...output,
      end: cursor.end,
    }
  );
}

/** Only whole columns: an INSERT into an element or field of a column is not understood. */
function parseColumns(cursor: Cursor): string[] | undefined {
  cursor.takeMark('(');
  const columns = cursor.takeList(() => cursor.takeName());
  return cursor.takeMark(')') ? columns : undefined;
}
