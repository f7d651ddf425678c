import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { isNarrowing, isPlainRelation, isRecord } from './condition.js';

/** A list of keys that rows must have one of, beside whatever else a condition asks of them. */
export interface KeyList {
  readonly prop: EntityProperty;
  /** each at most once, as JavaScript tells them apart */
  readonly keys: readonly Key[];
  /** leads to the list within the condition */
  readonly path: readonly string[];
}

export type Key = string | number | bigint;

/** More are one result, as a whole: asking a store for each of them would take as long as asking the database. */
const MAX_KEYS = 100;

/**
 * The list of keys that a condition, in the form in which the driver gets it, has; `undefined` if it has none, or several.
 *
 * A key is a value of the primary key, of a unique property, or of a relation to one: each has rows of its own, and all
 * of them together are those of the list.
 */
export function findKeyList(meta: EntityMetadata, where: unknown): KeyList | undefined {
  const lists = isRecord(where) ? listsIn(meta, where, []) : [];
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
  let lists = NONE;
  for (const name in where) {
    const value = where[name];
    if (typeof value !== 'object' || value === null) {
      continue;
    }
    if (Array.isArray(value)) {
      // of one alternative it is no alternative: so the dataloaders ask
      const isAnd = name === '$and' || (name === '$or' && value.length === 1);
      for (const [i, part] of isAnd ? value.entries() : []) {
        lists = isRecord(part) ? [...lists, ...listsIn(meta, part, [...path, name, String(i)])] : lists;
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

/** Of one type: among numbers the database may read a text as another type than it would by itself, and refuse it. */
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
