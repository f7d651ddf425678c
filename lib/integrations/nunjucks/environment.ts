import { resolve } from 'node:path';
import nunjucks, { type Environment } from 'nunjucks';
import { fingerprint } from '../../orm/computed/fingerprint.js';
import { nameOfPlace } from '../views/place.js';

/** The private members of an environment that affect the output of templates. */
interface Inside {
  readonly opts: Readonly<Record<string, unknown>>;
  readonly loaders: readonly object[];
  readonly filters: Readonly<Record<string, unknown>>;
  readonly tests: Readonly<Record<string, unknown>>;
  readonly globals: Readonly<Record<string, unknown>>;
  readonly extensions: Readonly<Record<string, object>>;
  readonly asyncFilters: readonly string[];
}

/** Options that do not affect the output. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set(['dev', 'noCache', 'watch', 'express', 'web']);

/** Nunjucks' own filters, tests and globals. */
const PLAIN = new nunjucks.Environment([]) as unknown as Inside;

const PLAIN_LOADER = new nunjucks.FileSystemLoader([]);

/** All environments with cached tags. */
const environments = new Set<WeakRef<Environment>>();
let isNew = false;

/** Registers an environment before it renders anything. */
export function addEnvironment(env: Environment): void {
  environments.add(new WeakRef(env));
  isNew = true;
}

/**
 * A key that differs for environments that may render a template differently: by options, template folders, and added
 * filters, tests, globals and extensions.
 *
 * Functions count by their source text. But two functions with the same text may capture different variables, and an
 * object may contain anything: environments with these share fragments neither with others nor with other processes.
 *
 * @param isOwn is an extension one of this package's tags?
 */
export function environmentKey(env: Environment, isOwn: (extension: object) => boolean): string {
  if (isNew) {
    // registers environments with the same texts before the second of them renders
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

/** The template folders of Nunjucks' own loader; `undefined` for any other loader. */
function foldersOf(loader: object): string[] | undefined {
  return isLike(loader, PLAIN_LOADER)
    ? (loader as { searchPaths: string[] }).searchPaths.map(path => resolve(path))
    : undefined;
}

/** Is it an instance of the same class without additional properties? */
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

/** Each environment has its own instances of Nunjucks' globals, with the same texts. */
function isSame(value: unknown, plain: unknown): boolean {
  return (
    value === plain ||
    (typeof value === 'function' && typeof plain === 'function' && String(value) === String(plain))
  );
}

/** Plain data in its present state as text; `undefined` for anything else. */
function textOf(value: unknown): string | undefined {
  try {
    return fingerprint(value, () => undefined, 'value');
  } catch {
    return undefined;
  }
}
