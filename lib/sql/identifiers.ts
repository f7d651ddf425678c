import { foldWord, truncate } from './lexer/names.js';
import type { Token } from './lexer/tokens.js';

/** Two double quotes are one in a name. */
const UP_TO_QUOTE = /^(?:[^"]|"")*/;
/** Characters that a name may take up: 63, doubled. What is beyond is cut off. */
const MAX_LENGTH = 128;
const WORD = /[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*/g;

/** All names in a statement, and all that might be names in its string constants. */
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

/** All that might be names in a text which nobody has understood. */
export function namesInText(text: string): Set<string> {
  const names = new Set<string>();
  addNamesOf(text, names);
  return names;
}

/**
 * Each word as it is and folded, since it may be in quotes there or not; and what follows each double quote, since
 * which of them open and which close is not known.
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
