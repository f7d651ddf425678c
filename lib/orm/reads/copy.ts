import { Utils } from '@mikro-orm/core';

/**
 * A deep copy of plain objects and arrays. Other objects (entities, dates, buffers, fragments of SQL, query builders) are
 * shared with the copy, because their identity matters. Symbol keys are copied, too, because MikroORM puts conditions in
 * raw SQL under them, and hidden properties, because MikroORM marks the conditions of strict filters with one.
 */
export function copyOf<T>(value: T, copies = new Map<object, object>()): T {
  if (!isContainer(value)) {
    return value;
  }
  const known = copies.get(value);
  if (known) {
    return known as T;
  }
  const copy = Array.isArray(value) ? [] : Object.create(Object.getPrototypeOf(value));
  copies.set(value, copy);
  for (const key of keysOf(value)) {
    Object.defineProperty(copy, key, {
      value: copyOf((value as Record<PropertyKey, unknown>)[key], copies),
      enumerable: isEnumerable(value, key),
      configurable: true,
      writable: true,
    });
  }
  if (Array.isArray(value)) {
    copy.length = value.length;
  }
  return copy;
}

/** Whether a value is still equal to its copy. */
export function isCopyOf(copy: unknown, value: unknown, seen = new Set<object>()): boolean {
  if (!isContainer(copy) || !isContainer(value)) {
    return Object.is(copy, value);
  }
  if (seen.has(value)) {
    return true;
  }
  seen.add(value);
  const [keys, others] = [keysOf(copy), keysOf(value)];
  return (
    Object.getPrototypeOf(copy) === Object.getPrototypeOf(value) &&
    keys.length === others.length &&
    keys.every(
      (key, i) =>
        key === others[i] &&
        isEnumerable(copy, key) === isEnumerable(value, key) &&
        isCopyOf(
          (copy as Record<PropertyKey, unknown>)[key],
          (value as Record<PropertyKey, unknown>)[key],
          seen,
        ),
    )
  );
}

function isContainer(value: unknown): value is object {
  return Array.isArray(value) || Utils.isPlainObject(value);
}

function keysOf(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter(key => key !== 'length' || !Array.isArray(value));
}

function isEnumerable(value: object, key: PropertyKey): boolean {
  return Object.prototype.propertyIsEnumerable.call(value, key);
}
