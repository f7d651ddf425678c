import type { Cursor } from '../lexer/cursor.js';
import type { Range } from '../statement.js';

/** The end of an INSERT, UPDATE or DELETE: its condition and its RETURNING list. */
export interface Ending {
  readonly where: Range | undefined;
  readonly returning: Range | undefined;
}

/** `[where …] [returning …]`, and nothing after it. */
export function parseEnding(cursor: Cursor): Ending | undefined {
  let where: Range | undefined;
  if (cursor.takeWords('where')) {
    where = cursor.takeWords('current', 'of') ? undefined : cursor.skipTo(isReturning);
    if (!where) {
      return undefined;
    }
  }
  const output = parseReturning(cursor);
  return output && { where, ...output };
}

/** `[returning …]`, and nothing after it. */
export function parseReturning(cursor: Cursor): { readonly returning: Range | undefined } | undefined {
  if (!cursor.takeWords('returning')) {
    return cursor.atEnd ? { returning: undefined } : undefined;
  }
  // RETURNING WITH (OLD AS …) renames what an expression can refer to
  const returning = cursor.isWord('with') ? undefined : cursor.skipTo(isWhereOrReturning);
  return returning && cursor.atEnd ? { returning } : undefined;
}

export function isReturning(cursor: Cursor): boolean {
  return cursor.isWord('returning');
}

export function isWhereOrReturning(cursor: Cursor): boolean {
  return cursor.isWord('where', 'returning');
}

/** `from`, but not that of `is distinct from`. */
export function isFrom(cursor: Cursor): boolean {
  return (
    cursor.isWord('from') && !cursor.follows('is', 'distinct') && !cursor.follows('is', 'not', 'distinct')
  );
}
