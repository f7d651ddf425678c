import type { CountOptions, EntityManager, EntityRepository, FilterQuery } from '@mikro-orm/core';
import { SqlEntityRepository } from '@mikro-orm/sql';
import {
  CacheopsError,
  type CallOptions,
  type ParsedCall,
  parseCall,
  requireProfile,
} from '../../config/index.js';
import { PROFILES } from '../context/extension_keys.js';
import { withScope } from '../context/scope.js';
import type { Profiles } from '../planning/profiles.js';

/** What every repository has beside what the ORM gives it. */
export interface CachingMethods<Entity extends object = any> {
  /**
   * Is there any? As `count() > 0`, but the database may stop at the first row that it finds.
   *
   * ```ts
   * await em.getRepository(Article).exists({ slug: 'first' });
   * ```
   */
  exists<Hint extends string = never>(
    where?: FilterQuery<NoInfer<Entity>>,
    options?: CountOptions<Entity, Hint>,
  ): Promise<boolean>;

  /**
   * This repository, such that its reads are cached: for these ops (left out, whatever they do) and this timeout in
   * seconds (left out, the profile's). Also reaches the queries that populate their results, as far as those
   * entities have a profile.
   *
   * ```ts
   * await em.getRepository(Article).cache({ timeout: 60 }).findAndCount({ category: 7 });
   * ```
   *
   * @throws CacheopsError if the options are wrong, or the entity has no profile
   */
  cache(options?: Exclude<CallOptions, false>): this;

  /** This repository, such that its reads go to the database, and are not stored. */
  nocache(): this;
}

/**
 * The repository that entities have which do not name one of their own. Usable as a base class; but other
 * repositories have the same methods.
 */
export class CachedRepository<Entity extends object>
  extends SqlEntityRepository<Entity>
  implements CachingMethods<Entity>
{
  override exists<Hint extends string = never>(
    where: FilterQuery<NoInfer<Entity>> = {} as never,
    options: CountOptions<Entity, Hint> = {},
  ): Promise<boolean> {
    return this.getEntityManager().exists(this.entityName, where, options);
  }

  override cache(options: Exclude<CallOptions, false> = true): this {
    return scoped(this, options);
  }

  override nocache(): this {
    return scoped(this, false);
  }
}

/** Gives a repository of another class the methods that it lacks. */
export function withRepositoryMethods<Repository extends EntityRepository<any>>(
  repository: Repository,
): Repository {
  for (const method of ['cache', 'nocache', 'exists'] as const) {
    if (!(method in repository)) {
      Object.defineProperty(repository, method, {
        value: CachedRepository.prototype[method],
        configurable: true,
      });
    }
  }
  return repository;
}

function scoped<Repository extends object>(repository: Repository, options: CallOptions): Repository {
  const { em, entityName } = repository as unknown as { em: EntityManager; entityName: never };
  const meta = em.getMetadata().get(entityName);
  const profiles = em.config.getExtension<Profiles>(PROFILES);
  if (!profiles) {
    throw new CacheopsError('This ORM has no cache. Add cacheops() to the extensions of its configuration.');
  }
  const call = parseCall(options, `Repository of ${meta.className}`);
  if (call !== false) {
    requireProfile(meta.className, profiles.of(meta as never));
  }
  return within(repository, call);
}

/** Methods run in the scope, on the repository itself: so its private fields are there. */
function within<Repository extends object>(repository: Repository, call: ParsedCall): Repository {
  return new Proxy(repository, {
    get(target, property) {
      const value = Reflect.get(target, property, target);
      return typeof value === 'function' && property !== 'constructor'
        ? (...args: unknown[]) => withScope({ repository: call }, () => value.apply(target, args))
        : value;
    },
  });
}
