import type { Cursor } from '../lexer/cursor.js';
import type { InsertSource, Range } from '../statement.js';
import { isReturning } from './clauses.js';
import { isConflict } from './on_conflict.js';
import { startsQuery } from './query.js';

/** What an INSERT inserts. */
export function parseSource(cursor: Cursor): InsertSource | undefined {
  if (cursor.takeWords('default', 'values')) {
    return { kind: 'default values' };
  }
  if (!startsQuery(cursor.next)) {
    return undefined;
  }
  if (cursor.takeWords('values')) {
    const rows = parseRows(cursor);
    if (!rows || endsSource(cursor)) {
      return rows && { kind: 'values', rows };
    }
    // more follows, such as ORDER BY or UNION: it is a query that starts with VALUES
  }
  return cursor.skipTo(endsSource) && { kind: 'query' };
}

function endsSource(cursor: Cursor): boolean {
  return cursor.atEnd || isConflict(cursor) || isReturning(cursor);
}

function parseRows(cursor: Cursor): Range[][] | undefined {
  const rows: Range[][] = [];
  do {
    const row = parseRow(cursor);
    if (!row) {
      return undefined;
    }
    rows.push(row);
  } while (cursor.takeMark(','));
  return rows;
}

function parseRow(cursor: Cursor): Range[] | undefined {
  if (!cursor.takeMark('(')) {
    return undefined;
  }
  const row: Range[] = [];
  do {
    const value = cursor.skipTo(endsValue);
    if (!value) {
      return undefined;
    }
    row.push(value);
  } while (cursor.takeMark(','));
  return cursor.takeMark(')') ? row : undefined;
}

function endsValue(cursor: Cursor): boolean {
  return cursor.isMark(',') || cursor.isMark(')');
}
