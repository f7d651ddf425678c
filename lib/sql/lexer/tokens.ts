import { foldWord, unquoteName } from './names.js';
import {
  endOfBlockComment,
  endOfDollarString,
  endOfLineComment,
  endOfNumber,
  endOfOperator,
  endOfParameter,
  endOfQuotedName,
  endOfSpace,
  endOfString,
  endOfWord,
} from './scan.js';

/**
 * - `word`: a keyword or an unquoted name;
 * - `name`: a quoted name;
 * - `string`: a constant in quotes or dollar quotes, with any prefix;
 * - `number`;
 * - `parameter`: `$1`;
 * - `operator`: `=`, `<>`, `@>` …;
 * - `mark`: `( ) [ ] , ; . : :: :=`.
 */
export type TokenKind = 'word' | 'name' | 'string' | 'number' | 'parameter' | 'operator' | 'mark';

export interface Token {
  readonly kind: TokenKind;
  /** offset of its first character */
  readonly start: number;
  /** offset behind its last character */
  readonly end: number;
  /**
   * A word folded to lower case, a name without its quotes, an operator or mark as written; empty for constants and
   * parameters.
   */
  readonly text: string;
}

/**
 * Splits SQL into tokens as PostgreSQL does, in linear time. White space and comments are the gaps between tokens.
 *
 * @returns `undefined` if the text is not understood: an element is not terminated, no version of PostgreSQL accepts
 *   it, or versions differ about it
 */
export function tokenize(sql: string): Token[] | undefined {
  if (sql.includes('\0')) {
    return undefined; // the server would see only the text before it
  }
  const tokens: Token[] = [];
  for (let at = endOfGaps(sql, 0); at !== sql.length; at = endOfGaps(sql, tokens.at(-1)!.end)) {
    const token = at < 0 ? undefined : tokenAt(sql, at);
    if (!token || token.end <= at) {
      return undefined;
    }
    tokens.push(token);
  }
  return tokens;
}

/** The offset behind white space and comments; -1 if a comment is not terminated. */
function endOfGaps(sql: string, start: number): number {
  let at = start;
  for (;;) {
    const code = sql.charCodeAt(at);
    if (code === 0x2d && sql.charCodeAt(at + 1) === 0x2d) {
      at = endOfLineComment(sql, at);
    } else if (code === 0x2f && sql.charCodeAt(at + 1) === 0x2a) {
      at = endOfBlockComment(sql, at);
      if (at < 0) {
        return -1;
      }
    } else if (code === 0x20 || (code >= 0x09 && code <= 0x0d)) {
      at = endOfSpace(sql, at);
    } else {
      return at;
    }
  }
}

/** Returns a token that does not end behind its start if the token has no end. */
function tokenAt(sql: string, at: number): Token | undefined {
  const char = sql[at]!;
  const next = sql[at + 1] ?? '';
  switch (char) {
    case "'":
      return constant('string', at, endOfString(sql, at, false));
    case '"':
      return nameToken(sql, at, endOfQuotedName(sql, at));
    case '$':
      return isDigit(next)
        ? constant('parameter', at, unlessWordFollows(sql, endOfParameter(sql, at)))
        : constant('string', at, endOfDollarString(sql, at));
    case '(':
    case ')':
    case '[':
    case ']':
    case ',':
    case ';':
      return { kind: 'mark', start: at, end: at + 1, text: char };
    case ':':
      return next === ':' || next === '='
        ? { kind: 'mark', start: at, end: at + 2, text: char + next }
        : { kind: 'mark', start: at, end: at + 1, text: char };
    case '.':
      if (!isDigit(next)) {
        return { kind: 'mark', start: at, end: at + 1, text: char };
      }
      break;
  }
  if (isDigit(char) || char === '.') {
    return constant('number', at, unlessWordFollows(sql, endOfNumber(sql, at)));
  }
  return startsWord(char) ? wordToken(sql, at, char + next) : operatorToken(sql, at);
}

/** A word, unless its first letter is the prefix of a quoted constant or name. */
function wordToken(sql: string, at: number, start: string): Token | undefined {
  switch (start) {
    case "e'":
    case "E'":
      return constant('string', at, endOfString(sql, at + 1, true));
    case "b'":
    case "B'":
    case "x'":
    case "X'":
      return constant('string', at, endOfString(sql, at + 1, false));
    case 'u&':
    case 'U&':
      if (sql[at + 2] === "'") {
        return constant('string', at, endOfString(sql, at + 2, false));
      }
      if (sql[at + 2] === '"') {
        return undefined; // a name written with escapes
      }
  }
  const end = endOfWord(sql, at);
  return { kind: 'word', start: at, end, text: foldWord(sql.slice(at, end)) };
}

function nameToken(sql: string, start: number, end: number): Token | undefined {
  const text = end < 0 ? undefined : unquoteName(sql.slice(start, end));
  return text === undefined ? undefined : { kind: 'name', start, end, text };
}

function operatorToken(sql: string, start: number): Token {
  const end = endOfOperator(sql, start);
  return { kind: 'operator', start, end, text: sql.slice(start, end) };
}

function constant(kind: TokenKind, start: number, end: number): Token {
  return { kind, start, end, text: '' };
}

/** `1returning` is two tokens up to PostgreSQL 14, and an error since 15. */
function unlessWordFollows(sql: string, end: number): number {
  return end < sql.length && startsWord(sql[end]!) ? -1 : end;
}

function isDigit(char: string): boolean {
  return char >= '0' && char <= '9';
}

function startsWord(char: string): boolean {
  return (char >= 'a' && char <= 'z') || (char >= 'A' && char <= 'Z') || char === '_' || char >= '\u0080';
}
