import type { SqlEntityManager } from '@mikro-orm/sql';
import { serialise } from '../../query/serialise.js';
import { identityOf } from '../context/unknown_code.js';

/**
 * The drivers with an EntityManager that has a filter of its own (`em.addFilter()`): no metadata has such filters, and
 * they may add conditions to any later query.
 */
const withFilters = new WeakSet<object>();

/** The filters and parameters that an EntityManager was given, or inherited from the one that it was forked from. */
interface FilterContext {
  readonly filters: ReadonlyMap<string, unknown>;
  readonly params: ReadonlyMap<string, unknown>;
}

const NOTHING: FilterContext = { filters: new Map(), params: new Map() };
const contexts = new WeakMap<object, FilterContext>();

/** @param args as `em.addFilter()` takes them */
export function noteAddedFilter(driver: object, em: object, args: readonly unknown[]): void {
  withFilters.add(driver);
  const { filters, params } = contexts.get(em) ?? NOTHING;
  const [first] = args;
  const name = typeof first === 'object' && first !== null ? (first as { name: string }).name : String(first);
  contexts.set(em, { params, filters: new Map([...filters, [name, args]]) });
}

export function noteFilterParams(em: object, name: string, args: unknown): void {
  const { filters, params } = contexts.get(em) ?? NOTHING;
  contexts.set(em, { filters, params: new Map([...params, [name, args]]) });
}

export function inheritContext(fork: object, parent: object): void {
  const context = contexts.get(parent);
  if (context) {
    contexts.set(fork, context);
  }
}

export function hasAddedFilters(driver: object): boolean {
  return withFilters.has(driver);
}

/**
 * What an EntityManager adds to every query, as text: session, schema, filters and their parameters.
 *
 * @returns `undefined` if it has no text
 */
export function contextText(em: SqlEntityManager): string | undefined {
  const { filters, params } = contexts.get(em) ?? NOTHING;
  return serialise([
    em.getSessionContext(),
    em.schema,
    [...filters].map(([name, args]) => [name, withIdentities(args)]),
    [...params],
  ]);
}

/** A function is equal to itself only, because the variables that it has captured cannot be read. */
function withIdentities(value: unknown): unknown {
  if (typeof value === 'function') {
    return `function ${identityOf(value)}`;
  }
  if (Array.isArray(value)) {
    return value.map(withIdentities);
  }
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withIdentities(item)]));
  }
  return value;
}
