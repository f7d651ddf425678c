import { type Cursor, isMark } from '../lexer/cursor.js';
import type { Session } from '../statement.js';
import { parseModes } from './isolation.js';
import { effectsOn } from './session_effects.js';

/** SET, RESET and DISCARD. What is not understood may change anything. */
export function parseSession(cursor: Cursor): Session {
  switch (cursor.takeWord('set', 'reset', 'discard')) {
    case 'set':
      return parseSet(cursor);
    case 'reset':
      return changing(parseSpecial(cursor) ?? parseSetting(cursor));
    default:
      // temporary tables come before others of their names, as if the path were another
      return changing(
        cursor.takeWord('temp', 'temporary')
          ? ['search_path']
          : cursor.takeWord('plans', 'sequences')
            ? []
            : undefined,
      );
  }
}

function parseSet(cursor: Cursor): Session {
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

function changing(settings: readonly string[] | undefined): Session {
  return { kind: 'session', effects: effectsOn(settings), isolation: undefined };
}

function parseTransactionModes(cursor: Cursor, setting: string): Session {
  const modes = parseModes(cursor);
  return modes
    ? { ...changing(modes.isolation ? [setting] : []), isolation: modes.isolation }
    : changing(undefined);
}

/** The settings that have a syntax of their own. */
function parseSpecial(cursor: Cursor): string[] | undefined {
  if (cursor.second && isMark(cursor.second, '.')) {
    return undefined; // `role.x` is an ordinary setting
  }
  if (cursor.takeWords('time', 'zone')) {
    return ['timezone'];
  }
  if (cursor.takeWords('session', 'authorization')) {
    return ['session_authorization'];
  }
  if (cursor.takeWords('transaction', 'isolation', 'level')) {
    return ['transaction_isolation'];
  }
  if (cursor.takeWords('names')) {
    return ['client_encoding'];
  }
  if (cursor.takeWords('schema')) {
    return ['search_path'];
  }
  return cursor.takeWords('role') ? ['role'] : undefined;
}

/** `setting` or `extension.setting`; behind it comes, if there is one, the value. */
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
