import { EventEmitter } from 'node:events';
import type { Op } from '../config/options.js';
import { type ReadOp, Stats } from './stats.js';

export interface ReadEvent {
  /** name of the entity; of a function, view or fragment, its own; of a value, its key */
  readonly entity: string;
  readonly op: ReadOp;
  /** where the answer came from; `database` also says that it was computed, or not there */
  readonly source: 'cache' | 'database';
  /** why it was not in the cache (what has changed, where that is known), or not asked of it; `error`: it failed */
  readonly reason?: string;
  /** what a query failed with: the database refused it, say */
  readonly error?: unknown;
  readonly key?: string;
  /** what the result depends on, in words: `article(category=7 and price<10; reads title)` */
  readonly dependencies?: readonly string[];
  /** how long it took, in milliseconds */
  readonly duration: number;
}

export interface FillEvent {
  /** name of the entity; of a function, view or fragment, its own; of a value, its key */
  readonly entity: string;
  readonly op: ReadOp;
  readonly key: string;
  readonly dependencies: readonly string[];
  /** bytes */
  readonly size: number;
  /** seconds */
  readonly timeout: number;
}

/** A result that was looked for, made, and not stored. */
export interface UnstoredEvent {
  /** name of the entity; of a function, view or fragment, its own */
  readonly entity: string;
  readonly op: ReadOp;
  readonly key: string;
  /** `refused`: a writer is in flight on what it depends on, or the store does not answer; else, why nobody else may have it */
  readonly reason: string;
}

export interface InvalidationEvent {
  /** what was dropped: a table's dependencies by rows, or everything of it */
  readonly tables: readonly {
    readonly table: string;
    readonly inserted: number;
    readonly updated: number;
    readonly deleted: number;
    /** everything that depends on the table was dropped */
    readonly all: boolean;
  }[];
  /** the entities that the unit of work said it would write, by name */
  readonly entities: readonly string[];
  /** views (by path), fragments and values that were dropped by name */
  readonly names: readonly { readonly op: 'view' | 'fragment' | 'value'; readonly name: string }[];
  /** everything under this prefix was dropped */
  readonly everything: boolean;
}

/** A hit was not what the database would have given: a bug, or a write that nobody could see. */
export interface MismatchEvent {
  readonly entity: string;
  readonly op: Op;
  readonly key: string;
  readonly dependencies: readonly string[];
  /** as the driver gives results: rows by property, in database form; or a count */
  readonly cached: unknown;
  readonly database: unknown;
}

export interface ErrorEvent {
  /** what was attempted */
  readonly operation: string;
  readonly error: unknown;
}

export interface CacheopsEventMap {
  read: [ReadEvent];
  fill: [FillEvent];
  unstored: [UnstoredEvent];
  invalidation: [InvalidationEvent];
  mismatch: [MismatchEvent];
  error: [ErrorEvent];
  /** the cache is closed: the last one, unless the ORM connects again */
  close: [];
}

export class CacheopsEvents extends EventEmitter<CacheopsEventMap> {
  /** @internal */
  readonly stats = new Stats();
  /** name of the database, as it was configured */
  readonly database: string;

  constructor(database: string) {
    super();
    this.database = database;
  }

  /** Payloads are only made if somebody listens; a listener that throws is an error of its own. */
  announce<K extends keyof CacheopsEventMap>(name: K, payload: () => CacheopsEventMap[K][0]): void {
    if (this.listenerCount(name) === 0) {
      return;
    }
    try {
      this.emit(name, ...([payload()] as never));
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  /** What has been dropped, with what is not nothing. */
  announceInvalidation(payload: () => Partial<InvalidationEvent>): void {
    this.stats.invalidations++;
    this.announce('invalidation', () => ({
      tables: [],
      entities: [],
      names: [],
      everything: false,
      ...payload(),
    }));
  }

  /** An error of the cache is never the application's: without a listener, it is only counted. */
  reportError(operation: string, error: unknown): void {
    this.stats.errors++;
    this.announce('error', () => ({ operation, error }));
  }
}
