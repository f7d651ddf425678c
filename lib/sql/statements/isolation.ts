import type { Cursor } from '../lexer/cursor.js';
import type { IsolationLevel } from '../statement.js';

/**
 * A transaction's modes, up to the end of the statement: `isolation level …`, `read only`, `deferrable` …
 *
 * @returns `undefined` if something else is among them
 */
export function parseModes(cursor: Cursor): { readonly isolation: IsolationLevel | undefined } | undefined {
  let isolation: IsolationLevel | undefined;
  while (!cursor.atEnd) {
    if (cursor.takeWords('isolation', 'level')) {
      isolation = parseLevel(cursor);
      if (!isolation) {
        return undefined;
      }
    } else if (!takeOtherMode(cursor)) {
      return undefined;
    }
    cursor.takeMark(',');
  }
  return { isolation };
}

function parseLevel(cursor: Cursor): IsolationLevel | undefined {
  if (cursor.takeWords('read', 'committed')) {
    return 'read committed';
  }
  if (cursor.takeWords('repeatable', 'read')) {
    return 'repeatable read';
  }
  if (cursor.takeWords('read', 'uncommitted')) {
    return 'read uncommitted';
  }
  return cursor.takeWords('serializable') ? 'serializable' : undefined;
}

function takeOtherMode(cursor: Cursor): boolean {
  return (
    cursor.takeWords('read', 'only') ||
    cursor.takeWords('read', 'write') ||
    cursor.takeWords('deferrable') ||
    cursor.takeWords('not', 'deferrable')
  );
}
