import { type EntityMetadata, EntitySchema, MetadataStorage } from '@mikro-orm/core';
import { list } from '../config/check.js';
import { type AnyClass, lineageOf, nameOf } from '../config/class_lineage.js';
import { CacheopsError } from '../config/error.js';

// weak, so that classes of tests and reloads can be collected
const unchecked = new Set<WeakRef<AnyClass>>();

export function rememberDecorated(target: AnyClass): void {
  unchecked.add(new WeakRef(target));
}

/**
 * Finds `@Cached()` on a class that is no entity, where it has no effect. It accepts entities that this ORM has not
 * discovered, because they may belong to another one, and base classes of entities. Each class is checked once.
 *
 * @param discovered the entities of an ORM
 * @throws CacheopsError
 */
export function checkDecorated(discovered: Iterable<AnyClass>): void {
  const entities = [...discovered, ...knownClasses()].filter(target => !metadataOf(target)?.embeddable);
  const used = new Set(entities.flatMap(entity => [...lineageOf(entity)]));
  const strays: AnyClass[] = [];
  for (const reference of unchecked) {
    const target = reference.deref();
    if (target && !used.has(target)) {
      strays.push(target);
    }
  }
  unchecked.clear();
  if (strays.length > 0) {
    throw new CacheopsError(
      `@Cached() on ${list(strays.map(nameOf))}: it belongs on an entity's class. Add @Entity(), or take it away.`,
    );
  }
}

/** The entities of every ORM in this program, also before their discovery. */
function knownClasses(): AnyClass[] {
  const decorated = Object.values(MetadataStorage.getMetadata()).map(
    meta => meta.class as Optional<AnyClass>,
  );
  const schemas = [...EntitySchema.REGISTRY.keys()] as AnyClass[];
  return [...decorated.filter(target => !!target), ...schemas];
}

function metadataOf(target: AnyClass): Optional<EntityMetadata> {
  if (Object.hasOwn(target, MetadataStorage.META_SYMBOL)) {
    return (target as { [MetadataStorage.META_SYMBOL]?: EntityMetadata })[MetadataStorage.META_SYMBOL];
  }
  return EntitySchema.REGISTRY.get(target)?.meta;
}

type Optional<T> = T | undefined;
