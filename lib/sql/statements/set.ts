import { type Cursor, isMark } from '../lexer/cursor.js';
import type { SessionStatement } from '../statement.js';
import { parseModes } from './isolation.js';
import { effectsOn } from './session_effects.js';

/** SET, RESET and DISCARD. A form that is not understood may change any setting. */
export function parseSession(cursor: Cursor): SessionStatement {
  switch (cursor.takeWord('set', 'reset', 'discard')) {
    case 'set':
      return parseSet(cursor);
    case 'reset':
      return changing(parseSpecial(cursor) ?? parseSetting(cursor));
    default:
      // dropping temporary tables reveals others with their names, as another search path would
      return changing(
        cursor.takeWord('temp', 'temporary')
          ? ['search_path']
          : cursor.takeWord('plans', 'sequences')
            ? []
            : undefined,
      );
  }
}

function parseSet(cursor: Cursor): SessionStatement {
  const scope = cursor.takeWord('session', 'local');
  if (cursor.takeWords('transaction', 'snapshot')) {
    return changing(['transaction_snapshot']);
  }
  if (cursor.takeWords('transaction')) {
    return parseTransactionModes(cursor, 'transaction_isolation');
  }
  if (scope === 'session' && cursor.takeWords('characteristics', 'as', 'transaction')) {
    return { ...parseTransactionModes(cursor, 'default_transaction_isolation'), isolation: undefined };
  }
  if (scope === 'session' && cursor.takeWords('authorization')) {
    return changing(['session_authorization']);
  }
  if (cursor.takeWords('constraints')) {
    return changing([]);
  }
  return changing(parseSpecial(cursor) ?? parseSetting(cursor, true));
}

function changing(settings: readonly string[] | undefined): SessionStatement {
  return { kind: 'session', effects: effectsOn(settings), isolation: undefined };
}

function parseTransactionModes(cursor: Cursor, setting: string): SessionStatement {
  const modes = parseModes(cursor);
  return modes
    ? { ...changing(modes.isolation ? [setting] : []), isolation: modes.isolation }
    : changing(undefined);
}

/** Settings with a syntax of their own. */
const SPECIAL: Readonly<Record<string, string>> = {
  'time zone': 'timezone',
  'session authorization': 'session_authorization',
  'transaction isolation level': 'transaction_isolation',
  names: 'client_encoding',
  schema: 'search_path',
  role: 'role',
};

function parseSpecial(cursor: Cursor): string[] | undefined {
  if (cursor.second && isMark(cursor.second, '.')) {
    return undefined; // `role.x` is an ordinary setting
  }
  const phrase = cursor.takePhrase(...Object.keys(SPECIAL));
  return phrase === undefined ? undefined : [SPECIAL[phrase]!];
}

/** `setting` or `extension.setting`, and for SET the start of its value. */
function parseSetting(cursor: Cursor, valued = false): string[] | undefined {
  const parts = [cursor.takeName()];
  while (cursor.takeMark('.')) {
    parts.push(cursor.takeName());
  }
  const ended = valued ? cursor.takeWords('to') || cursor.takeOperator('=') : cursor.atEnd;
  return ended && parts.every(part => part !== undefined) && parts[0] !== 'all'
    ? [parts.join('.')]
    : undefined;
}
