import { type AnyEntity, Collection, helper, Reference, ScalarReference, Utils } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';

/**
 * Describes a result and its EntityManager: the entities of the identity map with typed values, what is loaded, and what
 * the next flush would write.
 */
export function snapshotOf(em: EntityManager, result: unknown): string {
  const unitOfWork = em.getUnitOfWork();
  const managed = [...unitOfWork.getIdentityMap().values()] as AnyEntity[];
  unitOfWork.computeChangeSets();
  const changes = unitOfWork
    .getChangeSets()
    .map(({ meta, type, payload }) => ({ entity: meta.className, type, payload }));
  const snapshot = {
    result: describe(result),
    managed: Object.fromEntries(managed.map(entity => [nameOf(entity), describeEntity(entity)])),
    changes,
  };
  return JSON.stringify(snapshot, undefined, 2);
}

function nameOf(entity: AnyEntity): string {
  return `${entity.constructor.name} ${JSON.stringify(helper(entity).getPrimaryKeys())}`;
}

function describeEntity(entity: AnyEntity): unknown {
  const wrapped = helper(entity);
  return {
    initialized: wrapped.isInitialized(),
    loaded: [...wrapped.__loadedProperties].sort(),
    original: describeProperties(wrapped.__originalEntityData ?? {}),
    values: describeProperties(entity),
  };
}

/** Sorted, because their order depends on which query is answered first. */
function describeProperties(data: object): unknown {
  const properties = Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(properties.map(([name, value]) => [name, describe(value)]));
}

/** A value with its type, as text or plain objects of texts. */
function describe(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) {
    return `${typeof value} ${Object.is(value, -0) ? '-0' : String(value)}`;
  }
  if (isEntity(value)) {
    // virtual entities are not managed
    return helper(value as AnyEntity).__meta.virtual ? describeProperties(value) : nameOf(value as AnyEntity);
  }
  if (value instanceof Collection) {
    const items = value.isInitialized() ? value.getItems(false).map(item => nameOf(item)) : 'not loaded';
    return { collection: items, dirty: value.isDirty() };
  }
  if (value instanceof Reference) {
    return `reference to ${nameOf(value.unwrap())}`;
  }
  if (value instanceof ScalarReference) {
    return { scalar: value.isInitialized() ? describe(value.unwrap()) : 'not loaded' };
  }
  if (value instanceof Date) {
    return `Date ${value.getTime()}`;
  }
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor.name} ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  }
  const entries = Object.entries(value).map(([key, item]) => [key, describe(item)]);
  return { [value.constructor?.name ?? 'no prototype']: entries };
}

/** All objects in a result except entities, which two results must not share. */
export function partsOf(em: EntityManager): Set<object> {
  const parts = new Set<object>();
  const visit = (value: unknown) => {
    if (typeof value === 'object' && value !== null && !isEntity(value) && !parts.has(value)) {
      parts.add(value);
      if (!(value instanceof Collection) && !(value instanceof Reference) && !ArrayBuffer.isView(value)) {
        Object.values(value).forEach(visit);
      }
    }
  };
  for (const entity of em.getUnitOfWork().getIdentityMap().values() as Iterable<AnyEntity>) {
    parts.add(entity);
    Object.values(entity).forEach(visit);
  }
  return parts;
}

function isEntity(value: object): boolean {
  return Utils.isEntity(value);
}
