import type { CallOptions } from '../config/index.js';
import type { CachingMethods } from './repository.js';

declare module '@mikro-orm/core' {
  // biome-ignore lint/correctness/noUnusedVariables: the parameters must be those of the interface that is merged with
  interface EntityRepository<Entity extends object> extends CachingMethods {}

  // biome-ignore lint/correctness/noUnusedVariables: as above
  interface FindOptions<Entity, Hint extends string, Fields extends string, Excludes extends string> {
    /** `false`: from the database; `true`: cached, whatever the profile's ops are; or with other ops, another timeout (seconds) */
    cacheops?: CallOptions;
  }

  // biome-ignore lint/correctness/noUnusedVariables: as above
  interface CountOptions<T extends object, P extends string> {
    /** `false`: from the database; `true`: cached, whatever the profile's ops are; or with other ops, another timeout (seconds) */
    cacheops?: CallOptions;
  }
}
