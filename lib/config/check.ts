import { inspect } from 'node:util';
import { CacheopsError } from './error.js';
import { didYouMean } from './nearest.js';

/** The longest that setTimeout can wait, in milliseconds; 68 years in seconds. */
export const LONGEST = 2 ** 31 - 1;

/** A value in a message: one short line. */
export function show(value: unknown): string {
  return inspect(value, { depth: 0, breakLength: Infinity, maxArrayLength: 5, maxStringLength: 60 });
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * @param where the name of the options in messages
 * @throws CacheopsError if it is no object, or has an unknown key, which is most likely a typo
 */
export function checkKeys(
  value: unknown,
  known: readonly string[],
  where: string,
): asserts value is Record<string, unknown> {
  if (!isObject(value)) {
    throw new CacheopsError(`${where}: ${show(value)} is no object. Give an object with ${list(known)}.`);
  }
  for (const key in value) {
    if (!known.includes(key)) {
      const hint = didYouMean(key, known);
      throw new CacheopsError(
        `${where}: there is no option '${key}'.${hint} The options are ${list(known)}.`,
      );
    }
  }
}

/** @throws CacheopsError if it is no whole number from `least` to {@link LONGEST} */
export function checkInteger(value: unknown, least: number, where: string, unit?: string): number {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > LONGEST) {
    const what = unit ? `a whole number of ${unit}` : 'a whole number';
    throw new CacheopsError(`${where}: ${show(value)} is not ${what}. Give one from ${least} to ${LONGEST}.`);
  }
  return value as number;
}

/** @throws CacheopsError if it is neither true nor false */
export function checkBoolean(value: unknown, where: string): boolean {
  if (typeof value !== 'boolean') {
    throw new CacheopsError(`${where}: ${show(value)} is neither true nor false.`);
  }
  return value;
}

/** `a, b and c` */
export function list(words: readonly string[]): string {
  return words.length > 1 ? `${words.slice(0, -1).join(', ')} and ${words.at(-1)}` : words.join();
}
