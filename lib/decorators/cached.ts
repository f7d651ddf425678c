import { show } from '../config/check.js';
import { type AnyClass, nameOf } from '../config/class_lineage.js';
import { PROFILE } from '../config/declared_profile.js';
import { CacheopsError } from '../config/error.js';
import type { Profile } from '../config/options.js';
import { parseProfile } from '../config/profile.js';
import { parseTimedOptions, type TimedOptions, timed } from '../functions/cached.js';
import { methodIdentityOf } from '../functions/identity.js';
import { isOnMethod, type MethodCacheDecorator, replaceMethod } from './method.js';
import { rememberDecorated } from './stray.js';

/** A class decorator for both flavours: the standard, and `experimentalDecorators`. */
export type CachedDecorator = (target: AnyClass, context?: ClassDecoratorContext) => void;

/** A class decorator that can be used on a method, too. */
export interface CachedAnythingDecorator extends CachedDecorator, MethodCacheDecorator {}

/**
 * On the class of an entity: declares its profile. It may be before or after `@Entity()`, of `@mikro-orm/decorators/es` or
 * `/legacy`. Subclasses inherit it; a decorator of their own replaces it.
 *
 * `ops` defaults to those of `defaults`, or else to all. `null` is *never*: such an entity is not cached even if a call
 * asks for it, and no configuration changes that.
 *
 * On a method, with a timeout: caches its results by its arguments, for that time; no write invalidates them. As
 * `cached()`, for methods; see also `cachedMethod()`.
 *
 * @throws CacheopsError if the profile is wrong, or if it is on neither a class nor a method
 *
 * @example
 * ```ts
 * @Entity()
 * @Cached({ ops: ['get', 'fetch'], timeout: 3600 })
 * class Article { … }
 *
 * class RateService {
 *   @Cached({ timeout: 600 })
 *   async rates(currency: string) { … }
 * }
 * ```
 */
export function Cached(options: TimedOptions & { ops?: never }): CachedAnythingDecorator;
export function Cached(profile?: Profile | null): CachedDecorator;
export function Cached(profile: Profile | TimedOptions | null = {}): CachedAnythingDecorator {
  if (typeof profile === 'function') {
    throw new CacheopsError(`@Cached on ${nameOf(profile)}: the parentheses are missing. Write @Cached().`);
  }
  return function decorate(...args: unknown[]) {
    if (profile && isOnMethod(args) && Object.keys(profile).length > 0) {
      return replaceMethod(args, '@Cached()', (method, name) => {
        const options = parseTimedOptions(profile, `@Cached() on ${String(name)}`);
        return timed(method, options, methodIdentityOf(method, name, options.name, decorate));
      });
    }
    return declare(profile as Profile | null, ...(args as [AnyClass, ClassDecoratorContext]));
  } as CachedAnythingDecorator;
}

function declare(
  profile: Profile | null,
  target: AnyClass,
  context?: ClassDecoratorContext,
  ...rest: unknown[]
): void {
  if (rest.length > 0 || !isClass(target, context)) {
    throw new CacheopsError(
      `@Cached() on ${placeOf(target, context)}: it belongs on an entity's class. Or, with a timeout, on a method.`,
    );
  }
  const name = nameOf(target);
  if (Object.hasOwn(target, PROFILE)) {
    throw new CacheopsError(`@Cached() on ${name}: it has one already. Leave one of them out.`);
  }
  const value = profile === null ? null : checkedCopy(profile, name);
  Object.defineProperty(target, PROFILE, { value });
  rememberDecorated(target);
}

function checkedCopy(profile: Profile, name: string): Profile {
  const { ops, timeout, ...rest } = parseProfile(profile, `@Cached() on ${name}`);
  return Object.freeze({
    ...rest,
    ...(ops && { ops: Object.freeze([...ops]) }),
    ...(timeout && { timeout }),
  });
}

/** A legacy decorator of a method gets the method's name; a standard one gets a context with its kind. */
function isClass(target: unknown, context: unknown): boolean {
  return (
    typeof target === 'function' &&
    (context === undefined || (typeof context === 'object' && (context as DecoratorContext).kind === 'class'))
  );
}

function placeOf(target: unknown, context: unknown): string {
  if (typeof context === 'object' && context !== null) {
    const { kind, name } = context as DecoratorContext;
    return `the ${kind} ${String(name)}`;
  }
  const owner = typeof target === 'function' ? target : (target as object | undefined)?.constructor;
  return owner ? `${nameOf(owner)}.${String(context ?? 'constructor')}` : show(target);
}
