import type { QueryBuilder } from '@mikro-orm/sql';

/** Joins that make no row without one of the root: its conditions are conditions on every row of the result. */
const ROOT_KEEPING = /^(nested )?(inner|left|pivot) join( lateral)?$/i;

/**
 * The condition of a query builder in the form in which the driver gets those of `em.find()`: what is about the root,
 * by its properties. What is about joined tables stays under names that no property has, so that it narrows nothing.
 */
export function conditionOf(builder: QueryBuilder<any>): unknown {
  const { state } = builder;
  const plain =
    Object.values(state.joins).every(join => ROOT_KEEPING.test(join.type)) &&
    state.ctes.length === 0 &&
    !state.unionQuery &&
    !state.mainAlias?.subQuery;
  return plain ? onRoot(state.cond, `${builder.alias}.`) : {};
}

function onRoot(condition: unknown, prefix: string): unknown {
  if (Array.isArray(condition)) {
    return condition.map(part => onRoot(part, prefix));
  }
  if (typeof condition !== 'object' || condition === null) {
    return condition;
  }
  const read: Record<PropertyKey, unknown> = {};
  for (const key of Reflect.ownKeys(condition)) {
    const value = (condition as Record<PropertyKey, unknown>)[key];
    if (key === '$and' || key === '$or' || key === '$not') {
      read[key] = onRoot(value, prefix);
    } else {
      const isOfRoot = typeof key === 'string' && key.startsWith(prefix);
      const name = isOfRoot ? key.slice(prefix.length) : Symbol(String(key));
      // two conditions on one property: neither may take the place of the other
      read[name in read ? Symbol(String(key)) : name] = value;
    }
  }
  return read;
}
