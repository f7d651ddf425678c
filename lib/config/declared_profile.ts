import { type AnyClass, lineageOf, nameOf } from './class_lineage.js';
import { CacheopsError } from './error.js';
import type { Profile } from './options.js';
import { type ParsedProfile, parseProfile } from './profile.js';

declare module '@mikro-orm/core' {
  interface EntityMetadata<Entity, Class> {
    /** For entities without decorators, what `@Cached()` is for those with. */
    cacheops?: Profile | null;
  }
}

/**
 * The profile that an entity's class declares: by `@Cached()`, or by the option `cacheops` of its metadata. Those
 * of the class itself come before those of the classes that it extends.
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

// registered, so that two copies of this package in one program understand each other
export const PROFILE = Symbol.for('mikro-orm-cacheops/profile');

/** What `@Cached()` says of this very class, whatever those say that it extends; `undefined` without it. */
export function ownDecoratedProfile(target: AnyClass): Profile | null | undefined {
  return Object.hasOwn(target, PROFILE) ? decoratedProfile(target) : undefined;
}

/** What `@Cached()` says of a class, or of the nearest class that it extends; `undefined` without any. */
export function decoratedProfile(target: AnyClass): Profile | null | undefined {
  return (target as { [PROFILE]?: Profile | null })[PROFILE];
}
