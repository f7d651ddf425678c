import type { EntityManager, MikroORM } from '@mikro-orm/core';
import { checkInteger, checkKeys, show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import type { Extra } from '../answers.js';

/** @template R what the framework calls the request (or the context) */
export interface ViewOptions<R> {
  /** How long an answer may be kept, in seconds. Default: that of the samples' profiles */
  timeout?: number;
  /**
   * What the answer depends on besides URL and samples, or a function of the request that returns it: the language,
   * the user's role, a version. Plain values and entities only.
   */
  extra?: Extra<[R]>;
  /**
   * The fields of the request that the answer depends on: names, or, by name, functions that return what matters of
   * the field.
   *
   * A request with `Authorization` or `Cookie` only uses the cache if the field is named here. What an answer names in
   * `Vary`, but for these two, is put into the key by itself.
   *
   * @example
   * ```ts
   * vary: ['accept-language']
   * vary: { 'accept-language': req => req.acceptsLanguages('de', 'en'), authorization: req => req.user.role }
   * vary: { cookie: req => req.session.role } // `() => null`: cookies do not matter
   * ```
   */
  vary?: readonly string[] | Readonly<Record<string, (request: R) => unknown>>;
  /** Larger answers are not kept, in bytes. Default: 1 MiB */
  maxBody?: number;
  /** Where to keep answers. Default: the ORM of the current `RequestContext`, or else the only one with a cache */
  orm?: MikroORM<any> | EntityManager;
}

export interface ResolvedViewOptions<R> {
  readonly timeout: number | undefined;
  readonly extra: (request: R) => unknown;
  /** by name of the field, in lower case; `undefined`: all of it */
  readonly vary: ReadonlyMap<string, ((request: R) => unknown) | undefined>;
  readonly maxBody: number;
  readonly orm: MikroORM<any> | EntityManager | undefined;
}

const KEYS = ['timeout', 'extra', 'vary', 'maxBody', 'orm'];
const MIB = 2 ** 20;

/** @param where whose options they are, for the message */
export function resolveViewOptions<R>(options: ViewOptions<R>, where: string): ResolvedViewOptions<R> {
  checkKeys(options as unknown, KEYS, where);
  const { timeout, extra, vary = [], maxBody = MIB, orm } = options;
  return {
    timeout: timeout === undefined ? undefined : checkInteger(timeout, 1, `${where}: timeout`, 'seconds'),
    extra: typeof extra === 'function' ? (extra as (request: R) => unknown) : () => extra,
    vary: varyOf(vary, `${where}: vary`),
    maxBody: checkInteger(maxBody, 0, `${where}: maxBody`, 'bytes'),
    orm,
  };
}

function varyOf<R>(vary: NonNullable<ViewOptions<R>['vary']>, where: string) {
  const entries = Array.isArray(vary) ? vary.map(name => [name, undefined]) : Object.entries(vary);
  for (const [name, pick] of entries) {
    if (typeof name !== 'string' || !/^[\w!#$%&'*+.^`|~-]+$/.test(name) || name === '*') {
      throw new CacheopsError(
        `${where}: ${show(name)} is no name of a field. Give names like 'accept-language'.`,
      );
    }
    if (pick !== undefined && typeof pick !== 'function') {
      throw new CacheopsError(`${where}: ${name}: ${show(pick)} is no function of the request.`);
    }
  }
  return new Map(
    entries.map(
      ([name, pick]) => [name.toLowerCase(), pick] as [string, ((request: R) => unknown) | undefined],
    ),
  );
}
