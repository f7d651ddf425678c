import { type AnyEntity, type EntityManager, type EntityName, helper, type MikroORM } from '@mikro-orm/core';
import { CacheopsError } from '../config/index.js';
import type { CacheopsEvents, CacheopsStats } from './events.js';
import type { Invalidation } from './invalidation.js';
import { withScope } from './scope.js';

/** The name under which an ORM's configuration keeps its handle. */
export const EXTENSION = 'cacheops';

export interface HandleParts {
  readonly events: CacheopsEvents;
  readonly invalidation: Invalidation;
  readonly idle: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** What one can do with the cache of an ORM. Get it from {@link getCacheops}. */
export class Cacheops {
  readonly #parts: HandleParts;

  constructor(parts: HandleParts) {
    this.#parts = parts;
  }

  /**
   * `read`, `fill`, `invalidation` and `error` events.
   *
   * ```ts
   * getCacheops(orm).events.on('read', ({ entity, op, source, reason }) => console.log(entity, op, source, reason));
   * ```
   */
  get events(): CacheopsEvents {
    return this.#parts.events;
  }

  /** Counts since the program began. */
  stats(): CacheopsStats {
    return { ...this.#parts.events.stats };
  }

  /**
   * Drops what depends on one row, as this object knows it and as it stands in the database now. For changes that
   * were not made through this ORM; those that were need no help.
   *
   * @throws CacheopsError if it is not an entity
   */
  async invalidateObject(entity: object): Promise<void> {
    const meta = helper(entity as AnyEntity)?.__meta;
    if (!meta) {
      throw new CacheopsError(
        `invalidateObject(): ${describe(entity)} is not an entity. Pass a managed entity.`,
      );
    }
    await this.#parts.invalidation.object(entity, meta);
  }

  /**
   * Drops everything that depends on an entity's table (or tables).
   *
   * @throws MetadataError if there is no such entity
   */
  async invalidateModel(entity: EntityName<any>): Promise<void> {
    await this.#parts.invalidation.model(entity);
  }

  /** Drops everything that is cached under this prefix. Other keys in the same Redis are left alone. */
  async invalidateAll(): Promise<void> {
    await this.#parts.invalidation.all();
  }

  /**
   * Runs a function whose writes invalidate nothing, in this and every other process. Results that they make wrong
   * stay until they expire or until something else drops them: this gives up the promise of no stale reads.
   */
  noInvalidation<T>(run: () => T): T {
    return withScope({ silent: true }, run);
  }

  /** Runs a function whose reads all go to the database, and are not stored. Its writes invalidate as always. */
  disabled<T>(run: () => T): T {
    return withScope({ disabled: true }, run);
  }

  /** Resolves when nothing goes on in the background: results are stored, and writers are settled. */
  async idle(): Promise<void> {
    await this.#parts.idle();
  }

  /** Closes the connection to the store, if it was made here. `orm.close()` does so too. */
  async close(): Promise<void> {
    await this.#parts.close();
  }
}

/**
 * The handle of an ORM's cache.
 *
 * @throws CacheopsError if the ORM was not given the extension
 */
export function getCacheops(ormOrEm: MikroORM<any> | EntityManager): Cacheops {
  const handle = ormOrEm.config.getExtension<Cacheops>(EXTENSION);
  if (!handle) {
    throw new CacheopsError('This ORM has no cache. Add cacheops() to the extensions of its configuration.');
  }
  return handle;
}

function describe(value: unknown): string {
  return typeof value === 'object' && value !== null
    ? `an object of ${value.constructor?.name}`
    : String(value);
}
