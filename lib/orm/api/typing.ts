import type {
  EntityName,
  FilterQuery,
  IDatabaseDriver,
  CountOptions as OptionsOfCount,
} from '@mikro-orm/core';
import type { CallOptions } from '../../config/options.js';
import type { CachingMethods } from './repository.js';

declare module '@mikro-orm/core' {
  interface EntityRepository<Entity extends object> extends CachingMethods<Entity> {}

  interface EntityManager<Driver extends IDatabaseDriver = IDatabaseDriver> {
    /** Whether a row exists. As `em.count() > 0`, but the database may stop at the first row. */
    exists<Entity extends object, Hint extends string = never>(
      entityName: EntityName<Entity>,
      where?: FilterQuery<NoInfer<Entity>>,
      options?: OptionsOfCount<Entity, Hint>,
    ): Promise<boolean>;
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
