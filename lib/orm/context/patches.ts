import { CacheopsError } from '../../config/error.js';

/** A method of MikroORM that the extension replaces. */
export interface Patch {
  /** `driver.find for reads`: the object, its method, and the purpose where a method is replaced twice */
  readonly name: string;
  /** the number of declared parameters (`Function.length`) of MikroORM's method */
  readonly arity: number;
  readonly reason: string;
}

/**
 * All methods of MikroORM that are replaced on an object, in the order of installation: a later one calls an earlier
 * one. Those of a query builder are replaced when the builder is made. Overrides of the EntityManager are in
 * `api/entity_manager.ts`, those of kysely's dialect in `writes/tracked_connection.ts`.
 */
export const PATCHES = [
  {
    name: 'connection.createKyselyDialect',
    arity: 1,
    reason: 'Wraps the dialect, so that every statement and every transaction of a connection is followed.',
  },
  {
    name: 'connection.executeDump',
    arity: 1,
    reason: 'PGlite runs dumps without a connection. A dump may change everything.',
  },
  {
    name: 'driver.getConnection for dry runs',
    arity: 0,
    reason: 'A dry run gets a connection that collects statements. Applications may replace its methods too.',
  },
  {
    name: 'driver.execute for dry runs',
    arity: 1,
    reason: 'It uses the primary connection without `getConnection`.',
  },
  {
    name: 'driver.wrapVirtualExpressionInSubquery for dry runs',
    arity: 5,
    reason: 'Records that the SQL of a virtual entity is part of the statement.',
  },
  {
    name: 'driver.createQueryBuilder for dry runs',
    arity: 7,
    reason: 'Lets the builder record which entities its condition joins.',
  },
  {
    name: 'builder.applyJoinedFilters for dry runs',
    arity: 2,
    reason: 'Records which entities the condition joins, and whether their filters are applied.',
  },
  {
    name: 'driver.count for exists',
    arity: 2,
    reason: '`em.exists()` is a count that stops at the first row.',
  },
  {
    name: 'driver.createQueryBuilder for exists',
    arity: 7,
    reason: 'The builder of such a count must stop at the first row.',
  },
  {
    name: 'builder.getCount for exists',
    arity: 2,
    reason: 'Asks for one row instead of a number.',
  },
  {
    name: 'connection.execute for query builders',
    arity: 1,
    reason: 'The statement of a query builder that the application executes is answered by the cache.',
  },
  {
    name: 'driver.findOne for reads',
    arity: 3,
    reason: 'It calls `find`, which must know that it is a `get`.',
  },
  {
    name: 'driver.find for reads',
    arity: 2,
    reason: 'Answers from the cache.',
  },
  {
    name: 'driver.count for reads',
    arity: 2,
    reason: 'Answers from the cache.',
  },
  {
    name: 'driver.loadFromPivotTable for reads',
    arity: 2,
    reason: 'Its finds are for the entity behind the pivot table, whose profile counts.',
  },
  {
    name: 'driver.find for samples',
    arity: 2,
    reason: 'The find of a sample is analysed and not executed, so it comes before the cache.',
  },
  {
    name: 'driver.getConnection for functions',
    arity: 0,
    reason: 'A function whose result is stored must not read from a replica, which may lag behind.',
  },
  {
    name: 'driver.createEntityManager',
    arity: 1,
    reason: 'Makes EntityManagers that pass on the option `cacheops`.',
  },
  {
    name: 'driver.connect',
    arity: 1,
    reason: 'MikroORM has no hook for its start and its end. A closed cache opens again.',
  },
  {
    name: 'driver.reconnect',
    arity: 1,
    reason: 'It closes the driver too, but the cache stays open.',
  },
  {
    name: 'driver.close',
    arity: 1,
    reason: 'Closes the cache: waits for its work, then closes the store.',
  },
  {
    name: 'builder.clone',
    arity: 2,
    reason: 'A copy of a builder is followed as well.',
  },
  {
    name: 'builder.getSingleResult',
    arity: 0,
    reason: 'Records that one row is requested: a `get`.',
  },
  {
    name: 'builder.execute for query builders',
    arity: 2,
    reason: 'Hands the builder of a statement to the connection.',
  },
] as const satisfies readonly Patch[];

export type PatchName = (typeof PATCHES)[number]['name'];

type Method = (this: any, ...args: any[]) => any;

const applied = new WeakMap<object, PatchName[]>();

/**
 * Replaces a method of an object.
 *
 * @param make gives the replacement for a method; the original needs `this`
 * @throws CacheopsError if the object has no such method: MikroORM's version is not supported
 */
export function patch(owner: object, name: PatchName, make: (original: Method) => Method): void {
  const method = /\.(\w+)/.exec(name)![1]!;
  const found = (owner as Record<string, unknown>)[method];
  if (typeof found !== 'function') {
    throw new CacheopsError(
      `cacheops(): this version of MikroORM has no ${name}(). Use a version that the peer dependencies allow.`,
    );
  }
  // an inherited method is looked up at each call: a tracer or a spy may have replaced it in the class since
  const inherited: Method = function (this: unknown, ...args) {
    return Object.getPrototypeOf(owner)[method].apply(this, args);
  };
  const value = make(Object.hasOwn(owner, method) ? (found as Method) : inherited);
  Object.defineProperty(owner, method, { value, configurable: true, writable: true });
  applied.set(owner, [...(applied.get(owner) ?? []), name]);
}

/** The patches of an object, in the order in which they were applied. */
export function patchesOf(owner: object): readonly PatchName[] {
  return applied.get(owner) ?? [];
}
