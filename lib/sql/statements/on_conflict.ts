import { type Cursor, isWord } from '../lexer/cursor.js';
import type { Conflict } from '../statement.js';
import { parseAssignments } from './assignments.js';
import { isReturning, isWhereOrReturning } from './clauses.js';

/** `[on conflict [target] do nothing | do update set … [where …]]` */
export function parseConflict(cursor: Cursor): Conflict | undefined {
  if (!cursor.takeWords('on', 'conflict')) {
    return { kind: 'none' };
  }
  const target = parseTarget(cursor);
  if (!target || !cursor.takeWords('do')) {
    return undefined;
  }
  if (cursor.takeWords('nothing')) {
    return { kind: 'nothing' };
  }
  const set = cursor.takeWords('update', 'set') ? parseAssignments(cursor, isWhereOrReturning) : undefined;
  if (!set || (cursor.takeWords('where') && !cursor.skipTo(isReturning))) {
    return undefined;
  }
  return { kind: 'update', columns: target.columns, set };
}

export function isConflict(cursor: Cursor): boolean {
  return cursor.isWord('on') && cursor.second !== undefined && isWord(cursor.second, 'conflict');
}

interface Target {
  /** `undefined` if it is not a plain list of columns */
  readonly columns: readonly string[] | undefined;
}

function parseTarget(cursor: Cursor): Target | undefined {
  if (cursor.takeWords('on', 'constraint')) {
    return cursor.takeName() === undefined ? undefined : { columns: undefined };
  }
  if (!cursor.takeMark('(')) {
    return { columns: undefined };
  }
  const elements = cursor.takeList(() => parseElement(cursor));
  if (!elements) {
    return undefined;
  }
  const conditional = cursor.takeMark(')') && cursor.takeWords('where');
  if (conditional && !cursor.skipTo(next => next.isWord('do'))) {
    return undefined;
  }
  const plain = elements.filter(element => element !== null);
  return { columns: plain.length === elements.length && !conditional ? plain : undefined };
}

/** A column's name; null for an expression, or for a column with a collation or operator class. */
function parseElement(cursor: Cursor): string | null | undefined {
  const column = cursor.takeName();
  if (column !== undefined && endsElement(cursor)) {
    return column;
  }
  return cursor.skipTo(endsElement) ? null : undefined;
}

function endsElement(cursor: Cursor): boolean {
  return cursor.isMark(',') || cursor.isMark(')');
}
