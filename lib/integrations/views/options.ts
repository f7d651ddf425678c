import type { EntityManager, MikroORM } from '@mikro-orm/core';
import { checkInteger, checkKeys, show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import type { Extra } from '../answers.js';

/** @template R the framework's request (or context) */
export interface ViewOptions<R> {
  /** How long a response may be cached, in seconds. Default: the timeout of the samples' profiles */
  timeout?: number;
  /**
   * Everything else that the response depends on, or a function of the request that returns it: the language, the
   * user's role, a version. Plain values and entities only.
   */
  extra?: Extra<[R]>;
  /**
   * The fields of the request that the response depends on: names, or, by name, functions that return the relevant part
   * of the field.
   *
   * A request with `Authorization` or `Cookie` uses the cache only if the field is named here. Other fields that a
   * response names in `Vary` become part of the key automatically.
   *
   * @example
   * ```ts
   * vary: ['accept-language']
   * vary: { 'accept-language': req => req.acceptsLanguages('de', 'en'), authorization: req => req.user.role }
   * vary: { cookie: req => req.session.role } // `() => null`: cookies are irrelevant
   * ```
   */
  vary?: readonly string[] | Readonly<Record<string, (request: R) => unknown>>;
  /** The largest body that is stored, in bytes. Default: 1 MiB */
  maxBody?: number;
  /**
   * The ORM whose cache is used. Default: the ORM of the current `RequestContext`, or else the only one with a cache
   */
  orm?: MikroORM<any> | EntityManager;
}

export interface ResolvedViewOptions<R> {
  readonly timeout: number | undefined;
  readonly extra: (request: R) => unknown;
  /** by name of the field, in lower case; `undefined`: the whole value */
  readonly vary: ReadonlyMap<string, ((request: R) => unknown) | undefined>;
  readonly maxBody: number;
  readonly orm: MikroORM<any> | EntityManager | undefined;
}

const KEYS = ['timeout', 'extra', 'vary', 'maxBody', 'orm'];
const MIB = 2 ** 20;

/** @param where names the function in messages */
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
        `${where}: ${show(name)} is not the name of a field. Give names like 'accept-language'.`,
      );
    }
    if (pick !== undefined && typeof pick !== 'function') {
      throw new CacheopsError(`${where}: ${name}: ${show(pick)} is not a function of the request.`);
    }
  }
  return new Map(
    entries.map(
      ([name, pick]) => [name.toLowerCase(), pick] as [string, ((request: R) => unknown) | undefined],
    ),
  );
}
