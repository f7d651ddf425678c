import { hash } from 'node:crypto';
import {
  type Configuration,
  type EntityMetadata,
  type EntityProperty,
  type MetadataStorage,
  Utils,
} from '@mikro-orm/core';

/** Changes whenever entries of an older version of this package could be misread. */
const FORMAT = 1;

/**
 * A digest of everything that decides how rows become entities: it is part of every key, so that a deploy which
 * changes an entity starts with a cold cache, and the old and the new version can run side by side.
 *
 * All entities together make one digest. A digest an entity would have to follow every relation that a query may
 * join or populate, and most models hang together.
 */
export function definitionDigest(metadata: MetadataStorage, config: Configuration): string {
  const entities = [...metadata.getAll().values()].map(describeEntity).sort();
  const settings = ['timezone', 'forceUtcTimezone', 'schema', 'forceUndefined', 'loadStrategy'].map(
    name => (config.getAll() as unknown as Record<string, unknown>)[name],
  );
  return hash('sha256', JSON.stringify([FORMAT, Utils.getORMVersion(), settings, entities]), 'base64url');
}

function describeEntity(meta: EntityMetadata): string {
  return JSON.stringify([
    meta.className,
    meta.tableName,
    meta.schema,
    meta.inheritanceType,
    meta.discriminatorColumn,
    Object.entries(meta.discriminatorMap ?? {}).map(([value, target]) => [
      value,
      Utils.className(target as never),
    ]),
    Object.values(meta.properties).map(prop => describeProperty(prop as EntityProperty)),
  ]);
}

function describeProperty(prop: EntityProperty): unknown[] {
  return [
    prop.name,
    prop.kind,
    prop.type,
    prop.runtimeType,
    prop.fieldNames,
    prop.columnTypes,
    prop.customType?.constructor.name,
    prop.formula?.toString(),
    prop.lazy,
    prop.persist,
    prop.object,
    prop.array,
    prop.nullable,
    prop.mappedBy,
    prop.joinColumns,
    prop.referencedColumnNames,
    prop.eager,
    prop.strategy,
  ];
}
