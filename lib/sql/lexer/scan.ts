/**
 * Finds the ends of PostgreSQL's lexical elements. Each function takes the offset where an element starts and returns
 * the offset behind it, or -1 if the text ends first.
 *
 * Assumes standard-conforming strings: a backslash escapes in E'…' only.
 */

const NEWLINE = /[\n\r]/g;
const COMMENT_EDGE = /\/\*|\*\//g;
const ESCAPE_OR_QUOTE = /['\\]/g;
const TAG = /\$(?:[A-Za-z_\u0080-\uffff][A-Za-z0-9_\u0080-\uffff]*)?\$/y;
// accepts a bit more than PostgreSQL, such as `1__0`; that is harmless, and needs no memory
const NUMBER =
  /0[xX][\dA-Fa-f_]+|0[oO][0-7_]+|0[bB][01_]+|(?:\d[\d_]*(?:\.(?!\.)[\d_]*)?|\.\d[\d_]*)(?:[eE][+-]?\d[\d_]*)?/y;
const PARAMETER = /\$\d+/y;
const WORD = /[A-Za-z0-9_$\u0080-\uffff]+/y;
const SPACE = /[ \t\n\r\f\v]+/y;
const WHITE = ' \t\n\r\f\v';
/** one more than PostgreSQL's longest operator */
const MAX_OPERATOR = 64;
const OPERATOR = new RegExp(`[~!@#^&|\`?+\\-*/%<>=]{1,${MAX_OPERATOR}}`, 'y');
const BEYOND_STANDARD = /[~!@#^&|`?%]/;

export function endOfSpace(sql: string, start: number): number {
  return endOfMatch(SPACE, sql, start);
}

export function endOfWord(sql: string, start: number): number {
  return endOfMatch(WORD, sql, start);
}

export function endOfNumber(sql: string, start: number): number {
  return endOfMatch(NUMBER, sql, start);
}

/** `$1`; returns `start` if no parameter starts here. */
export function endOfParameter(sql: string, start: number): number {
  return endOfMatch(PARAMETER, sql, start);
}

/** A comment to the end of the line, without the line break. */
export function endOfLineComment(sql: string, start: number): number {
  NEWLINE.lastIndex = start;
  return NEWLINE.exec(sql)?.index ?? sql.length;
}

/** Block comments nest. */
export function endOfBlockComment(sql: string, start: number): number {
  COMMENT_EDGE.lastIndex = start;
  let depth = 0;
  for (let edge = COMMENT_EDGE.exec(sql); edge; edge = COMMENT_EDGE.exec(sql)) {
    depth += edge[0] === '/*' ? 1 : -1;
    if (depth === 0) {
      return COMMENT_EDGE.lastIndex;
    }
  }
  return -1;
}

/** @param start offset of the opening double quote; two double quotes are one in the name */
export function endOfQuotedName(sql: string, start: number): number {
  return endOfDoubled(sql, start, '"');
}

/**
 * @param start offset of the opening quote
 * @param escapes whether a backslash escapes: in E'…'
 */
export function endOfString(sql: string, start: number, escapes: boolean): number {
  let end = start;
  for (let quote = start; quote >= 0; quote = continuation(sql, end)) {
    end = escapes ? endOfEscaped(sql, quote) : endOfDoubled(sql, quote, "'");
    if (end < 0) {
      return -1;
    }
  }
  return end;
}

/** `$tag$ … $tag$`; returns `start` if no such string starts here. */
export function endOfDollarString(sql: string, start: number): number {
  const opened = endOfMatch(TAG, sql, start);
  if (opened === start) {
    return start;
  }
  const tag = sql.slice(start, opened);
  const closed = sql.indexOf(tag, opened);
  return closed < 0 ? -1 : closed + tag.length;
}

/**
 * A run of operator characters, up to a comment that starts in it. As in PostgreSQL, trailing `+` and `-` do not
 * belong to it, unless it has a character that no standard operator has: `a=-1` is `a = -1`. Returns -1 for a run
 * longer than any operator, so that the time stays linear.
 */
export function endOfOperator(sql: string, start: number): number {
  let end = endOfMatch(OPERATOR, sql, start);
  for (const opening of ['/*', '--']) {
    const comment = sql.slice(start, end).indexOf(opening);
    end = comment > 0 ? start + comment : end;
  }
  if (end - start === MAX_OPERATOR) {
    return -1;
  }
  if (!BEYOND_STANDARD.test(sql.slice(start, end))) {
    while (end - start > 1 && (sql[end - 1] === '+' || sql[end - 1] === '-')) {
      end--;
    }
  }
  return end;
}

function endOfMatch(pattern: RegExp, sql: string, start: number): number {
  pattern.lastIndex = start;
  return pattern.test(sql) ? pattern.lastIndex : start;
}

function endOfDoubled(sql: string, start: number, quote: string): number {
  let end = sql.indexOf(quote, start + 1);
  while (end >= 0 && sql[end + 1] === quote) {
    end = sql.indexOf(quote, end + 2);
  }
  return end < 0 ? -1 : end + 1;
}

function endOfEscaped(sql: string, start: number): number {
  ESCAPE_OR_QUOTE.lastIndex = start + 1;
  for (let found = ESCAPE_OR_QUOTE.exec(sql); found; found = ESCAPE_OR_QUOTE.exec(sql)) {
    if (found[0] === "'" && sql[found.index + 1] !== "'") {
      return found.index + 1;
    }
    ESCAPE_OR_QUOTE.lastIndex = found.index + 2;
  }
  return -1;
}

/**
 * The offset where a closed string continues, or -1. In standard SQL, strings separated by white space with a line
 * break are one string. This matters for E'…', because its rules also apply to the continuation.
 */
function continuation(sql: string, closed: number): number {
  let at = closed;
  let broken = false;
  for (;;) {
    const char = sql[at];
    if (char === '-' && sql[at + 1] === '-') {
      at = endOfLineComment(sql, at);
    } else if (char !== undefined && WHITE.includes(char)) {
      broken ||= char === '\n' || char === '\r';
      at++;
    } else {
      return broken && char === "'" ? at : -1;
    }
  }
}
