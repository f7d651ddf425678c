import type { EntityMetadata, EntityProperty, PopulateOptions } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import { isPlain } from '../../query/serialise.js';
import type { ReadCall } from './plan.js';

/**
 * The condition of a call with that of its cursor: the rows behind (or before) a row in the order of the call.
 *
 * The driver may add terms to the order for relations that it joins to many rows, and then the condition in the SQL is
 * another one. So it is left out unless the order consists of columns of the root, and all joins are to one row.
 */
export function withCursor(
  driver: AbstractSqlDriver,
  { kind, meta, where, options }: Pick<ReadCall, 'kind' | 'meta' | 'where' | 'options'>,
): unknown {
  const { before, after, orderBy, populateOrderBy, populate = [] } = options;
  const order = [orderBy ?? []].flat() as unknown[];
  const isKnown =
    kind === 'find' &&
    (before != null || after != null) &&
    populateOrderBy === undefined &&
    isPlain(where) &&
    order.every(terms => isPlain(terms) && isOfColumns(meta, terms)) &&
    isToOne(meta, populate);
  if (!isKnown) {
    return where;
  }
  try {
    // the driver sets the limit in the options
    const cursor = (driver as unknown as Cursors).processCursorOptions(meta, { ...options }, order);
    return { $and: [where, cursor.where] };
  } catch {
    return where; // the read fails in the same way
  }
}

interface Cursors {
  processCursorOptions(
    meta: EntityMetadata,
    options: object,
    orderBy: readonly unknown[],
  ): { readonly where: unknown };
}

function isOfColumns(meta: EntityMetadata, terms: Record<PropertyKey, unknown>): boolean {
  return Reflect.ownKeys(terms).every(name => {
    const prop = meta.properties[name as never] as EntityProperty | undefined;
    return prop?.kind === 'scalar' && prop.persist !== false && typeof terms[name] !== 'object';
  });
}

function isToOne(meta: EntityMetadata | undefined, populate: unknown): boolean {
  return (
    Array.isArray(populate) &&
    (populate as PopulateOptions<any>[]).every(({ field, children = [] }) => {
      const prop = meta?.properties[field as never] as EntityProperty | undefined;
      return (prop?.kind === 'm:1' || prop?.kind === '1:1') && isToOne(prop.targetMeta, children);
    })
  );
}
