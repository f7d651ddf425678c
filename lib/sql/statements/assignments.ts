import type { Cursor } from '../lexer/cursor.js';

/**
 * The columns that `a = 1, (b, c) = (select …), d[1].e = 2` sets: `a`, `b`, `c`, `d`.
 *
 * @param stop whether the list ends at this token
 */
export function parseAssignments(cursor: Cursor, stop: (cursor: Cursor) => boolean): string[] | undefined {
  const targets = cursor.takeList(() => {
    const columns = cursor.takeMark('(') ? parseTargets(cursor) : parseTarget(cursor);
    const isValid =
      columns && cursor.takeOperator('=') && cursor.skipTo(next => next.isMark(',') || stop(next));
    return isValid ? columns : undefined;
  });
  return targets?.flat();
}

function parseTargets(cursor: Cursor): string[] | undefined {
  const columns = cursor.takeList(() => parseTarget(cursor));
  return cursor.takeMark(')') ? columns?.flat() : undefined;
}

/** A column, or an element or field of one. */
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
