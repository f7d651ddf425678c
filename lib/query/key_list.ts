import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { isNarrowing, isPlainRelation } from './condition.js';
import { hasHiddenKeys, isPlain } from './serialise.js';

/** A list of keys in a condition: each row must have one of them. */
export interface KeyList {
  readonly prop: EntityProperty;
  /** unique, as JavaScript compares them */
  readonly keys: readonly Key[];
  /** the path to the list within the condition */
  readonly path: readonly string[];
}

export type Key = string | number | bigint;

/** A longer list is one result, because looking up each key in a store would take as long as the query. */
const MAX_KEYS = 100;

/**
 * The list of keys of a condition in the form that the driver receives; `undefined` if it has none, or several.
 *
 * A key is a value of the primary key, of a unique property, or of a to-one relation. The result of the list is the
 * union of the results of its keys.
 */
export function findKeyList(meta: EntityMetadata, where: unknown): KeyList | undefined {
  const lists = isPlain(where) ? listsIn(meta, where, []) : [];
  const [list] = lists;
  return lists.length === 1 && isList(list!.keys) ? list : undefined;
}

/** The same condition with other keys. */
export function withKeys(where: unknown, { path }: Pick<KeyList, 'path'>, keys: readonly Key[]): unknown {
  return replaced(where, path, keys);
}

function replaced(value: unknown, path: readonly string[], keys: readonly Key[]): unknown {
  const [step, ...rest] = path;
  if (step === undefined) {
    return keys;
  }
  if (Array.isArray(value)) {
    return value.with(Number(step), replaced(value[Number(step)], rest, keys));
  }
  return { ...(value as object), [step]: replaced((value as Record<string, unknown>)[step], rest, keys) };
}

const NONE: readonly KeyList[] = [];

function listsIn(
  meta: EntityMetadata,
  where: Record<PropertyKey, unknown>,
  path: readonly string[],
): readonly KeyList[] {
  if (hasHiddenKeys(where)) {
    return NONE; // the condition of a strict filter: a copy with other keys would lose what marks it
  }
  let lists = NONE;
  for (const name in where) {
    const value = where[name];
    if (typeof value !== 'object' || value === null) {
      continue;
    }
    if (Array.isArray(value)) {
      // an $or with one part is the part itself; dataloaders send it
      const isAnd = name === '$and' || (name === '$or' && value.length === 1);
      for (const [i, part] of isAnd ? value.entries() : []) {
        lists = isPlain(part) ? [...lists, ...listsIn(meta, part, [...path, name, String(i)])] : lists;
      }
      continue;
    }
    const { $in } = value as { readonly $in?: unknown };
    const prop = Array.isArray($in) ? (meta.properties[name as never] as EntityProperty) : undefined;
    if (prop && isKey(prop) && Object.keys(value).length === 1) {
      lists = [...lists, { prop, keys: $in as Key[], path: [...path, name, '$in'] }];
    }
  }
  return lists;
}

function isKey(prop: EntityProperty): boolean {
  if (prop.kind === 'scalar') {
    return (prop.primary || Boolean(prop.unique)) && isNarrowing(prop);
  }
  const owning = prop.kind === 'm:1' || (prop.kind === '1:1' && prop.owner);
  return owning && prop.joinColumns?.length === 1 && isPlainRelation(prop);
}

/**
 * All keys must have one type: next to numbers, the database may read a text as another type than it would alone, and
 * reject it.
 */
function isList(keys: readonly unknown[]): boolean {
  const type = typeof keys[0];
  return (
    keys.length > 1 &&
    keys.length <= MAX_KEYS &&
    (type === 'string' || type === 'number' || type === 'bigint') &&
    keys.every(key => typeof key === type) &&
    new Set(keys).size === keys.length
  );
}
