import { EventEmitter } from 'node:events';
import type { Op } from '../config/index.js';

/** What is served beside queries. */
export type AnswerKind = 'function' | 'view' | 'fragment';

/** What is kept by key and for a time: by `cached()` in the store of the queries, or by `getCacheops(orm).cache`. */
export type ValueKind = 'value';

export interface ReadEvent {
  /** name of the entity; of a function, view or fragment, its own; of a value, its key */
  readonly entity: string;
  readonly op: Op | AnswerKind | ValueKind;
  /** where the answer came from; `database` also says that it was computed, or not there */
  readonly source: 'cache' | 'database';
  /** why it was not in the cache (what has changed, where that is known), or not asked of it */
  readonly reason?: string;
  readonly key?: string;
  /** what the result depends on, in words: `article(category=7 and price<10; reads title)` */
  readonly dependencies?: readonly string[];
  /** how long it took, in milliseconds */
  readonly duration: number;
}

export interface FillEvent {
  /** name of the entity; of a function, view or fragment, its own; of a value, its key */
  readonly entity: string;
  readonly op: Op | AnswerKind | ValueKind;
  readonly key: string;
  readonly dependencies: readonly string[];
  /** bytes */
  readonly size: number;
  /** seconds */
  readonly timeout: number;
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
  invalidation: [InvalidationEvent];
  mismatch: [MismatchEvent];
  error: [ErrorEvent];
}

/** Counts since the program began. */
export interface CacheopsStats {
  hits: number;
  /** hits which something had happened to that did not matter */
  revalidated: number;
  misses: number;
  /** misses that were answered by the database's answer to another */
  shared: number;
  /** queries that were not asked of the cache */
  bypassed: number;
  fills: number;
  /** results that were not stored, because a writer was in flight on what they depend on */
  refused: number;
  /** hits that were compared with the database (see the option `audit`) */
  audited: number;
  /** those that were not the same */
  mismatches: number;
  /** transactions that were told to the store */
  invalidations: number;
  errors: number;
}

export class CacheopsEvents extends EventEmitter<CacheopsEventMap> {
  readonly stats: CacheopsStats = {
    hits: 0,
    revalidated: 0,
    misses: 0,
    shared: 0,
    bypassed: 0,
    fills: 0,
    refused: 0,
    audited: 0,
    mismatches: 0,
    invalidations: 0,
    errors: 0,
  };

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

  /** An error of the cache is never the application's: without a listener, it is only counted. */
  reportError(operation: string, error: unknown): void {
    this.stats.errors++;
    this.announce('error', () => ({ operation, error }));
  }
}
