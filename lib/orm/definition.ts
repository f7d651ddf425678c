import { hash } from 'node:crypto';
import { type EntityMetadata, type EntityProperty, Utils } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';

/** Changes whenever entries of an older version of this package could be misread. */
const FORMAT = 2;

/**
 * A digest of everything that decides how rows become entities: it is part of every key, so that a deploy which
 * changes an entity starts with a cold cache, and the old and the new version can run side by side.
 *
 * All entities together make one digest. A digest an entity would have to follow every relation that a query may
 * join or populate, and most models hang together.
 */
export function definitionDigest(driver: AbstractSqlDriver): string {
  const { config } = driver;
  const entities = [...driver.getMetadata().getAll().values()]
    .map(meta => describeEntity(meta, driver))
    .sort();
  const settings = ['timezone', 'forceUtcTimezone', 'schema', 'forceUndefined', 'loadStrategy'].map(
    name => (config.getAll() as unknown as Record<string, unknown>)[name],
  );
  return hash('sha256', JSON.stringify([FORMAT, Utils.getORMVersion(), settings, entities]), 'base64url');
}

function describeEntity(meta: EntityMetadata, driver: AbstractSqlDriver): string {
  return JSON.stringify([
    meta.className,
    meta.tableName,
    meta.schema,
    meta.inheritanceType,
    meta.discriminatorColumn,
    describeCondition(meta.orderBy),
    Object.entries(meta.discriminatorMap ?? {}).map(([value, target]) => [
      value,
      Utils.className(target as never),
    ]),
    Object.values(meta.properties).map(prop => describeProperty(prop as EntityProperty, meta, driver)),
  ]);
}

function describeProperty(prop: EntityProperty, meta: EntityMetadata, driver: AbstractSqlDriver): unknown[] {
  return [
    prop.name,
    prop.kind,
    prop.type,
    prop.runtimeType,
    prop.fieldNames,
    prop.columnTypes,
    prop.customType?.constructor.name,
    prop.formula && describeFormula(prop, meta, driver),
    prop.pivotTable,
    describeCondition(prop.where),
    describeCondition(prop.orderBy),
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

/** The SQL that it makes: two functions of one text may differ in what they have captured. */
function describeFormula(prop: EntityProperty, meta: EntityMetadata, driver: AbstractSqlDriver): string {
  try {
    const evaluating = driver as unknown as FormulaDriver;
    const columns = meta.createColumnMappingObject('x');
    return evaluating.evaluateFormula(prop.formula, columns, evaluating.createFormulaTable('x', meta));
  } catch {
    return String(prop.formula);
  }
}

interface FormulaDriver {
  evaluateFormula(formula: unknown, columns: unknown, table: unknown): string;
  createFormulaTable(alias: string, meta: EntityMetadata): unknown;
}

/** A condition or an order as text. Of raw fragments, whose symbols are numbered anew in each process, their SQL. */
function describeCondition(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(describeCondition);
  }
  if (value instanceof Date) {
    return value.getTime();
  }
  if (value === null || typeof value !== 'object') {
    return typeof value === 'bigint' || typeof value === 'function' ? String(value) : value;
  }
  return Reflect.ownKeys(value).map(key => [
    typeof key === 'symbol' ? key.description?.replace(/#\d+/g, '#') : key,
    describeCondition((value as Record<PropertyKey, unknown>)[key]),
  ]);
}
