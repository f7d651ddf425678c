import type { Cursor } from '../lexer/cursor.js';
import type { IsolationLevel } from '../statement.js';

const LEVELS: readonly IsolationLevel[] = [
  'read committed',
  'repeatable read',
  'read uncommitted',
  'serializable',
];

/**
 * The modes of a transaction, up to the end of the statement: `isolation level …`, `read only`, `deferrable` …
 *
 * @returns `undefined` if anything else is among them
 */
export function parseModes(cursor: Cursor): { readonly isolation: IsolationLevel | undefined } | undefined {
  let isolation: IsolationLevel | undefined;
  while (!cursor.atEnd) {
    if (cursor.takeWords('isolation', 'level')) {
      isolation = cursor.takePhrase(...LEVELS);
      if (!isolation) {
        return undefined;
      }
    } else if (!cursor.takePhrase('read only', 'read write', 'deferrable', 'not deferrable')) {
      return undefined;
    }
    cursor.takeMark(',');
  }
  return { isolation };
}
