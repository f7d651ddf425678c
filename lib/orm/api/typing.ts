import type {
  EntityName,
  EntityRepository,
  FilterQuery,
  GetRepository,
  IDatabaseDriver,
  CountOptions as OptionsOfCount,
} from '@mikro-orm/core';
import type { AbstractSqlDriver, SqlEntityRepository } from '@mikro-orm/sql';
import type { CallOptions } from '../../config/options.js';
import type { CachingMethods } from './repository.js';

/**
 * A repository with the methods of this package, except where it has members of these names. They are not declared on
 * `EntityRepository`, because a subclass with another `exists()` or a private `cache` would not compile.
 */
export type WithCaching<Repository, Entity extends object> = [Repository & CachingMethods<Entity>] extends [
  never,
]
  ? Repository // it has a private member of such a name
  : Repository & Omit<CachingMethods<Entity, WithCaching<Repository, Entity>>, keyof Repository>;

declare module '@mikro-orm/core' {
  interface EntityManager<Driver extends IDatabaseDriver = IDatabaseDriver> {
    /** Whether a row exists. As `em.count() > 0`, but the database may stop at the first row. */
    exists<Entity extends object, Hint extends string = never>(
      entityName: EntityName<Entity>,
      where?: FilterQuery<NoInfer<Entity>>,
      options?: OptionsOfCount<Entity, Hint>,
    ): Promise<boolean>;

    getRepository<
      Entity extends object,
      Repository extends EntityRepository<Entity> = EntityRepository<Entity>,
    >(entityName: EntityName<Entity>): WithCaching<GetRepository<Entity, Repository>, Entity>;

    repo<Entity extends object, Repository extends EntityRepository<Entity> = EntityRepository<Entity>>(
      entityName: EntityName<Entity>,
    ): WithCaching<GetRepository<Entity, Repository>, Entity>;
  }

  interface FindOptions<Entity, Hint extends string, Fields extends string, Excludes extends string> {
    /** `false`: from the database; `true`: cached, whatever the profile's ops are; an object: with other ops or another timeout (seconds) */
    cacheops?: CallOptions;
  }

  interface CountByOptions<T extends object> {
    /** `false`: from the database; `true`: cached, whatever the profile's ops are; an object: with other ops or another timeout (seconds) */
    cacheops?: CallOptions;
  }

  interface CountOptions<T extends object, P extends string> {
    /** `false`: from the database; `true`: cached, whatever the profile's ops are; an object: with other ops or another timeout (seconds) */
    cacheops?: CallOptions;
  }
}

declare module '@mikro-orm/sql' {
  interface SqlEntityManager<Driver extends AbstractSqlDriver = AbstractSqlDriver> {
    getRepository<
      Entity extends object,
      Repository extends EntityRepository<Entity> = SqlEntityRepository<Entity>,
    >(entityName: EntityName<Entity>): WithCaching<GetRepository<Entity, Repository>, Entity>;
  }

  interface QueryBuilder<
    Entity extends object,
    RootAlias extends string,
    Hint extends string,
    Context extends object,
    RawAliases extends string,
    Fields extends string,
    CTEs extends Record<string, object>,
  > {
    /**
     * How the result of this builder is cached: `false`, from the database; `true`, cached, whatever the profile's ops are;
     * an object, with other ops or another timeout (seconds).
     *
     * ```ts
     * await em.createQueryBuilder(Article).where({ category: 7 }).cacheops({ timeout: 60 }).getResult();
     * ```
     *
     * @throws CacheopsError if the options are wrong; and when it is executed, if its entity has no profile
     */
    cacheops(options?: CallOptions): this;
  }
}
