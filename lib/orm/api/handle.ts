import { type AnyEntity, type EntityManager, type EntityName, helper, type MikroORM } from '@mikro-orm/core';
import { CacheopsError } from '../../config/error.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { CacheopsStats } from '../../observability/stats.js';
import type { StoreCache } from '../computed/timed_values.js';
import { EXTENSION } from '../context/extension_keys.js';
import { withScope } from '../context/scope.js';
import type { Invalidation } from '../writes/manual_invalidation.js';

export interface HandleParts {
  readonly events: CacheopsEvents;
  readonly invalidation: Invalidation;
  readonly timed: StoreCache;
  readonly idle: () => Promise<void>;
  readonly close: () => Promise<void>;
}

/** Controls the cache of an ORM. Get it from {@link getCacheops}. */
export class Cacheops {
  readonly #parts: HandleParts;

  constructor(parts: HandleParts) {
    this.#parts = parts;
  }

  /**
   * `read`, `fill`, `unstored`, `invalidation`, `mismatch`, `error` and `close` events of queries, functions, views,
   * fragments and values.
   *
   * ```ts
   * getCacheops(orm).events.on('read', ({ entity, op, source, reason }) => console.log(entity, op, source, reason));
   * ```
   */
  get events(): CacheopsEvents {
    return this.#parts.events;
  }

  /** Counts since the program started: in total, by op, and by entity. */
  stats(): CacheopsStats {
    return this.#parts.events.stats.read();
  }

  /**
   * Invalidates results that depend on one row, with the values of this object and with the present values in the database.
   * It is for changes that were not made through this ORM; changes through this ORM invalidate by themselves.
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
   * Invalidates all results that depend on an entity's table (or tables).
   *
   * @throws MetadataError if there is no such entity
   */
  async invalidateModel(entity: EntityName<any>): Promise<void> {
    await this.#parts.invalidation.model(entity);
  }

  /**
   * Invalidates all results with this prefix. Other keys in the same Redis stay.
   *
   * @throws StoreError if the store cannot be reached
   */
  async invalidateAll(): Promise<void> {
    await this.#parts.invalidation.all();
  }

  /** Values by key that expire: see {@link StoreCache}. */
  get cache(): StoreCache {
    return this.#parts.timed;
  }

  /**
   * Runs a function whose writes invalidate nothing, in this and every other process. Stale results stay until they expire
   * or something else invalidates them: this gives up the promise of no stale reads.
   *
   * With `skipped`, invalidation is only deferred: the tables of the writes are recorded there, and invalidated by
   * `skipped.invalidate()`, which must be called after their transactions have committed.
   *
   * ```ts
   * const skipped = getCacheops(orm).skippedInvalidations();
   * try {
   *   for (const file of files) {
   *     await getCacheops(orm).noInvalidation(() => importRows(file), skipped);
   *   }
   * } finally {
   *   await skipped.invalidate();
   * }
   * ```
   */
  noInvalidation<T>(run: () => T, skipped?: SkippedInvalidations): T {
    return withScope(
      { invalidationSuppressed: true, suppressedTables: skipped?.tables as Set<string> | undefined },
      run,
    );
  }

  /** Records the tables whose invalidation {@link noInvalidation} skips, for one or several calls. */
  skippedInvalidations(): SkippedInvalidations {
    return new SkippedInvalidations(tables => this.#parts.invalidation.tables(tables));
  }

  /** Runs a function whose reads all go to the database, and are not stored. Its writes invalidate as usual. */
  disabled<T>(run: () => T): T {
    return withScope({ disabled: true }, run);
  }

  /**
   * Resolves when no work is left in the background: results are stored, and writers are settled. It does not wait for
   * transactions that the database has not decided (prepared ones, and those whose COMMIT got no answer); nor, while
   * transactions hold all connections, for work that needs one, because the caller may be in one of these transactions.
   */
  async idle(): Promise<void> {
    await this.#parts.idle();
  }

  /**
   * Closes the connection to the store, if this package made it. Pending invalidations are delivered before, if the store
   * can be reached. `orm.close()` does the same, after the last transaction has ended. When the ORM connects again, so does
   * the cache. If the ORM stays connected and writes, the cache opens again, because other processes must hear of it.
   */
  async close(): Promise<void> {
    await this.#parts.close();
  }
}

/** The tables whose invalidation {@link Cacheops.noInvalidation} has skipped. */
export class SkippedInvalidations {
  /** full names of the tables that were written */
  readonly tables: ReadonlySet<string> = new Set<string>();
  readonly #drop: (tables: readonly string[]) => Promise<void>;

  constructor(drop: (tables: readonly string[]) => Promise<void>) {
    this.#drop = drop;
  }

  /**
   * Invalidates all results that depend on these tables, and clears the record. Call it after the writes have committed:
   * otherwise readers may store stale results between this call and the commit.
   *
   * @throws StoreError if the store cannot be reached; then the record is kept
   */
  async invalidate(): Promise<void> {
    const tables = [...this.tables];
    if (tables.length > 0) {
      await this.#drop(tables);
      for (const table of tables) {
        (this.tables as Set<string>).delete(table);
      }
    }
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
