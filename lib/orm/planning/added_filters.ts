import type { SqlEntityManager } from '@mikro-orm/sql';
import { serialise } from '../../query/serialise.js';

/**
 * The drivers for which some EntityManager was given a filter of its own (`em.addFilter()`): such filters stand in no
 * metadata, and may join any query from then on.
 */
const withFilters = new WeakSet<object>();

/** What an EntityManager, or one that it was forked from, was told of filters. */
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
 * What an EntityManager adds to whatever is asked through it, as text: session, schema, filters and their parameters.
 *
 * @returns `undefined` if it cannot be told
 */
export function contextText(em: SqlEntityManager): string | undefined {
  const { filters, params } = contexts.get(em) ?? NOTHING;
  return serialise([
    em.getSessionContext(),
    em.schema,
    [...filters].map(([name, args]) => [name, withNumberedFunctions(args)]),
    [...params],
  ]);
}

const numbers = new WeakMap<object, string>();
let next = 0;
const PROCESS = `${process.pid}.${performance.timeOrigin}`;

/** What a function has captured cannot be seen: it is only like itself. */
function withNumberedFunctions(value: unknown): unknown {
  if (typeof value === 'function') {
    let number = numbers.get(value);
    if (number === undefined) {
      number = `function ${next++} of ${PROCESS}`;
      numbers.set(value, number);
    }
    return number;
  }
  if (Array.isArray(value)) {
    return value.map(withNumberedFunctions);
  }
  if (typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withNumberedFunctions(item)]));
  }
  return value;
}
