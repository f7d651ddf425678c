import type { Cursor } from '../lexer/cursor.js';

/**
 * The columns that `a = 1, (b, c) = (select …), d[1].e = 2` sets: `a`, `b`, `c`, `d`.
 *
 * @param stop where the list ends
 */
export function parseAssignments(cursor: Cursor, stop: (cursor: Cursor) => boolean): string[] | undefined {
  const columns: string[] = [];
  do {
    const targets = cursor.takeMark('(') ? parseTargets(cursor) : parseTarget(cursor);
    if (!targets || !cursor.takeOperator('=') || !cursor.skipTo(next => next.isMark(',') || stop(next))) {
      return undefined;
    }
    columns.push(...targets);
  } while (cursor.takeMark(','));
  return columns;
}

function parseTargets(cursor: Cursor): string[] | undefined {
  const columns: string[] = [];
  do {
    const target = parseTarget(cursor);
    if (!target) {
      return undefined;
    }
    columns.push(...target);
  } while (cursor.takeMark(','));
  return cursor.takeMark(')') ? columns : undefined;
}

/** A column, or an element or field of it. */
function parseTarget(cursor: Cursor): [string] | undefined {
  const column = cursor.takeName();
  for (;;) {
    if (cursor.isMark('[') ? !cursor.skip() : cursor.takeMark('.') && cursor.takeName() === undefined) {
      return undefined;
    }
    if (!cursor.isMark('[') && !cursor.isMark('.')) {
      return column === undefined ? undefined : [column];
    }
  }
}
