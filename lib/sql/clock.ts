/**
 * The words for which PostgreSQL's date/time input reads the clock. Letters end a word and everything else separates
 * words there, so `at now()`, `[now,infinity)` and `{now}` name the present, and `nowhere` does not. In a range, an array
 * or a row, a backslash or a double quote may be removed at each level before the element is read, so both count as
 * anything.
 *
 * Whether a text reaches a date/time type is often not certain, so any text with such a word counts. (The words are
 * `RESERV` in the table of tokens of src/backend/utils/adt/datetime.c.)
 */
const CLOCK_WORD = new RegExp(
  `(?<![a-z])(?:${['now', 'today', 'tomorrow', 'yesterday'].map(word => [...word].join('["\\\\]*')).join('|')})(?![a-z])`,
  'i',
);

/** Whether a date/time type may read the clock for this text. */
export function mayReadClock(text: string): boolean {
  return CLOCK_WORD.test(text);
}

/** The same for any text in a value, however deep. Keys of objects are names of properties and options. */
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
 * The same for a string constant as it stands in SQL. Where its text is not in plain sight (characters named by their
 * codes, parts on several lines) it counts as such a word.
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

/** Up to the opening quote; of a string in dollar quotes, the first dollar. */
const PREFIX = /^(?:\w?'|[uU]&'|\$)/;
const ESCAPE = /\\(.)/gs;
const ESCAPED: Readonly<Record<string, string>> = { b: ' ', f: ' ', n: ' ', r: ' ', t: ' ' };
const CODE = /\\[\dxuU]/;
