import { modelOf } from './model.js';
import type { Query, Read } from './reads.js';

/** Number of ways to vary a read. */
export const VARIANTS = 6;

/**
 * A read that differs from another in one respect.
 *
 * @param variant 0: no difference
 */
export function vary(read: Read, variant: number): Read {
  if (variant === 0 || read.kind !== 'query' || read.how === 'countBy' || read.how === 'exists') {
    return variant === 1 ? { ...read, tenant: 3 - read.tenant } : read;
  }
  return varyQuery(read, variant);
}

function varyQuery(query: Query, variant: number): Query {
  const { fields, toOne } = modelOf(query.entity);
  const isCount = query.how === 'count';
  switch (variant) {
    case 1:
      return { ...query, tenant: 3 - query.tenant };
    case 2:
      return isCount || query.how === 'findByCursor'
        ? query
        : withOptions(query, { limit: query.options.limit === 1 ? 2 : 1 });
    case 3:
      return isCount
        ? query
        : withOptions(query, { fields: Object.keys(fields).slice(0, 1), exclude: undefined });
    case 4: {
      const [relation] = Object.keys(toOne);
      return isCount || !relation
        ? query
        : withOptions(query, { populate: query.options.populate ? undefined : [relation] });
    }
    case 5:
      return { ...query, how: 'count', options: { filters: query.options.filters } };
    default:
      return isCount
        ? query
        : withOptions(query, { exclude: Object.keys(fields).slice(-1), fields: undefined });
  }
}

function withOptions(query: Query, options: Record<string, unknown>): Query {
  const all = Object.entries({ ...query.options, ...options }).filter(([, value]) => value !== undefined);
  return { ...query, options: Object.fromEntries(all) };
}
