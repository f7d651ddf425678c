import { Cursor, isMark } from '../lexer/cursor.js';
import type { Token } from '../lexer/tokens.js';
import type { SessionEffects } from '../statement.js';
import { effectsOn } from './session_effects.js';

const PLAIN_STRING = /^'[\w.]*'$/;

/** The effects of the calls of `set_config` in a statement; `undefined` if it has none. */
export function configuredBy(
  sql: string,
  tokens: readonly Token[],
  parameters: readonly unknown[],
): SessionEffects | undefined {
  const calls = tokens.flatMap((token, i) => (token.text === 'set_config' ? [i] : []));
  if (calls.length === 0) {
    return undefined;
  }
  const settings = calls.map(i => firstArgument(sql, tokens.slice(i + 1, i + 4), parameters));
  return effectsOn(settings.every(setting => setting !== undefined) ? settings : undefined);
}

/**
 * Whether it is exactly `select set_config('a.b', …, true), …`, which changes settings until the end of the
 * transaction.
 */
export function onlyConfiguresLocally(tokens: readonly Token[]): boolean {
  const cursor = new Cursor(tokens);
  if (!cursor.takeWords('select')) {
    return false;
  }
  do {
    const called =
      cursor.takeWords('set_config') &&
      cursor.takeMark('(') &&
      takeConstant(cursor) &&
      cursor.takeMark(',') &&
      takeConstant(cursor) &&
      cursor.takeMark(',') &&
      cursor.takeWords('true') &&
      cursor.takeMark(')');
    if (!called) {
      return false;
    }
  } while (cursor.takeMark(','));
  return cursor.atEnd;
}

function takeConstant(cursor: Cursor): boolean {
  return (cursor.next?.kind === 'string' || cursor.next?.kind === 'parameter') && cursor.skip();
}

/** The value of the constant or parameter between `(` and `,`. */
function firstArgument(
  sql: string,
  [opening, argument, comma]: readonly Token[],
  parameters: readonly unknown[],
): string | undefined {
  if (!opening || !argument || !comma || !isMark(opening, '(') || !isMark(comma, ',')) {
    return undefined;
  }
  const text = sql.slice(argument.start, argument.end);
  if (argument.kind === 'parameter') {
    const value = parameters[Number(text.slice(1)) - 1];
    return typeof value === 'string' ? value : undefined;
  }
  return PLAIN_STRING.test(text) ? text.slice(1, -1) : undefined;
}
