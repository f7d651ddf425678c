import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityMetadata } from '@mikro-orm/core';
import type { QueryBuilder, SqlEntityManager } from '@mikro-orm/sql';
import type { ParsedCall } from '../../config/call.js';
import type { CallOptions, Op } from '../../config/options.js';
import type { Sealed } from '../../store/seals.js';
import { NON_DEFAULT_SETTINGS, type Session } from './session.js';

/** What holds for everything that is called from here, however deep: it follows async context. */
export interface Scope {
  /** options of the call, which also reach the queries that populate its result */
  readonly call?: ParsedCall | undefined;
  /** options of a repository's scope */
  readonly repository?: ParsedCall | undefined;
  /** nothing is read from the cache nor stored in it */
  readonly disabled?: boolean;
  /** a reference is loaded for the first time: the ORM calls that a refresh, too */
  readonly loading?: boolean;
  /** writes are not told to the store */
  readonly invalidationSuppressed?: boolean;
  /** of silent writes: full names of the tables that they touched, or may have */
  readonly suppressedTables?: Set<string> | undefined;
  /** statements are collected instead of sent: see `dry_run.ts` */
  readonly dryRun?: DryRun | undefined;
  /** a pivot table is read for the sake of this entity */
  readonly pivot?: EntityMetadata | undefined;
  /** whose session it is, for reads that do not say so */
  readonly em?: SqlEntityManager | undefined;
  /** a count may stop at the first row: see `exists.ts` */
  readonly existing?: boolean;
  /** a query builder is being executed */
  readonly building?: Building | undefined;
  /** sees the statements that a read sends */
  readonly recorder?: StatementRecorder | undefined;
  /** a function is at work whose result may be stored */
  readonly computation?: Computation | undefined;
  /** EntityManagers that others take the place of */
  readonly standIns?: ReadonlyMap<object, SqlEntityManager> | undefined;
  /** queries are looked at instead of asked: see `samples.ts` */
  readonly sampling?: Sampling | undefined;
}

/** Takes a query as it arrives at the driver. */
export type Sampling = (query: {
  readonly entityName: unknown;
  readonly where: unknown;
  readonly options: Record<string, unknown>;
  readonly run: () => Promise<unknown>;
}) => void;

/** Sees which statements are really sent, and over what sessions. */
export class StatementRecorder {
  readonly statements: string[] = [];
  /** a session was not like the others, so that neither is what it answered */
  hasNonDefaultSettings = false;
  readonly #ownSettings: ReadonlySet<string> | undefined;

  /** @param ownSettings of which settings the result may depend, if the user's own matter to it */
  constructor(ownSettings?: ReadonlySet<string>) {
    this.#ownSettings = ownSettings;
  }

  record(sql: string, session: Pick<Session, 'hasNonDefaultSettings' | 'hasOwnSettings'>): void {
    this.statements.push(sql);
    const known = this.#ownSettings;
    this.hasNonDefaultSettings ||=
      session.hasNonDefaultSettings || (known !== undefined && session.hasOwnSettings(known));
  }
}

/** What a result was made of that is cached in its own right: the result of another function, a fragment, a value. */
export interface Ingredient extends Sealed {
  /** how long it may be used, in seconds */
  readonly timeout: number;
  /** the store whose stamps these are */
  readonly store: object;
  /** the EntityManagers that tell it from others, each as text */
  readonly managers: readonly string[];
}

export interface ComputationParts {
  readonly key: string;
  /** whether that is what transactions are by default */
  readonly readCommitted: boolean;
  readonly outer: Computation | undefined;
  /** names of the settings of sessions that are in the key */
  readonly ownSettings: ReadonlySet<string>;
  readonly store: object | undefined;
  /** the EntityManagers that are in the key, each as text */
  readonly managers: readonly string[];
  /** whether its result depends on its ingredients; one that depends on nothing but time leaves them to what is around it */
  readonly collects: boolean;
  /** what it writes is no reason against storing its result for some time */
  readonly mayWrite?: boolean;
}

/**
 * A function at work: hears of every statement that it sends, however deep, and whether one of them makes its result
 * unfit to be stored. It collects what the result depends on beside its samples, each dependency with the stamp that it
 * had before it was read: a stamp of later would hide what has changed between.
 */
export class Computation {
  /** why what it gives must not be stored */
  obstacle: string | undefined;
  readonly #parts: ComputationParts;
  readonly #ingredients: Ingredient[] = [];
  /** EntityManagers that were asked for anything: what they add to queries decides about the result */
  readonly used = new Set<SqlEntityManager>();
  /** ingredients that are being read or computed */
  #open = 0;
  #hasEnded = false;

  constructor(parts: ComputationParts) {
    this.#parts = parts;
  }

  get key(): string {
    return this.#parts.key;
  }

  /** Its reads must not come from a replica, which may lag behind the lease. */
  get readsPrimary(): boolean {
    return !this.#parts.mayWrite || this.#parts.outer?.readsPrimary === true;
  }

