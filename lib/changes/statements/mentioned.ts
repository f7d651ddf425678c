import { foldWord, truncate } from '../names.js';
import type { Token } from '../tokens.js';

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

/** Each word as it is and folded, since it may be in quotes there or not. */
function addNamesOf(text: string, names: Set<string>): void {
  for (const [word] of text.matchAll(WORD)) {
    names.add(truncate(word));
    names.add(foldWord(word));
  }
  if (text.includes('"')) {
    for (const name of betweenQuotes(text)) {
      names.add(truncate(name));
    }
  }
}

/** Which quotes open and which close is not known, so all that is between two of them. */
function betweenQuotes(text: string): string[] {
  const undoubled = text.replaceAll('""', '\0').split('"');
  return [...undoubled.map(name => name.replaceAll('\0', '"')), ...text.split('"')].filter(
    name => name !== '',
  );
}
