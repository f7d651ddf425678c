import { type AnyClass, lineageOf, nameOf } from './class_lineage.js';
import { CacheopsError } from './error.js';
import type { Profile } from './options.js';
import { type ParsedProfile, parseProfile } from './profile.js';

declare module '@mikro-orm/core' {
  interface EntityMetadata<Entity, Class> {
    /** The profile of an entity without decorators, as `@Cached()` gives it to a class. */
    cacheops?: Profile | null;
  }
}

/**
 * The profile that an entity's class declares: by `@Cached()`, or by the option `cacheops` of its metadata. A class
 * overrides its base classes.
 *
 * @param optionOf the option `cacheops` in the metadata of a class
 * @throws CacheopsError if the option is wrong, or if a class has both
 */
export function declaredProfile(
  entity: AnyClass,
  optionOf: (target: AnyClass) => unknown,
): ParsedProfile | null | undefined {
  for (const target of lineageOf(entity)) {
    const decorated = ownDecoratedProfile(target);
    const option = optionOf(target);
    if (decorated !== undefined && option !== undefined) {
      throw new CacheopsError(
        `${nameOf(target)} has both @Cached() and the option cacheops. Leave one of them out.`,
      );
    }
    const declared = decorated === undefined ? option : decorated;
    if (declared !== undefined) {
      return declared === null ? null : parseProfile(declared, `cacheops of ${nameOf(target)}`);
    }
  }
  return undefined;
}

// registered, so that two copies of this package in one program share it
export const PROFILE = Symbol.for('mikro-orm-cacheops/profile');

/** The profile that `@Cached()` gives this class, without its base classes; `undefined` if there is none. */
export function ownDecoratedProfile(target: AnyClass): Profile | null | undefined {
  return Object.hasOwn(target, PROFILE) ? decoratedProfile(target) : undefined;
}

/** The profile that `@Cached()` gives a class or its nearest base class; `undefined` if there is none. */
export function decoratedProfile(target: AnyClass): Profile | null | undefined {
  return (target as { [PROFILE]?: Profile | null })[PROFILE];
}
