import { list, show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import { didYouMean } from '../../config/nearest.js';

/** The arguments of a tag: `{% tag a, b, name=value %}`. */
export interface TagArguments {
  readonly positional: readonly unknown[];
  readonly named: Readonly<Record<string, unknown>>;
}

/** Nunjucks passes named arguments as the last argument, an object with a marker. */
export function splitArguments(given: readonly unknown[]): TagArguments {
  const last = given.at(-1) as Record<string, unknown> | undefined;
  if (typeof last !== 'object' || last === null || !Object.hasOwn(last, '__keywords')) {
    return { positional: given, named: {} };
  }
  const { __keywords: _, ...named } = last;
  return { positional: given.slice(0, -1), named };
}

/**
 * @param counts the least and the most positional arguments
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
      `{% ${tag} %}: ${positional.length} arguments, expected ${expected}. Options are given by name: ${list(names.map(name => `${name}=…`))}.`,
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

/**
 * @throws CacheopsError for a missing variable, because a fragment with an `undefined` sample would never be dropped
 */
export function checkSample(tag: string, sample: unknown): void {
  if (sample === undefined || sample === null) {
    throw new CacheopsError(
      `{% ${tag} %}: the sample is ${show(sample)}. Put it in the template's context, or use {% cached timeout=… %}.`,
    );
  }
}
