import { isMark } from '../cursor.js';
import type { SessionEffects } from '../statement.js';
import type { Token } from '../tokens.js';
import { effectsOn } from './effects.js';

const PLAIN_STRING = /^'[\w.]*'$/;

/** What the calls of `set_config` in it do; `undefined` if it has none. */
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

/** The value of a constant or parameter between `(` and `,`. */
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
