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
  /**
   * Names of response fields of your own (`x-page-token`) that the handler sets and that are the same for every request with
   * this key. Without it, a response in which the handler sets a field that is not known is not stored.
   */
  fields?: readonly string[];
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
  /** names in lower case */
  readonly fields: ReadonlySet<string>;
  readonly maxBody: number;
  readonly orm: MikroORM<any> | EntityManager | undefined;
}

const KEYS = ['timeout', 'extra', 'vary', 'fields', 'maxBody', 'orm'];
const MIB = 2 ** 20;

/** @param where names the function in messages */
export function resolveViewOptions<R>(options: ViewOptions<R>, where: string): ResolvedViewOptions<R> {
  checkKeys(options as unknown, KEYS, where);
  const { timeout, extra, vary = [], fields = [], maxBody = MIB, orm } = options;
  return {
    timeout: timeout === undefined ? undefined : checkInteger(timeout, 1, `${where}: timeout`, 'seconds'),
    extra: typeof extra === 'function' ? (extra as (request: R) => unknown) : () => extra,
    vary: varyOf(vary, `${where}: vary`),
    fields: fieldsOf(fields, `${where}: fields`),
    maxBody: checkInteger(maxBody, 0, `${where}: maxBody`, 'bytes'),
    orm,
  };
}

function fieldsOf(fields: readonly string[], where: string): ReadonlySet<string> {
  if (!Array.isArray(fields)) {
    throw new CacheopsError(`${where}: ${show(fields)} is not an array of names.`);
  }
  for (const name of fields) {
    checkName(name, where);
  }
  return new Set(fields.map(name => name.toLowerCase()));
}

/** @throws CacheopsError if it is not the name of a header field */
function checkName(name: unknown, where: string): void {
  if (typeof name !== 'string' || !/^[\w!#$%&'*+.^`|~-]+$/.test(name) || name === '*') {
    throw new CacheopsError(
      `${where}: ${show(name)} is not the name of a field. Give names like 'accept-language'.`,
    );
  }
}

function varyOf<R>(vary: NonNullable<ViewOptions<R>['vary']>, where: string) {
  const entries = Array.isArray(vary) ? vary.map(name => [name, undefined]) : Object.entries(vary);
  for (const [name, pick] of entries) {
    checkName(name, where);
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
