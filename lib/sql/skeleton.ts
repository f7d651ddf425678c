/**
 * An SQL text without its constants. Two texts with the same skeleton differ only in constants, so an analysis of one
 * holds for the other. Computing it takes a fraction of the time that parsing takes.
 *
 * @returns `undefined` if plain quotes are not enough to find the ends of the constants: backslashes, dollar quotes,
 *   comments
 */
export function skeletonOf(sql: string): string | undefined {
  if (sql.includes('\\') || sql.includes(MARK)) {
    return undefined;
  }
  const skeleton = sql.replace(CONSTANT, `$1${MARK}`).replace(LIST, MARK);
  return OTHER_QUOTES.test(skeleton) ? undefined : skeleton;
}

/** Replaces a constant; no SQL contains it. */
const MARK = '\0';
/** A quoted name, which is kept; a string; a number. Without backslashes, these are PostgreSQL's rules. */
const CONSTANT =
  /("(?:[^"]|"")*")|'(?:[^']|'')*'|(?<![\w$.\u0080-\uffff])\d+(?:\.\d+)?(?![\w$.\u0080-\uffff])/g;
/** Lists of constants may differ in length. (A mark after a quoted name is not a constant.) */
const LIST = /(?<!")\0(?:, \0)+/g;
const OTHER_QUOTES = /\$|--|\/\*|u&/i;

/** `undefined` if one of them has none. */
export function skeletonsOf(statements: readonly string[]): readonly string[] | undefined {
  const skeletons = statements.map(skeletonOf);
  return skeletons.includes(undefined) ? undefined : (skeletons as string[]);
}

export function haveSkeletons(statements: readonly string[], skeletons: readonly string[]): boolean {
  return (
    statements.length === skeletons.length && statements.every((sql, i) => skeletonOf(sql) === skeletons[i])
  );
}
