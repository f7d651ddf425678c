import type { TinyDatabase } from './database.js';
import type { ExploredStore } from './explored_store.js';
import type { Keeps } from './rules.js';

/** Somebody who does one thing after the other, while others do theirs in between. */
export interface Actor {
  /** what may happen next; nothing if it is at its end, or has to wait */
  steps(): readonly Step[];
  /** all that decides what it will do; the same for two that may change places */
  readonly state: unknown;
}

export interface Step {
  readonly name: string;
  take(): void | Promise<void>;
}

/** What actors share. */
export interface Scene {
  readonly store: ExploredStore;
  readonly database: TinyDatabase;
  readonly keeps: Keeps;
  /** for each quarantine, who was in flight when it was found and still is */
  readonly awaited: Map<string, readonly number[]>;
  /** the keys of what was not in the store at some moment */
  readonly missed: Set<string>;
  /** how many writers may still die */
  crashes: number;
  /** the writers whose invalidations the store has not been told of */
  readonly owed: Set<string>;
}

export const TIMEOUT = 1000;
