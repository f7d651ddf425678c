import { EntitySchema, MetadataStorage } from '@mikro-orm/core';

/** Is this function a class, or the constructor of an entity? Any other function gives samples. */
export function isEntityClass(value: unknown): boolean {
  return (
    typeof value === 'function' &&
    (Object.hasOwn(value, MetadataStorage.META_SYMBOL) ||
      EntitySchema.REGISTRY.has(value as never) ||
      /^class\b/.test(Function.prototype.toString.call(value)))
  );
}
