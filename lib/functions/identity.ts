import { hash } from 'node:crypto';
import { CacheopsError } from '../config/error.js';

/** Digests of functions without a name of their own, as far as they were wrapped in this program. */
const wrapped = new Set<string>();

/** What a function is known by. */
export interface Identity {
  /** for people */
  readonly name: string;
  /** of its source text, so that a deploy which changes it starts anew; `''` if it was given a name */
  readonly digest: string;
}

/**
 * What tells a function from others: its name, if it was given one, or else a digest of its source text. Two functions
 * of the same text may have captured different things, which nobody can see; so the second of them is refused.
 *
 * @param name the option `name`
 * @throws CacheopsError
 */
export function identityOf(
  fn: (...args: never[]) => unknown,
  name: string | undefined,
  where: string,
): Identity {
  if (name !== undefined) {
    return { name, digest: '' };
  }
  const source = String(fn);
  const label = fn.name || 'function';
  if (source.includes('[native code]')) {
    throw new CacheopsError(
      `${where}: ${label} has no source text to know it by. Give it a name: { name: '…' }.`,
    );
  }
  const digest = hash('sha256', source, 'base64url');
  if (wrapped.has(`${label} ${digest}`)) {
    throw new CacheopsError(
      `${where}: a function of the same source text as ${label} was wrapped before, and what the two have captured may ` +
        `differ. Wrap it once, outside, and pass what differs as arguments; or give each a name: { name: '…' }.`,
    );
  }
  wrapped.add(`${label} ${digest}`);
  return { name: label, digest };
}

/** What tells a method from others: its class, its name and a digest of its source text. */
export function methodIdentityOf(
  fn: (...args: never[]) => unknown,
  method: string | symbol,
): (self: unknown) => Identity {
  const digest = hash('sha256', String(fn), 'base64url');
  return self => ({ name: `${classNameOf(self)}.${String(method)}`, digest });
}

/** Of the object that the method is called on: a method that is inherited may give something else there. */
function classNameOf(self: unknown): string {
  if (typeof self === 'function') {
    return `static ${self.name}`;
  }
  const name = (self as object | null | undefined)?.constructor?.name;
  return name || 'a class without a name';
}
