/**
 * A versioned stamp: `token:0000000007`. Each row delta of its dependency adds one, and is kept in the stamp's *trail*,
 * so that a reader with an earlier version can get the deltas since. The number of digits is fixed, so that the length
 * of a seal does not change when a later stamp replaces an earlier one.
 */
const DIGITS = 10;
const MOST = 10 ** DIGITS - 1;
const COLON = ':';

export function firstCounted(token: string): string {
  return `${token}${COLON}${'0'.repeat(DIGITS)}`;
}

/** The stamp after so many row deltas; `undefined` if the version would overflow. */
export function advanced(stamp: string, steps: number): string | undefined {
  const count = Number(stamp.slice(-DIGITS)) + steps;
  return count <= MOST ? stamp.slice(0, -DIGITS) + String(count).padStart(DIGITS, '0') : undefined;
}

/** The number of row deltas between two stamps; `undefined` if `later` is not a later version of `earlier`. */
export function stepsBetween(earlier: string, later: string): number | undefined {
  const isSame = earlier.length === later.length && earlier.slice(0, -DIGITS) === later.slice(0, -DIGITS);
  if (!isSame || earlier.at(-DIGITS - 1) !== COLON) {
    return undefined;
  }
  const steps = Number(later.slice(-DIGITS)) - Number(earlier.slice(-DIGITS));
  return steps > 0 ? steps : undefined;
}
