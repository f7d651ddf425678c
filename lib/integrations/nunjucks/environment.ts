import { resolve } from 'node:path';
import nunjucks, { type Environment } from 'nunjucks';
import { fingerprint } from '../../orm/computed/fingerprint.js';
import { nameOfPlace } from '../views/place.js';

/** What of an environment decides what a template's output is. */
interface Inside {
  readonly opts: Readonly<Record<string, unknown>>;
  readonly loaders: readonly object[];
  readonly filters: Readonly<Record<string, unknown>>;
  readonly tests: Readonly<Record<string, unknown>>;
  readonly globals: Readonly<Record<string, unknown>>;
  readonly extensions: Readonly<Record<string, object>>;
  readonly asyncFilters: readonly string[];
}

/** Options that change no output. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['dev', 'noCache', 'watch', 'express', 'web']);

/** Nunjucks' own filters, tests and globals. */
const PLAIN = new nunjucks.Environment([]) as unknown as Inside;

const PLAIN_LOADER = new nunjucks.FileSystemLoader([]);

/** All environments with cached tags. */
const environments = new Set<WeakRef<Environment>>();
let isNew = false;

/** Makes an environment known before anything is rendered in it. */
export function addEnvironment(env: Environment): void {
  environments.add(new WeakRef(env));
  isNew = true;
}

/**
 * Tells environments apart that may make different output of one template: by their options, by where their templates come
 * from, and by the filters, tests, globals and extensions that were added.
 *
 * Functions count by their source text. Two of the same text may have captured different things, and an object may
 * hold anything: environments with such ones share fragments with no other, and not with other processes.
 *
 * @param isOwn whether an extension is one of this package's tags
 */
export function environmentKey(env: Environment, isOwn: (extension: object) => boolean): string {
  if (isNew) {
    // those of the same texts are known as such before the second of them renders
    isNew = false;
    for (const reference of environments) {
      const known = reference.deref();
      if (known) {
        keyOf(known, isOwn);
      } else {
        environments.delete(reference);
      }
    }
  }
  return keyOf(env, isOwn);
}

function keyOf(env: Environment, isOwn: (extension: object) => boolean): string {
  const { opts, loaders, filters, tests, globals, extensions, asyncFilters } = env as unknown as Inside;
  const added = [
    ...Object.entries(opts).filter(([name]) => !WITHOUT_EFFECT.has(name)),
    ...loaders.map((loader, i): [string, unknown] => [`loader ${i}`, foldersOf(loader) ?? loader]),
    ...(isLike(env, PLAIN) ? [] : [['environment', env] satisfies [string, unknown]]),
    ...addedTo(filters, PLAIN.filters),
    ...addedTo(tests, PLAIN.tests),
    ...addedTo(globals, PLAIN.globals),
    ...Object.entries(extensions).filter(([, extension]) => !isOwn(extension)),
  ];
  const texts = added.map(([, value]) => textOf(value));
  const names = added.map(([name], i) => [name, texts[i] ?? null]);
  const parts = added.flatMap(([, value], i) => (texts[i] === undefined ? [value ?? env] : []));
  const place = nameOfPlace({
    parts: parts.length > 0 ? parts.map(part => (isReferable(part) ? part : env)) : [PLAIN],
    describe: () =>
      parts.every(part => typeof part === 'function')
        ? `Nunjucks ${JSON.stringify([names, parts.map(String)])}`
        : undefined,
  });
  return JSON.stringify([names, asyncFilters, place]);
}

/** Where a loader of Nunjucks' own finds templates; `undefined` of any other, which may find anything. */
function foldersOf(loader: object): string[] | undefined {
  return isLike(loader, PLAIN_LOADER)
    ? (loader as { searchPaths: string[] }).searchPaths.map(path => resolve(path))
    : undefined;
}

/** Is it an instance of the same class, to which nothing was added? */
function isLike(value: object, plain: object): boolean {
  return (
    Object.getPrototypeOf(value) === Object.getPrototypeOf(plain) &&
    Reflect.ownKeys(value).every(key => key === 'cache' || Object.hasOwn(plain, key))
  );
}

function isReferable(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

function addedTo(
  all: Readonly<Record<string, unknown>>,
  plain: Readonly<Record<string, unknown>>,
): [string, unknown][] {
  return Object.entries(all).filter(([name, value]) => !isSame(value, plain[name]));
}

/** Each environment has globals of its own, made by the same functions. */
function isSame(value: unknown, plain: unknown): boolean {
  return (
    value === plain ||
    (typeof value === 'function' && typeof plain === 'function' && String(value) === String(plain))
  );
}

/** Plain data as text, as it is at the moment; `undefined` of what is none. */
function textOf(value: unknown): string | undefined {
  try {
    return fingerprint(value, () => undefined, 'value');
  } catch {
    return undefined;
  }
}
