import type { CallOptions } from '../config/index.js';
import type { CachingMethods } from './repository.js';

declare module '@mikro-orm/core' {
  interface EntityRepository<Entity extends object> extends CachingMethods {}

  interface FindOptions<Entity, Hint extends string, Fields extends string, Excludes extends string> {
    /** `false`: from the database; `true`: cached, whatever the profile's ops are; or with other ops, another timeout (seconds) */
    cacheops?: CallOptions;
  }

  interface CountOptions<T extends object, P extends string> {
    /** `false`: from the database; `true`: cached, whatever the profile's ops are; or with other ops, another timeout (seconds) */
    cacheops?: CallOptions;
  }
}
