import { hash } from 'node:crypto';
import { show } from '../config/check.js';
import { CacheopsError } from '../config/error.js';
import { identityOf } from '../orm/context/unknown_code.js';
import { definitionPlace } from './definition_place.js';

/** Tells a cached function from others. */
export interface Identity {
  /** for events and messages */
  readonly name: string;
  /** a digest of the source text, so that a deployment that changes it starts anew; `''` if it was given a name */
  readonly digest: string;
  /**
   * Tells it from others of the same name and text: the place where it is defined, or, if it may have captured other
   * variables than they have, a text that no other process has. `''` if it was given a name.
   */
  readonly variant: string;
  /** its results are shared with no other process */
  readonly isPrivate?: boolean;
}

type AnyClass = abstract new (...args: never[]) => object;
type AnyFunction = (...args: never[]) => unknown;

/**
 * By name, text and place, the function that was wrapped there first. A place is code of a module, which runs once. If it
 * runs again (in a loop, or because a test or a hot reload evaluates the module again), the functions may have captured
 * other variables.
 */
const wrapped = new Map<string, Wrapped>();

class Wrapped {
  isPrivate = false;
  readonly digest: string;
  readonly #place: string | undefined;

  /** @param wrapper the function that wraps it */
  constructor(label: string, source: string, wrapper: AnyFunction) {
    this.digest = hash('sha256', source, 'base64url');
    this.#place = definitionPlace(wrapper);
    const id = JSON.stringify([label, this.digest, this.#place]);
    const first = this.#place === undefined ? this : wrapped.get(id);
    if (first) {
      first.isPrivate = true;
      this.isPrivate = true;
    } else {
      wrapped.set(id, this);
    }
  }

  get variant(): string {
    return this.isPrivate ? identityOf(this) : this.#place!;
  }
}

/**
 * The identity of a function: the name that it was given, or else its source text and the place in a module where it is
 * wrapped. A function that is wrapped within another function, or twice at one place, shares its results with no other
 * process, because its captured variables cannot be read.
 *
 * @param name the option `name`
 * @param wrapper the function that wraps it: the place is its caller
 * @throws CacheopsError if it has neither a name nor a text, or is no function
 */
export function functionIdentity(
  fn: AnyFunction,
  name: string | undefined,
  where: string,
  wrapper: AnyFunction,
): () => Identity {
  if (typeof fn !== 'function') {
    throw new CacheopsError(
      `${where}: ${show(fn)} is no function. The function stands in parentheses of its own: ${where.replace('()', '(…)')}(async em => …).`,
    );
  }
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
 * The identity of a method: the class of the object that it is called on, and the texts of the classes that inherit it,
 * because an inherited method may give another result there; its name, its source text, and the place where it is
 * decorated.
 *
 * @param name the option `name`
 * @param wrapper the decorator: the place is its caller
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
  const subclasses = new SubclassTexts(method);
  return self => {
    const [className, ofClass] = classes.of(self);
    return {
      name: `${className}.${String(method)}`,
      digest: known.digest,
      variant: `${isNative(source) ? identityOf(known) : ''}${ofClass}${subclasses.of(self)}${known.variant}`,
      isPrivate: known.isPrivate || ofClass !== '' || isNative(source),
    };
  };
}

/**
 * Digests of the texts of the classes that inherit a method. Another process may have another class of the same name, in
 * which the method gives other results.
 */
class SubclassTexts {
  readonly #method: string | symbol;
  readonly #known = new WeakMap<object, string>();

  constructor(method: string | symbol) {
    this.#method = method;
  }

  /** `''` for an object of the class that has the method. */
  of(self: unknown): string {
    const first = typeof self === 'function' ? self : classOf(self)?.prototype;
    if (!first) {
      return '';
    }
    let digest = this.#known.get(first);
    if (digest === undefined) {
      const texts = this.#textsFrom(first);
      digest = texts.length > 0 ? hash('sha256', texts.join('\n'), 'base64url') : '';
      this.#known.set(first, digest);
    }
    return digest;
  }

  #textsFrom(first: object): string[] {
    const texts: string[] = [];
    let count = 0;
    for (let holder: object | null = first; holder; holder = Object.getPrototypeOf(holder)) {
      if (Object.hasOwn(holder, this.#method)) {
        count = texts.length; // a subclass may have a method that calls the inherited one
      }
      texts.push(String(typeof holder === 'function' ? holder : holder.constructor));
    }
    return texts.slice(0, count);
  }
}

/**
 * Names of the classes that have a method. Two classes with one name (made by a function that is called twice) get
 * different texts.
 */
class ClassNames {
  readonly #first = new Map<string, WeakRef<object>>();
  readonly #ambiguous = new WeakSet<object>();

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
        this.#ambiguous.add(each);
      }
    }
    return [name, this.#ambiguous.has(owner) ? identityOf(owner) : ''];
  }
}

function classOf(self: unknown): AnyClass | undefined {
  const owner = typeof self === 'function' ? self : (self as object | null | undefined)?.constructor;
  return typeof owner === 'function' ? (owner as AnyClass) : undefined;
}

function nameOf(self: unknown, owner: AnyClass | undefined): string {
  const name = owner?.name;
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

/** Warns once for each function that its results are not shared with other processes. */
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
