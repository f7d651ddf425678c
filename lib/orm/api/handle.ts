import { type AnyEntity, type EntityManager, type EntityName, helper, type MikroORM } from '@mikro-orm/core';
import { CacheopsError } from '../../config/index.js';
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

/** What one can do with the cache of an ORM. Get it from {@link getCacheops}. */
export class Cacheops {
  readonly #parts: HandleParts;

  constructor(parts: HandleParts) {
    this.#parts = parts;
  }

  /**
   * `read`, `fill`, `unstored`, `invalidation`, `mismatch`, `error` and `close` events: of queries, functions, views,
   * fragments and values.
   *
   * ```ts
   * getCacheops(orm).events.on('read', ({ entity, op, source, reason }) => console.log(entity, op, source, reason));
   * ```
   */
  get events(): CacheopsEvents {
    return this.#parts.events;
  }

  /** Counts since the program began: in all, by op, and by entity. */
  stats(): CacheopsStats {
    return this.#parts.events.stats.read();
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

  /**
   * Drops everything that is cached under this prefix. Other keys in the same Redis are left alone.
   *
   * @throws StoreError if the store does not take it
   */
  async invalidateAll(): Promise<void> {
    await this.#parts.invalidation.all();
  }

  /** Values by key that nothing but time makes invalid: see {@link StoreCache}. */
  get cache(): StoreCache {
    return this.#parts.timed;
  }

  /**
   * Runs a function whose writes invalidate nothing, in this and every other process. Results that they make wrong
   * stay until they expire or until something else drops them: this gives up the promise of no stale reads.
   *
   * With `skipped`, it is only put off: what the writes would have dropped is noted there, table by table, and dropped
   * by one `skipped.invalidate()`, when their transactions have committed.
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

  /** A place for {@link noInvalidation} to note what it skips. May serve several calls. */
  skippedInvalidations(): SkippedInvalidations {
    return new SkippedInvalidations(tables => this.#parts.invalidation.tables(tables));
  }

  /** Runs a function whose reads all go to the database, and are not stored. Its writes invalidate as always. */
  disabled<T>(run: () => T): T {
    return withScope({ disabled: true }, run);
  }

  /**
   * Resolves when nothing goes on in the background: results are stored, and writers are settled. Not waited for are
   * transactions that the database has not decided (prepared ones, and those whose COMMIT got no answer), and, while
   * transactions hold all connections, work that needs one: the caller may be in one of these transactions.
   */
  async idle(): Promise<void> {
    await this.#parts.idle();
  }

  /**
   * Closes the connection to the store, if it was made here; what the store has not been told of writes is delivered
   * before, if it can be reached. `orm.close()` does so too, when the last transaction has ended. When the ORM connects
   * again after that, so does the cache.
   */
  async close(): Promise<void> {
    await this.#parts.close();
  }
}

/** What {@link Cacheops.noInvalidation} has skipped. */
export class SkippedInvalidations {
  /** full names of the tables that were written */
  readonly tables: ReadonlySet<string> = new Set<string>();
  readonly #drop: (tables: readonly string[]) => Promise<void>;

  constructor(drop: (tables: readonly string[]) => Promise<void>) {
    this.#drop = drop;
  }

  /**
   * Drops everything that depends on these tables, and forgets them. Not before the writes have committed: who reads
   * in between would store what was before.
   *
   * @throws StoreError if the store does not take it; then they are still there
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
