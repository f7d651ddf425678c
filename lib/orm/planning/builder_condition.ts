import type { QueryBuilder } from '@mikro-orm/sql';

/** With these joins every row of the result has a row of the root, so that conditions on the root apply to all rows. */
const ROOT_KEEPING = /^(nested )?(inner|left|pivot) join( lateral)?$/i;

/**
 * The condition of a query builder in the form that `em.find()` passes to the driver: conditions on the root, by its
 * properties. Conditions on joined tables are put under symbols, which are no property names, so that they narrow nothing.
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
      // of two conditions on one property, neither may replace the other
      read[name in read ? Symbol(String(key)) : name] = value;
    }
  }
  return read;
}
