import { inspect, isDeepStrictEqual } from 'node:util';

/** A claim of the demo is wrong. */
export class WrongClaim extends Error {
  override readonly name = 'WrongClaim';
}

/** @throws WrongClaim if it does not hold */
export function claim(holds: boolean, otherwise: string): void {
  if (!holds) {
    throw new WrongClaim(otherwise);
  }
}

/** @throws WrongClaim if both are not the same */
export function claimEqual(what: string, found: unknown, expected: unknown): void {
  claim(
    isDeepStrictEqual(found, expected),
    `${what}: ${inspect(found)}, but it should be ${inspect(expected)}`,
  );
}
