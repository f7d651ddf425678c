import { type Configuration, type EntityName, helper, Utils } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { parseCall } from '../../config/call.js';
import { callingFor, currentScope, type Scope, withScope } from '../context/scope.js';
import { inheritContext, noteAddedFilter, noteFilterParams } from '../planning/added_filters.js';
import { loaderOfScope } from '../reads/dataloaders.js';
import { EXISTS } from '../reads/exists.js';
import { followExecution } from '../reads/query_builders.js';
import { withRepositoryMethods } from './repository.js';

type EntityManagerClass = new (...args: any[]) => SqlEntityManager;

/** By reading method, the position of the options among its arguments. */
const OPTIONS_AT: Readonly<Record<string, number>> = {
  find: 2,
  findAll: 1,
  findAndCount: 2,
  findByCursor: 1,
  findOne: 2,
  findOneOrFail: 2,
  count: 2,
  countBy: 2,
  populate: 2,
};

/**
 * A subclass of the ORM's EntityManager, which passes the option `cacheops` of a read on to the queries that populate its
 * result, and whose repositories have `cache()` and `nocache()`.
 */
export function cachedEntityManager(Base: EntityManagerClass): EntityManagerClass {
  let Cached = classes.get(Base);
  if (!Cached) {
    Cached = makeClass(Base);
    classes.set(Base, Cached);
  }
  return Cached;
}

/** All ORMs of a kind share a class, because code that meets many classes is slow. */
const classes = new WeakMap<EntityManagerClass, EntityManagerClass>();

/** Configurations whose users have been warned of MikroORM's result cache. */
const warned = new WeakSet<Configuration>();

const RESULT_CACHE =
  "cacheops: MikroORM's own result cache (option cache of a call, or resultCache.global) answers first, and writes do not " +
  'invalidate it: its results may be stale. Leave it out; the option cacheops replaces it.';

function makeClass(Base: EntityManagerClass): EntityManagerClass {
  class CachedEntityManager extends Base {
    override getRepository(entityName: EntityName<any>): any {
      return withRepositoryMethods(super.getRepository(entityName) as never);
    }

    override addFilter(...args: any[]): void {
      noteAddedFilter(this.getDriver(), this.getContext(false), args);
      (super.addFilter as any)(...args);
    }

    override async exists(
      entityName: EntityName<any>,
      where: any = {},
      options: object = {},
    ): Promise<boolean> {
      return (await this.count(entityName, where, { ...options, [EXISTS]: true } as object)) > 0;
    }

    override createQueryBuilder(...args: any[]): any {
      const builder = (super.createQueryBuilder as any)(...args);
      followExecution(builder, this);
      return builder;
    }

    override setFilterParams(...args: any[]): void {
      (super.setFilterParams as any)(...args);
      noteFilterParams(this.getContext(false), args[0], args[1]);
    }

    override fork(options: any = {}): any {
      const parent = options.disableContextResolution ? this : this.getContext(false);
      const fork = super.fork(options);
      inheritContext(fork, parent);
      currentScope().computation?.noteFork(parent, fork);
      return fork;
    }

    /** While a cached function runs, a fork replaces this EntityManager: see `isolation.ts`. */
    override getContext(validate?: boolean): any {
      const { standIns, computation } = currentScope();
      let em: any = super.getContext(false);
      if (standIns?.has(em)) {
        while (standIns.has(em)) {
          em = standIns.get(em);
        }
      } else {
        em = super.getContext(validate);
      }
      computation?.noteManager(em);
      return em;
    }

    override getDataLoader(kind: 'ref' | '1:m' | 'm:n' | 'count'): Promise<any> {
      return loaderOfScope(this.getContext(), kind) ?? super.getDataLoader(kind);
    }

    override tryCache(...args: any[]): Promise<any> {
      if ((args[1] ?? this.config.get('resultCache').global) && !warned.has(this.config)) {
        warned.add(this.config);
        this.config.getLogger().warn('info', RESULT_CACHE, { enabled: true });
      }
      return (super.tryCache as any)(...args);
    }

    /** A refresh reads the database; the driver does not know that it is a refresh. */
    override refresh(...args: any[]): Promise<any> {
      return withScope({ call: false }, () => (super.refresh as any)(...args));
    }

    /** Reads of pivot tables do not name their EntityManager. */
    override withSessionContext(...args: any[]): Promise<any> {
      const em = this.getContext(false) as unknown as SqlEntityManager;
      const run = () => (super.withSessionContext as any)(...args);
      return em.getSessionContext() ? withScope({ em }, run) : callingFor(em, run);
    }
  }
  // the name appears in messages and stack traces
  Object.defineProperty(CachedEntityManager, 'name', { value: Base.name });
  for (const [method, position] of Object.entries(OPTIONS_AT)) {
    const inherited = (Base.prototype as any)[method] as (...args: any[]) => any;
    Object.defineProperty(CachedEntityManager.prototype, method, {
      configurable: true,
      writable: true,
      value: function (this: unknown, ...args: any[]) {
        const cacheops = args[position]?.cacheops;
        const loading =
          (method === 'findOne' && isUnloaded(args[1])) ||
          (method === 'populate' && isUnloadedCollection(args[0], args[1]));
        if (cacheops === undefined && !loading) {
          return inherited.apply(this, args);
        }
        let scope: Scope;
        try {
          scope = {
            ...(cacheops !== undefined && { call: parseCall(cacheops, `em.${method}(): cacheops`) }),
            ...(loading && { loading }),
          };
        } catch (error) {
          return Promise.reject(error); // as the ORM does for wrong options
        }
        return withScope(scope, () => inherited.apply(this, args));
      },
    });
  }
  return CachedEntityManager;
}

/** `ref.load()` and `wrap(entity).init()` pass the entity itself as the condition. */
function isUnloaded(where: unknown): boolean {
  return Utils.isEntity<object>(where) && !helper(where).__initialized;
}

/** `collection.init()` populates the collection of its owner. */
function isUnloadedCollection(owner: unknown, populate: unknown): boolean {
  const [path] = Array.isArray(populate) ? populate : [];
  if (typeof path !== 'string' || !Utils.isEntity<object>(owner)) {
    return false;
  }
  const [property] = path.split(/[.:]/);
  const collection = (owner as Record<string, unknown>)[property!];
  return Utils.isCollection(collection) && !collection.isInitialized();
}
