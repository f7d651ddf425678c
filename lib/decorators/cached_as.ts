import {
  type CachedAsOptions,
  readDeclaration,
  type SampleFunction,
  type SampleSource,
  wrapped,
} from '../functions/cached_as.js';
import { methodIdentityOf } from '../functions/identity.js';
import type { Sample } from '../orm/planning/samples.js';
import { type MethodCacheDecorator, replaceMethod } from './method.js';

type SelfOf<F> = F extends (self: infer Self, ...args: any[]) => unknown ? Self : any;
type ArgumentsOf<F> = F extends (self: any, ...args: infer Args) => unknown ? Args : any[];

/** A value that is no plain object (give objects as `{ extra }`), or a function of `this` and the arguments that gives one. */
export type MethodExtra<Self> =
  | string
  | number
  | bigint
  | boolean
  | null
  | Date
  | readonly unknown[]
  | ((self: Self, ...args: any[]) => unknown);

/**
 * Caches the results of a method until a sample changes: one, several in an array, or one that a function of `this` and the
 * arguments gives. As `cachedAs()`, for methods of either decorator flavour.
 *
 * The key consists of the class of `this`, the method, its arguments, the samples and `extra`; not of the fields of `this`.
 *
 * ```ts
 * class ArticleService {
 *   constructor(private readonly em: EntityManager) {}
 *
 *   @CachedAs((self: ArticleService, category: number) =>
 *     self.em.createQueryBuilder(Article).where({ category }), { timeout: 600 })
 *   async block(category: number, count = 5) {
 *     return this.em.find(Article, { category }, { limit: count });
 *   }
 * }
 * ```
 *
 * @throws CacheopsError at once if there is no sample, an option is wrong, or it is not on a method
 */
export function CachedAs<F extends SampleFunction>(
  sample: F,
  extra?: MethodExtra<SelfOf<F>> | CachedAsOptions<SelfOf<F>>,
): MethodCacheDecorator<SelfOf<F>, ArgumentsOf<F>>;
export function CachedAs(
  sample: Sample | readonly SampleSource[],
  extra?: MethodExtra<any> | CachedAsOptions,
): MethodCacheDecorator;
export function CachedAs(
  sample: SampleSource | readonly SampleSource[],
  extra?: MethodExtra<any> | CachedAsOptions,
): MethodCacheDecorator {
  const isOptions =
    typeof extra === 'object' && extra !== null && Object.getPrototypeOf(extra) === Object.prototype;
  const given = extra === undefined || isOptions ? extra : { extra };
  const { samples, options } = readDeclaration(
    [...(Array.isArray(sample) ? sample : [sample]), ...(given === undefined ? [] : [given])],
    '@CachedAs()',
  );
  return function decorate(...args: unknown[]) {
    return replaceMethod(args, '@CachedAs()', (method, name) =>
      wrapped(method, samples, options, methodIdentityOf(method, name, options.name, decorate)),
    );
  } as MethodCacheDecorator;
}
