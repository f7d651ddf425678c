/**
 * An SQL text without its constants: two texts with the same skeleton differ in these only, so that whatever was
 * learnt from reading the one holds for the other. It is found in a fraction of the time that reading takes.
 *
 * @returns `undefined` for a text in which something else than plain quotes may tell where a constant ends:
 * backslashes, dollar quotes, comments
 */
export function skeletonOf(sql: string): string | undefined {
  if (sql.includes('\\') || sql.includes(MARK)) {
    return undefined;
  }
  const skeleton = sql.replace(CONSTANT, `$1${MARK}`).replace(LIST, MARK);
  return OTHER_QUOTES.test(skeleton) ? undefined : skeleton;
}

/** Stands for a constant; no SQL has it. */
const MARK = '\0';
/** A quoted name, which stays what it is; a string; a number. Without a backslash, these are PostgreSQL's rules. */
const CONSTANT =
  /("(?:[^"]|"")*")|'(?:[^']|'')*'|(?<![\w$.\u0080-\uffff])\d+(?:\.\d+)?(?![\w$.\u0080-\uffff])/g;
/** Lists of constants differ in how many there are. (The mark after a name is none.) */
const LIST = /(?<!")\0(?:, \0)+/g;
const OTHER_QUOTES = /\$|--|\/\*|u&/i;

/** `undefined` if any of them has none. */
export function skeletonsOf(statements: readonly string[]): readonly string[] | undefined {
  const skeletons = statements.map(skeletonOf);
  return skeletons.includes(undefined) ? undefined : (skeletons as string[]);
}

export function haveSkeletons(statements: readonly string[], skeletons: readonly string[]): boolean {
  return (
    statements.length === skeletons.length && statements.every((sql, i) => skeletonOf(sql) === skeletons[i])
  );
}
