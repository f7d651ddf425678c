/**
 * A stamp that counts: `token:0000000007`. Each step that comes to its dependency makes it one more, and is kept in its
 * *trail*, so that whoever has seen an earlier count can learn what has happened since. The digits are of a fixed
 * number, so that a seal stays as long as it is when one of its stamps is replaced by a later one.
 */
const DIGITS = 10;
const MOST = 10 ** DIGITS - 1;
const COLON = ':';

export function firstCounted(token: string): string {
  return `${token}${COLON}${'0'.repeat(DIGITS)}`;
}

/** So many steps later; `undefined` if it cannot count that far. */
export function advanced(stamp: string, steps: number): string | undefined {
  const count = Number(stamp.slice(-DIGITS)) + steps;
  return count <= MOST ? stamp.slice(0, -DIGITS) + String(count).padStart(DIGITS, '0') : undefined;
}

/** How many steps lead from a stamp to another; `undefined` if none does. */
export function stepsBetween(earlier: string, later: string): number | undefined {
  const isSame = earlier.length === later.length && earlier.slice(0, -DIGITS) === later.slice(0, -DIGITS);
  if (!isSame || earlier.at(-DIGITS - 1) !== COLON) {
    return undefined;
  }
  const steps = Number(later.slice(-DIGITS)) - Number(earlier.slice(-DIGITS));
  return steps > 0 ? steps : undefined;
}
