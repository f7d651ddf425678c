/**
 * The words for which PostgreSQL's date/time input reads the clock. A word consists of letters, and any other
 * character ends it: `at now()`, `[now,infinity)` and `{now}` name the present, `nowhere` does not. In a range, an
 * array or a row, each level may remove a backslash or a double quote before the element is read, so these may stand
 * anywhere in a word.
 *
 * Any text with such a word counts, because it is often unknown whether the text reaches a date/time type. (The words
 * are `RESERV` in the token table of src/backend/utils/adt/datetime.c.)
 */
const CLOCK_WORD = new RegExp(
  `(?<![a-z])(?:${['now', 'today', 'tomorrow', 'yesterday'].map(word => [...word].join('["\\\\]*')).join('|')})(?![a-z])`,
  'i',
);

/** Whether a date/time type may read the clock for this text. */
export function mayReadClock(text: string): boolean {
  return CLOCK_WORD.test(text);
}

/**
 * The same for any text in a value, at any depth. Keys of objects are not checked, because they name properties and
 * options.
 */
export function mayReadClockIn(value: unknown): boolean {
  if (typeof value === 'string') {
    return mayReadClock(value);
  }
  if (value === null || typeof value !== 'object' || ArrayBuffer.isView(value) || value instanceof Date) {
    return false;
  }
  return Object.values(value).some(mayReadClockIn);
}

/**
 * The same for a string constant as written in SQL. A constant counts if its text cannot be read here: characters
 * written as codes, or parts on several lines.
 */
export function constantMayReadClock(sql: string): boolean {
  const prefix = PREFIX.exec(sql)![0];
  if (prefix === '$') {
    return mayReadClock(sql);
  }
  const isEscaped = /^e/i.test(prefix);
  const text = sql.slice(prefix.length, -1).replaceAll("''", ' ');
  const decoded = isEscaped ? text.replace(ESCAPE, (_, char: string) => ESCAPED[char] ?? char) : text;
  return (
    /^u/i.test(prefix) ||
    (isEscaped && CODE.test(text)) ||
    (isEscaped ? text.replace(ESCAPE, '') : text).includes("'") ||
    mayReadClock(decoded)
  );
}

/** The prefix up to the opening quote; for a dollar-quoted string, the first dollar. */
const PREFIX = /^(?:\w?'|[uU]&'|\$)/;
const ESCAPE = /\\(.)/gs;
const ESCAPED: Readonly<Record<string, string>> = { b: ' ', f: ' ', n: ' ', r: ' ', t: ' ' };
const CODE = /\\[\dxuU]/;
