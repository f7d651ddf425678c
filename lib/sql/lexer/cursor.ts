import type { Range } from '../statement.js';
import type { Token } from './tokens.js';

const OPENING: Readonly<Record<string, string>> = { '(': ')', '[': ']' };

/**
 * Reads a statement's tokens from left to right. A `take…` or `skip…` method that does not find its tokens stays in
 * place and returns `false` or `undefined`.
 */
export class Cursor {
  readonly #tokens: readonly Token[];
  #at = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get next(): Token | undefined {
    return this.#tokens[this.#at];
  }

  get second(): Token | undefined {
    return this.#tokens[this.#at + 1];
  }

  /** The tokens that have not been read. */
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

  /** Whether these keywords are the last tokens that were read. */
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

  /** Takes these keywords if all of them come next. */
  takeWords(...words: readonly string[]): boolean {
    const found = words.every((word, i) => {
      const token = this.#tokens[this.#at + i];
      return token !== undefined && isWord(token, word);
    });
    this.#at += found ? words.length : 0;
    return found;
  }

  /** Takes one of these keywords. */
  takeWord(...words: readonly string[]): string | undefined {
    return this.isWord(...words) ? this.#tokens[this.#at++]!.text : undefined;
  }

  /** Takes one of these phrases: keywords separated by a space. */
  takePhrase<Phrase extends string>(...phrases: readonly Phrase[]): Phrase | undefined {
    return phrases.find(phrase => this.takeWords(...phrase.split(' ')));
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
   * Takes a name, quoted or not. Reserved words are not rejected, because the database does that. A word with
   * non-ASCII capitals is not a name here, because single-byte encodings fold them.
   */
  takeName(): string | undefined {
    const token = this.next;
    const understood =
      token?.kind === 'name' || (token?.kind === 'word' && token.text === token.text.toLowerCase());
    this.#at += understood ? 1 : 0;
    return understood ? token.text : undefined;
  }

  /** Takes items separated by commas; `undefined` if one of them is `undefined`. */
  takeList<Item>(take: () => Item | undefined): Item[] | undefined {
    const items: Item[] = [];
    do {
      const item = take();
      if (item === undefined) {
        return undefined;
      }
      items.push(item);
    } while (this.takeMark(','));
    return items;
  }

  /** Skips one token, or a bracket with its content. Does not skip the bracket that closes an earlier one. */
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
   * Skips to the token where `stop` returns true, or to the end. `stop` is not called inside brackets, nor where a
   * word can only be a name (`x.returning`, `as returning`).
   *
   * @returns the skipped range; `undefined` if it is empty, or its brackets do not match
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

  /** Whether the next token can only be a name: after a dot, or after AS (unless that is a name itself). */
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

/** The keyword or unquoted name; empty for other tokens. */
export function wordOf(token: Token | undefined): string {
  return token?.kind === 'word' ? token.text : '';
}

export function isMark(token: Token | undefined, mark: string): boolean {
  return token?.kind === 'mark' && token.text === mark;
}
