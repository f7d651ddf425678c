import type { CountOptions, EntityManager, EntityRepository, FilterQuery } from '@mikro-orm/core';
import { SqlEntityRepository } from '@mikro-orm/sql';
import { type ParsedCall, parseCall, requireProfile } from '../../config/call.js';
import { CacheopsError } from '../../config/error.js';
import type { CallOptions } from '../../config/options.js';
import { PROFILES } from '../context/extension_keys.js';
import { withScope } from '../context/scope.js';
import type { Profiles } from '../planning/profiles.js';

/** The methods that this package adds to every repository that has no members of these names. */
export interface CachingMethods<Entity extends object = any, Scoped = unknown> {
  /**
   * Whether a row exists. As `count() > 0`, but the database may stop at the first row.
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
   * This repository with cached reads: for these ops (default: all) and this timeout in seconds (default: the profile's).
   * It applies to the queries that populate their results, too, if those entities have a profile.
   *
   * ```ts
   * await em.getRepository(Article).cache({ timeout: 60 }).findAndCount({ category: 7 });
   * ```
   *
   * @throws CacheopsError if the options are wrong, or the entity has no profile
   */
  cache(options?: Exclude<CallOptions, false>): Scoped;

  /** This repository with reads that go to the database, and are not stored. */
  nocache(): Scoped;
}

/** Default repository for entities without a custom one; and a base class for those that use its methods themselves. */
export class CachedRepository<Entity extends object>
  extends SqlEntityRepository<Entity>
  implements CachingMethods<Entity>
{
  exists<Hint extends string = never>(
    where: FilterQuery<NoInfer<Entity>> = {} as never,
    options: CountOptions<Entity, Hint> = {},
  ): Promise<boolean> {
    return this.getEntityManager().exists(this.entityName, where, options);
  }

  cache(options: Exclude<CallOptions, false> = true): this {
    return scoped(this, options);
  }

  nocache(): this {
    return scoped(this, false);
  }
}

/** Adds the missing methods to a repository of another class. */
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

/** Runs methods in the scope, on the repository itself, because a proxy has no private fields. */
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
