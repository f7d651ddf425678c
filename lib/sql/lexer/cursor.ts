import type { Range } from '../statement.js';
import type { Token } from './tokens.js';

const OPENING: Readonly<Record<string, string>> = { '(': ')', '[': ']' };

/**
 * Reads a statement's tokens from left to right. What `take…` and `skip…` methods do not find, they leave, and tell
 * so by `false` or `undefined`.
 */
export class Cursor {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  /** The next token. */
  get next(): Token | undefined {
    return this.#tokens[this.#at];
  }

  /** The one behind it. */
  get second(): Token | undefined {
    return this.#tokens[this.#at + 1];
  }

  /** All that has not been read. */
  get rest(): readonly Token[] {
    return this.#tokens.slice(this.#at);
  }

  get atEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  /** Offset behind the last token that was read. */
  get end(): number {
    return this.#tokens[this.#at - 1]?.end ?? 0;
  }

  isWord(...words: readonly string[]): boolean {
    return this.next !== undefined && isWord(this.next, ...words);
  }

  /** Whether these keywords are the last that was read. */
  follows(...words: readonly string[]): boolean {
    const start = this.#at - words.length;
    return words.every((word, i) => {
      const token = this.#tokens[start + i];
      return token !== undefined && isWord(token, word);
    });
  }

  isMark(mark: string): boolean {
    return this.next !== undefined && isMark(this.next, mark);
  }

  /** These keywords, if all of them come next. */
  takeWords(...words: readonly string[]): boolean {
    const found = words.every((word, i) => {
      const token = this.#tokens[this.#at + i];
      return token !== undefined && isWord(token, word);
    });
    this.#at += found ? words.length : 0;
    return found;
  }

  /** One of these keywords. */
  takeWord(...words: readonly string[]): string | undefined {
    return this.isWord(...words) ? this.#tokens[this.#at++]!.text : undefined;
  }

  takeMark(mark: string): boolean {
    const found = this.isMark(mark);
    this.#at += found ? 1 : 0;
    return found;
  }

  takeOperator(operator: string): boolean {
    const found = this.next?.kind === 'operator' && this.next.text === operator;
    this.#at += found ? 1 : 0;
    return found;
  }

  /**
   * A name, quoted or not. Which words are reserved is left to the database; but a word with capitals beyond ASCII is
   * no name here, since single-byte encodings fold them.
   */
  takeName(): string | undefined {
    const token = this.next;
    const understood =
      token?.kind === 'name' || (token?.kind === 'word' && token.text === token.text.toLowerCase());
    this.#at += understood ? 1 : 0;
    return understood ? token.text : undefined;
  }

  /** Any token but one that closes what was opened before; a bracket with all that is in it. */
  skip(): boolean {
    const closing: string[] = [];
    do {
      const token = this.next;
      if (!token) {
        return false;
      }
      if (token.kind === 'mark') {
        const opened = OPENING[token.text];
        if (opened) {
          closing.push(opened);
        } else if ((token.text === ')' || token.text === ']') && closing.pop() !== token.text) {
          return false;
        }
      }
      this.#at++;
    } while (closing.length > 0);
    return true;
  }

  /**
   * All up to where `stop` says so, or up to the end. It is not asked in brackets, nor where a word can only be a
   * name (`x.returning`, `as returning`).
   *
   * @returns what was skipped; `undefined` if it is nothing, or its brackets do not match
   */
  skipTo(stop: (cursor: Cursor) => boolean): Range | undefined {
    const start = this.next?.start;
    const first = this.#at;
    while (!this.atEnd && (this.#followsNaming() || !stop(this))) {
      if (!this.skip()) {
        return undefined;
      }
    }
    return start === undefined || first === this.#at ? undefined : { start, end: this.end };
  }

  /** Whether what comes next can only be a name: what follows a dot, or AS (unless that is a name itself). */
  #followsNaming(): boolean {
    const previous = this.#tokens[this.#at - 1];
    const before = this.#tokens[this.#at - 2];
    if (!previous || isMark(previous, '.')) {
      return previous !== undefined;
    }
    return isWord(previous, 'as') && !(before && (isMark(before, '.') || isWord(before, 'as')));
  }
}

export function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return token?.kind === 'word' && words.includes(token.text);
}

export function isMark(token: Token | undefined, mark: string): boolean {
  return token?.kind === 'mark' && token.text === mark;
}
