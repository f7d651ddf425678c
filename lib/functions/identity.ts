import { hash, randomUUID } from 'node:crypto';
import { CacheopsError } from '../config/error.js';
import { definitionPlace } from './definition_place.js';

/** What a function is known by. */
export interface Identity {
  /** for people */
  readonly name: string;
  /** of its source text, so that a deploy which changes it starts anew; `''` if it was given a name */
  readonly digest: string;
  /**
   * Tells it from others of the same name and text: where it is defined. Of one whose captured variables may be others
   * than those of its like, a random text: its results are its own. `''` if it was given a name.
   */
  readonly variant: string;
  /** why its results are its own */
  readonly isPrivate?: boolean;
}

type AnyFunction = (...args: never[]) => unknown;

/**
 * By name, text and place: what was wrapped there first. A place is code of a module, which is run once. If it is run
 * again all the same (a loop, a module that a test or a hot reload evaluates again), what the functions have captured may
 * differ.
 */
const wrapped = new Map<string, Wrapped>();

/** One function or method that was wrapped. */
class Wrapped {
  readonly digest: string;
  readonly #place: string | undefined;
  #own: string | undefined;

  /** @param wrapper what wraps it */
  constructor(label: string, source: string, wrapper: AnyFunction) {
    this.digest = hash('sha256', source, 'base64url');
    this.#place = definitionPlace(wrapper);
    const id = JSON.stringify([label, this.digest, this.#place]);
    const first = this.#place === undefined ? this : wrapped.get(id);
    if (first) {
      first.#own ??= randomUUID();
      this.#own ??= randomUUID();
    } else {
      wrapped.set(id, this);
    }
  }

  get isPrivate(): boolean {
    return this.#own !== undefined;
  }

  get variant(): string {
    return this.#own ?? this.#place!;
  }
}

/**
 * What tells a function from others: its name, if it was given one; or else its source text and where in a module it is
 * wrapped. One that is wrapped within another function, or twice at one place, shares its results with no other, since
 * nobody can see what they have captured.
 *
 * @param name the option `name`
 * @param wrapper what wraps it: whatever calls that is the place
 * @throws CacheopsError if it has neither a name nor a text
 */
export function identityOf(
  fn: AnyFunction,
  name: string | undefined,
  where: string,
  wrapper: AnyFunction,
): () => Identity {
  if (name !== undefined) {
    return named(name);
  }
  const source = String(fn);
  const label = fn.name || 'function';
  if (isNative(source)) {
    throw new CacheopsError(
      `${where}: ${label} has no source text to know it by. Give it a name: { name: '…' }.`,
    );
  }
  const known = new Wrapped(label, source, wrapper);
  return () => ({ name: label, digest: known.digest, variant: known.variant, isPrivate: known.isPrivate });
}

/**
 * What tells a method from others: the class of the object that it is called on, since a method that is inherited may give
 * something else there; its name, its source text, and where it is decorated.
 *
 * @param name the option `name`
 * @param wrapper the decorator: whatever calls that is the place
 */
export function methodIdentityOf(
  fn: AnyFunction,
  method: string | symbol,
  name: string | undefined,
  wrapper: AnyFunction,
): (self: unknown) => Identity {
  if (name !== undefined) {
    return named(name);
  }
  const source = String(fn);
  const known = new Wrapped(String(method), source, wrapper);
  const classes = new ClassNames();
  return self => {
    const [className, ofClass] = classes.of(self);
    return {
      name: `${className}.${String(method)}`,
      digest: known.digest,
      variant: `${isNative(source) ? UNKNOWN : ''}${ofClass}${known.variant}`,
      isPrivate: known.isPrivate || ofClass !== '' || isNative(source),
    };
  };
}

/** Of what has no source text. */
const UNKNOWN = randomUUID();

/**
 * Names of the classes that have a method. Two classes of one name (made by a function that is called twice) are told
 * apart by a random text.
 */
class ClassNames {
  readonly #first = new Map<string, WeakRef<object>>();
  readonly #others = new WeakMap<object, string>();

  of(self: unknown): readonly [name: string, variant: string] {
    const owner = classOf(self);
    const name = nameOf(self, owner);
    if (!owner) {
      return [name, ''];
    }
    const known = this.#first.get(name);
    if (!known) {
      this.#first.set(name, new WeakRef(owner));
    } else if (known.deref() !== owner) {
      const first = known.deref();
      for (const each of first ? [first, owner] : [owner]) {
        if (!this.#others.has(each)) {
          this.#others.set(each, randomUUID());
        }
      }
    }
    return [name, this.#others.get(owner) ?? ''];
  }
}

function classOf(self: unknown): object | undefined {
  const owner = typeof self === 'function' ? self : (self as object | null | undefined)?.constructor;
  return typeof owner === 'function' ? owner : undefined;
}

function nameOf(self: unknown, owner: object | undefined): string {
  const name = (owner as { readonly name: string } | undefined)?.name;
  return `${typeof self === 'function' ? 'static ' : ''}${name || 'a class without a name'}`;
}

function named(name: string): () => Identity {
  const identity: Identity = { name, digest: '', variant: '' };
  return () => identity;
}

function isNative(source: string): boolean {
  return source.includes('[native code]');
}

const warned = new WeakSet<object>();

/**
 * Says once that results are not shared with other processes.
 *
 * @param fn what was wrapped
 */
export function warnIfPrivate(fn: object, { name, isPrivate }: Identity): void {
  if (isPrivate && !warned.has(fn)) {
    warned.add(fn);
    process.emitWarning(
      `${name} is defined within a function, or several times at one place, so that its results are shared with no other ` +
        `process: what it has captured may differ. Define it once, in the code of a module, or give it a name: { name: '…' }.`,
      { type: 'CacheopsWarning', code: 'CACHEOPS_PRIVATE_FUNCTION' },
    );
  }
}
