import type { TinyDatabase } from './database.js';
import type { ExploredStore } from './explored_store.js';
import type { Keeps } from './rules.js';

/** A participant that takes its steps one by one, interleaved with those of others. */
export interface Actor {
  /** the steps possible now; none if the actor has ended or must wait */
  steps(): readonly Step[];
  /** everything that decides the actor's further steps; equal for two actors that are interchangeable */
  readonly state: unknown;
}

export interface Step {
  readonly name: string;
  take(): void | Promise<void>;
}

/** What the actors share. */
export interface Scene {
  readonly store: ExploredStore;
  readonly database: TinyDatabase;
  readonly keeps: Keeps;
  /** for each quarantine, the writers that were in flight when it was found and still are */
  readonly awaited: Map<string, readonly number[]>;
  /** the keys that were missing from the store at some moment */
  readonly missed: Set<string>;
  /** number of writers that may still die */
  crashes: number;
  /** the writers whose invalidations the store lacks */
  readonly owed: Set<string>;
}

export const TIMEOUT = 1000;