  /** A statement is sent over this session. */
  noteStatement(session: {
    readonly hasNonDefaultSettings: boolean;
    readonly transaction: unknown;
    whyNotCached(readCommitted: boolean): string | undefined;
    hasOwnSettings(known: ReadonlySet<string>): boolean;
  }): void {
    const { ownSettings, readCommitted, outer } = this.#parts;
    if (session.hasOwnSettings(ownSettings)) {
      this.veto(NON_DEFAULT_SETTINGS);
    }
    if (session.hasNonDefaultSettings || session.transaction) {
      this.veto(session.whyNotCached(readCommitted));
    }
    outer?.noteStatement(session);
  }

  /** An EntityManager is asked for something, whichever way the function has come to it. */
  noteManager(em: SqlEntityManager): void {
    if (this.#hasEnded) {
      this.#parts.outer?.noteManager(em);
    } else {
      this.used.add(em);
    }
  }

  /**
   * Compares the EntityManagers that were used with those in the key.
   *
   * @param used each as text; `undefined`: it cannot be told from others
   */
  compareManagers(used: readonly (string | undefined)[]): void {
    if (!used.every(text => text !== undefined && this.#parts.managers.includes(text))) {
      this.veto('it uses an EntityManager that is not in the key');
    }
  }

  /** It writes: whoever is given the result without the function being run would not. */
  noteWrite(): void {
    if (!this.#parts.mayWrite) {
      this.veto('a function that writes');
    }
    this.#parts.outer?.noteWrite();
  }

  veto(reason: string | undefined): void {
    this.obstacle ??= reason;
  }

  /**
   * An ingredient begins to be read or computed. What is returned must be called once, with the ingredient or with the
   * reason why it was not stored: then neither is what is made of it.
   */
  enter(): ((outcome: Ingredient | string) => void) | undefined {
    if (!this.#parts.collects || this.#hasEnded) {
      // what began late may still be awaited further out
      return this.#parts.outer?.enter();
    }
    this.#open++;
    return outcome => {
      this.#open--;
      const reason = typeof outcome === 'string' ? outcome : this.#whyNot(outcome);
      if (reason !== undefined) {
        this.veto(`made of something that is not stored: ${reason}`);
      } else {
        this.#ingredients.push(outcome as Ingredient);
      }
    };
  }

  #whyNot({ store, managers }: Ingredient): string | undefined {
    if (store !== this.#parts.store) {
      return 'it is in another store';
    }
    return managers.every(manager => this.#parts.managers.includes(manager))
      ? undefined
      : 'it uses an EntityManager that is not in the key';
  }

  /** The result is there: what comes later has no part in it. */
  end(): readonly Ingredient[] {
    if (this.#open > 0) {
      this.veto('made of something that was not awaited');
    }
    this.#hasEnded = true;
    return this.#ingredients;
  }
}

export interface DryRun {
  readonly statements: string[];
  /** a condition joins other entities */
  joins: boolean;
  /** and brings their filters with them, which no option tells of */
  filtersJoins: boolean;
  /** what a virtual entity stands for is SQL, and part of the statement */
  wrapsExpression: boolean;
  /** MikroORM changes the options that it is given, in place */
  changesOptions: boolean;
}

const storage = new AsyncLocalStorage<Scope>();
const EMPTY: Scope = {};

export function currentScope(): Scope {
  return storage.getStore() ?? EMPTY;
}

/** Runs a function with some of the scope changed. */
export function withScope<T>(change: Scope, run: () => T): T {
  return storage.run({ ...currentScope(), ...change }, run);
}

let caller: SqlEntityManager | undefined;

/** As `withScope({ em })`, but only for what is called at once: it costs nothing. */
export function callingFor<T>(em: SqlEntityManager, run: () => T): T {
  const outer = caller;
  caller = em;
  try {
    return run();
  } finally {
    caller = outer;
  }
}

/** Who calls, for reads that do not say so. */
export function currentCaller(): SqlEntityManager | undefined {
  return caller ?? currentScope().em;
}

/** Told of what a result depends on, or why it is not stored, if something else is made of it. */
export type Note = ((outcome: Ingredient | string) => void) | undefined;

/** Runs what may be an ingredient of what is being computed around it, and tells that of the outcome. */
export async function noting<T>(run: (note: Note) => Promise<T>): Promise<T> {
  const conclude = currentScope().computation?.enter();
  if (!conclude) {
    return run(undefined);
  }
  let outcome: Ingredient | string = 'it has thrown';
  try {
    return await run(noted => {
      outcome = noted;
    });
  } finally {
    conclude(outcome);
  }
}

/** A query builder that is being executed. */
export interface Building {
  readonly builder: QueryBuilder<any, any, any, any, any, any, any>;
  readonly em: SqlEntityManager;
  readonly op: Op;
  /** what it was told by `cacheops()` */
  readonly call: CallOptions | undefined;
}
