import { EventEmitter } from 'node:events';
import type { Op } from '../config/options.js';
import { type ReadOp, Stats } from './stats.js';

export interface ReadEvent {
  /** name of the entity; of a function, view or fragment, its own; of a value, its key */
  readonly entity: string;
  readonly op: ReadOp;
  /** where the result came from; `database` also stands for a computed result, and for a missing value */
  readonly source: 'cache' | 'database';
  /**
   * why it did not come from the cache (the change that made it a miss, if known), or bypassed it; `error`: it failed
   */
  readonly reason?: string;
  /** the exception of a failed query */
  readonly error?: unknown;
  readonly key?: string;
  /** the dependencies of the result in words: `article(category=7 and price<10; reads title)` */
  readonly dependencies?: readonly string[];
  /**
   * what is compared of rows that have changed meanwhile when the result is read again: `article(category=7): price, id`.
   * Dependencies that are not listed are invalidated by the write itself.
   */
  readonly checks?: readonly string[];
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

/** A result that was a miss, was computed, and was not stored. */
export interface UnstoredEvent {
  /** name of the entity; of a function, view or fragment, its own */
  readonly entity: string;
  readonly op: ReadOp;
  readonly key: string;
  /**
   * `refused: …`: a transaction is writing to its tables, the store is new to them, or does not answer; otherwise why it
   * must not be shared
   */
  readonly reason: string;
}

export interface InvalidationEvent {
  /** the tables that were written */
  readonly tables: readonly {
    readonly table: string;
    readonly inserted: number;
    readonly updated: number;
    readonly deleted: number;
    /** everything that depends on the table was dropped */
    readonly all: boolean;
  }[];
  /** names of the entities in the change sets of the unit of work */
  readonly entities: readonly string[];
  /** views (by path), fragments and values that were dropped by name */
  readonly names: readonly { readonly op: 'view' | 'fragment' | 'value'; readonly name: string }[];
  /** everything under this prefix was dropped */
  readonly everything: boolean;
}

/** A hit differed from the database: a bug, or a write that this extension cannot see. */
export interface MismatchEvent {
  readonly entity: string;
  readonly op: Op;
  readonly key: string;
  readonly dependencies: readonly string[];
  /** as the driver returns results: rows by property, with database values; or a count */
  readonly cached: unknown;
  readonly database: unknown;
}

export interface ErrorEvent {
  /** the operation that failed */
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
  /** the cache is closed; the last event, unless the ORM connects again */
  close: [];
}

export class CacheopsEvents extends EventEmitter<CacheopsEventMap> {
  /** @internal */
  readonly stats = new Stats();
  /** configured name of the database */
  readonly database: string;

  constructor(database: string) {
    super();
    this.database = database;
  }

  /** Creates payloads only for listeners. An exception of a listener is uncaught, and not an error of the read. */
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

  /** @param payload without its empty fields */
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

  /** Never throws, because an error of the cache must not fail the application. */
  reportError(operation: string, error: unknown): void {
    this.stats.errors++;
    this.announce('error', () => ({ operation, error }));
  }
}
