import type { Cursor } from '../lexer/cursor.js';
import type { InsertSource, Range } from '../statement.js';
import { isReturning } from './clauses.js';
import { isConflict } from './on_conflict.js';
import { startsQuery } from './query.js';

export function parseSource(cursor: Cursor): InsertSource | undefined {
  if (cursor.takeWords('default', 'values')) {
    return { kind: 'default values' };
  }
  if (!startsQuery(cursor.next)) {
    return undefined;
  }
  if (cursor.takeWords('values')) {
    const rows = cursor.takeList(() => parseRow(cursor));
    if (!rows || endsSource(cursor)) {
      return rows && { kind: 'values', rows };
    }
    // a clause follows, such as ORDER BY or UNION: it is a query that starts with VALUES
  }
  return cursor.skipTo(endsSource) && { kind: 'query' };
}

function endsSource(cursor: Cursor): boolean {
  return cursor.atEnd || isConflict(cursor) || isReturning(cursor);
}

function parseRow(cursor: Cursor): Range[] | undefined {
  const row = cursor.takeMark('(') ? cursor.takeList(() => cursor.skipTo(endsValue)) : undefined;
  return cursor.takeMark(')') ? row : undefined;
}

function endsValue(cursor: Cursor): boolean {
  return cursor.isMark(',') || cursor.isMark(')');
}
