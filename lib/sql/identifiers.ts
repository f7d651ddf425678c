import { foldWord, truncate } from './lexer/names.js';
import type { Token } from './lexer/tokens.js';

/** Two double quotes are one in a name. */
const UP_TO_QUOTE = /^(?:[^"]|"")*/;
/** The longest name in characters: 63, doubled. PostgreSQL truncates longer names. */
const MAX_LENGTH = 128;
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/g;

/** All names in a statement, and all possible names in its string constants. */
export function namesIn(sql: string, tokens: readonly Token[]): Set<string> {
  const names = new Set<string>();
  for (const token of tokens) {
    if (token.kind === 'word' || token.kind === 'name') {
      names.add(token.text);
    } else if (token.kind === 'string') {
      addNamesOf(sql.slice(token.start, token.end), names);
    }
  }
  return names;
}

/** All possible names in a text that is not parsed. */
export function namesInText(text: string): Set<string> {
  const names = new Set<string>();
  addNamesOf(text, names);
  return names;
}

/**
 * Adds each word as written and folded, because it may be quoted or not, and the text after each double quote,
 * because it is unknown which quotes open a name.
 */
function addNamesOf(text: string, names: Set<string>): void {
  for (const [word] of text.matchAll(WORD)) {
    names.add(truncate(word));
    names.add(foldWord(word));
  }
  for (let quote = text.indexOf('"'); quote >= 0; quote = text.indexOf('"', quote + 1)) {
    const name = UP_TO_QUOTE.exec(text.slice(quote + 1, quote + 1 + MAX_LENGTH))![0];
    names.add(truncate(name.replaceAll('""', '"')));
  }
}
