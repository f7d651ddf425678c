import type { AbstractSqlDriver, QueryBuilder } from '@mikro-orm/sql';

/** With these joins every row of the result has a row of the root, so that conditions on the root apply to all rows. */
const ROOT_KEEPING = /^(nested )?(inner|left|pivot) join( lateral)?$/i;

/** With these, and without conditions of its own, a join leads from a row to the row that it refers to. */
const TO_ONE = /^(nested )?(inner|left) join$/i;

/**
 * The condition of a query builder in the form that `em.find()` passes to the driver: conditions on the root and on rows
 * that it refers to, by their properties. Conditions on other joined tables are put under symbols, which are no property
 * names, so that they narrow nothing.
 */
export function conditionOf(builder: QueryBuilder<any>): unknown {
  const { state } = builder;
  const plain =
    Object.values(state.joins).every(join => ROOT_KEEPING.test(join.type)) &&
    state.ctes.length === 0 &&
    !state.unionQuery &&
    !state.mainAlias?.subQuery;
  return plain ? byProperties(state.cond, pathsOf(builder)) : {};
}

type Paths = ReadonlyMap<string, readonly string[]>;

/**
 * By alias, the relations that lead from the root to its rows. Of several joins of one relation, the first. A table in a
 * schema that only the join names is another one than the relation's.
 */
function pathsOf(builder: QueryBuilder<any>): Paths {
  const { alias, state } = builder;
  const { driver } = builder as unknown as { readonly driver: AbstractSqlDriver };
  const paths = new Map<string, readonly string[]>([[alias, []]]);
  const known = new Set<string>();
  for (const { type, ownerAlias, prop, subquery, schema, alias: own } of Object.values(state.joins)) {
    const owner = paths.get(ownerAlias);
    const isToOne = prop?.kind === 'm:1' || (prop?.kind === '1:1' && prop.owner);
    const isOfRelation = schema === '*' || schema === driver.getSchemaName(prop?.targetMeta);
    const path = [...(owner ?? []), prop?.name];
    if (owner && isToOne && isOfRelation && TO_ONE.test(type) && !subquery && !known.has(path.join())) {
      known.add(path.join());
      paths.set(own, path);
    }
  }
  return paths;
}

function byProperties(condition: unknown, paths: Paths): unknown {
  if (Array.isArray(condition)) {
    return condition.map(part => byProperties(part, paths));
  }
  if (typeof condition !== 'object' || condition === null) {
    return condition;
  }
  const read: Read = {};
  const made = new Map<string, Read | undefined>([['', read]]);
  for (const key of Reflect.ownKeys(condition)) {
    const value = (condition as Read)[key];
    if (key === '$and' || key === '$or' || key === '$not') {
      read[key] = byProperties(value, paths);
      continue;
    }
    const [, alias, name] = (typeof key === 'string' && /^([^.]+)\.(.+)$/.exec(key)) || [];
    const path = paths.get(alias!);
    const target = path && objectAt(path, made);
    // of two conditions on one property, neither may replace the other
    const isKnown = target && !(name! in target);
    (isKnown ? target : read)[isKnown ? name! : Symbol(String(key))] = value;
  }
  return read;
}

type Read = Record<PropertyKey, unknown>;

/** The object for conditions on a related row; `undefined` if there is another condition in its place. */
function objectAt(path: readonly string[], made: Map<string, Read | undefined>): Read | undefined {
  const id = path.join();
  if (!made.has(id)) {
    const parent = objectAt(path.slice(0, -1), made);
    const name = path.at(-1)!;
    const object: Read | undefined = parent && !(name in parent) ? {} : undefined;
    if (object) {
      parent![name] = object;
    }
    made.set(id, object);
  }
  return made.get(id);
}
