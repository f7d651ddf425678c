import { isMark, isWord } from './lexer/cursor.js';
import { type Token, tokenize } from './lexer/tokens.js';
import type { SessionEffects } from './statement.js';
import { effectsOn, eitherEffects } from './statements/session_effects.js';
import { configuredBy } from './statements/set_config.js';

const CONFIGURING = ['set', 'reset', 'discard', 'load'];
const MAY_CONFIGURE = new RegExp(`\\b(?:${CONFIGURING.join('|')}|set_config)\\b`, 'i');

/**
 * The effects of the body of an SQL or PL/pgSQL function on the session's settings, according to its text.
 *
 * @param isQuery it has no commands, but may call functions
 */
export function effectsOfCode(source: string, isQuery: boolean): SessionEffects | undefined {
  if (!MAY_CONFIGURE.test(source)) {
    return undefined;
  }
  const tokens = tokenize(source);
  if (!tokens) {
    return effectsOn(undefined);
  }
  let effects = configuredBy(source, tokens, []);
  let isOther = isQuery;
  for (const [i, token] of tokens.entries()) {
    if (isMark(token, ';')) {
      isOther = isQuery;
    } else if (isWord(token, 'update')) {
      isOther ||= !isWord(tokens[i - 1], 'for', 'key');
    } else if (isWord(token, ...CONFIGURING) && !isMark(tokens[i - 1], '.') && !isOther) {
      effects = eitherEffects(effects, effectsOn(settingBehind(source, tokens, i)));
    }
  }
  return effects;
}

/** `timezone` of `set local timezone = …`; `undefined` for forms that are not understood. */
function settingBehind(source: string, tokens: readonly Token[], at: number): readonly string[] | undefined {
  const first = at + (isWord(tokens[at + 1], 'local', 'session') ? 2 : 1);
  let last = first;
  while (isMark(tokens[last + 1], '.')) {
    last += 2;
  }
  const [name, behind] = tokens.slice(last, last + 2);
  const isSet = isWord(tokens[at], 'set') && (isWord(behind, 'to') || behind?.text === '=');
  return isSet && name ? [source.slice(tokens[first]!.start, name.end)] : undefined;
}
