import { list, show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import { didYouMean } from '../../config/nearest.js';

/** What a tag was given: `{% tag a, b, name=value %}`. */
export interface TagArguments {
  readonly positional: readonly unknown[];
  readonly named: Readonly<Record<string, unknown>>;
}

/** Nunjucks passes named arguments as a last object that it marks. */
export function splitArguments(given: readonly unknown[]): TagArguments {
  const last = given.at(-1) as Record<string, unknown> | undefined;
  if (typeof last !== 'object' || last === null || !Object.hasOwn(last, '__keywords')) {
    return { positional: given, named: {} };
  }
  const { __keywords: _, ...named } = last;
  return { positional: given.slice(0, -1), named };
}

/**
 * @param counts how many arguments without a name there may be, at least and at most
 * @throws CacheopsError
 */
export function checkArguments(
  tag: string,
  { positional, named }: TagArguments,
  counts: readonly [number, number],
  names: readonly string[],
): void {
  const [least, most] = counts;
  if (positional.length < least || positional.length > most) {
    const expected = least === most ? `${least}` : `${least} to ${most}`;
    throw new CacheopsError(
      `{% ${tag} %}: ${positional.length} arguments, where ${expected} belong. Options are given by name: ${list(names.map(name => `${name}=…`))}.`,
    );
  }
  for (const name of Object.keys(named)) {
    if (!names.includes(name)) {
      throw new CacheopsError(
        `{% ${tag} %}: there is no option '${name}'.${didYouMean(name, names)} The options are ${list(names)}.`,
      );
    }
  }
}

/** @throws CacheopsError where a variable is missing: an `undefined` sample would be kept and never dropped */
export function checkSample(tag: string, sample: unknown): void {
  if (sample === undefined || sample === null) {
    throw new CacheopsError(
      `{% ${tag} %}: the sample is ${show(sample)}. Put it in the template's context, or use {% cached timeout=… %}.`,
    );
  }
}
