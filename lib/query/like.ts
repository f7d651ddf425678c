/**
 * Can a LIKE with this pattern be evaluated here? A pattern that ends in a lone backslash may raise an error in the
 * database.
 */
export function isPattern(pattern: string): boolean {
  return /^(?:[^\\]|\\.)*$/s.test(pattern);
}

/**
 * `text LIKE pattern` under a deterministic collation: `%` matches any characters, `_` one, and a backslash escapes
 * the next character. Characters are code points.
 *
 * @param pattern one that {@link isPattern}
 */
export function matchesPattern(pattern: string, text: string): boolean {
  const wanted = piecesOf(pattern);
  const given = Array.from(text);
  // the position to continue from if the last `%` must match one more character
  let retry = -1;
  let consumed = 0;
  let at = 0;
  let piece = 0;
  while (at < given.length) {
    const next = wanted[piece];
    if (next === ANY) {
      retry = ++piece;
      consumed = at;
    } else if (next !== undefined && (next === ONE || next === given[at])) {
      piece++;
      at++;
    } else if (retry >= 0) {
      piece = retry;
      at = ++consumed;
    } else {
      return false;
    }
  }
  return wanted.slice(piece).every(rest => rest === ANY);
}

const ANY = Symbol('%');
const ONE = Symbol('_');

function piecesOf(pattern: string): (string | typeof ANY | typeof ONE)[] {
  return Array.from(pattern.matchAll(/\\(.)|./gsu), ([text, escaped]) =>
    escaped !== undefined ? escaped : text === '%' ? ANY : text === '_' ? ONE : text,
  );
}
