import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityMetadata } from '@mikro-orm/core';
import type { QueryBuilder, SqlEntityManager } from '@mikro-orm/sql';
import type { ParsedCall } from '../../config/call.js';
import type { CallOptions, Op } from '../../config/options.js';
import type { Sealed } from '../../store/seals.js';
import { NON_DEFAULT_SETTINGS, type Session } from './session.js';

/**
 * What holds for all calls below, through async context. A field stands here only if code that cannot pass it on lies
 * between its setter and its readers: MikroORM, kysely or the application.
 */
export interface Scope {
  /**
   * Options of a call (`cacheops: …`). Set by methods of the EntityManager, read by the read interceptor and the
   * dataloaders. No parameter: MikroORM does not hand them on to the queries that populate the result.
   */
  readonly call?: ParsedCall | undefined;
  /**
   * Options of `repository.cache()` and `nocache()`. Set by the repository that these return, read as {@link call}. No
   * parameter: the repository's methods call the EntityManager without them.
   */
  readonly repository?: ParsedCall | undefined;
  /**
   * Nothing is read from the cache or stored. Set by `Cacheops.disabled()`, read by all kinds of reads. No parameter: the
   * application's function lies between.
   */
  readonly disabled?: boolean;
  /**
   * A reference is loaded for the first time. Set by methods of the EntityManager, read by the read interceptor. No
   * parameter: MikroORM calls such a read a refresh too.
   */
  readonly loading?: boolean;
  /**
   * Writes do not invalidate. Set by `Cacheops.noInvalidation()`, read by the statement interceptor and the flush
   * subscriber. No parameter: the application's function lies between.
   */
  readonly invalidationSuppressed?: boolean;
  /**
   * Collects the full names of the tables that such writes may have changed. Set and filled as
   * {@link invalidationSuppressed}, read by `SkippedInvalidations`.
   */
  readonly suppressedTables?: Set<string> | undefined;
  /**
   * Statements are collected instead of sent. Set by `dry_run.ts`, read by its patches and by the read interceptor. No
   * parameter: MikroORM builds and sends the statements.
   */
  readonly dryRun?: DryRun | undefined;
  /**
   * The entity behind a pivot table that is read. Set by the patch of `loadFromPivotTable`, read by the read interceptor.
   * No parameter: MikroORM's find on the pivot table does not name it.
   */
  readonly pivot?: EntityMetadata | undefined;
  /**
   * The EntityManager of reads that have none in their options. Set by `withSessionContext` and for pivot tables, read by
   * {@link currentCaller}. No parameter: MikroORM's driver calls itself without it.
   */
  readonly em?: SqlEntityManager | undefined;
  /** A count stops at the first row. Set and read in `exists.ts`, where MikroORM makes a query builder in between. */
  readonly existing?: boolean;
  /**
   * The query builder that is executed. Set and read in `query_builders.ts`. No parameter: the builder gives the connection
   * only its SQL.
   */
  readonly building?: Building | undefined;
  /**
   * Records the statements that a read sends. Set by the read interceptor and the auditor, filled by the statement
   * interceptor. No parameter: MikroORM and kysely lie between.
   */
  readonly recorder?: StatementRecorder | undefined;
  /**
   * The function whose result may be stored. Set by `cached()` and by computed results, read by whatever it calls:
   * statements, reads, other caches. No parameter: the application's function lies between.
   */
  readonly computation?: Computation | undefined;
  /**
   * EntityManagers that replace others. Set by `isolation.ts` around a computed function, read by
   * `EntityManager.getContext`. No parameter: the application's function uses its own EntityManager.
   */
  readonly standIns?: ReadonlyMap<object, SqlEntityManager> | undefined;
  /**
   * Takes queries instead of executing them. Set and read in `samples.ts`. No parameter: the application's sample makes
   * the query.
   */
  readonly sampling?: Sampling | undefined;
}

/** Takes a query as it arrives at the driver. */
export type Sampling = (query: {
  readonly entityName: unknown;
  readonly where: unknown;
  readonly options: Record<string, unknown>;
  readonly run: () => Promise<unknown>;
}) => void;

type SettingsOfSession = Pick<Session, 'hasNonDefaultSettings' | 'hasOwnSettings'>;

/** Records which statements are sent, and whether a session had settings of its own. */
export class StatementRecorder {
  readonly statements: string[] = [];
  /** a session had settings of its own, so its answers may differ from those of others */
  hasNonDefaultSettings = false;
  readonly #ownSettings: ReadonlySet<string> | undefined;

  /** @param ownSettings names of custom settings in the key; `undefined` if the result depends on none */
  constructor(ownSettings?: ReadonlySet<string>) {
    this.#ownSettings = ownSettings;
  }

  record(sql: string, session: SettingsOfSession): void {
    this.statements.push(sql);
    this.noteSettings(session);
  }

  noteSettings(session: SettingsOfSession): void {
    const known = this.#ownSettings;
    this.hasNonDefaultSettings ||=
      session.hasNonDefaultSettings || (known !== undefined && session.hasOwnSettings(known));
  }
}

/** A result that another result was made of and that is cached itself: of another function, a fragment, a value. */
export interface Ingredient extends Sealed {
  /** how long it may be used, in seconds */
  readonly timeout: number;
  /** the store whose stamps these are */
  readonly store: object;
  /** the EntityManagers in its key, each as text */
  readonly managers: readonly string[];
}

export interface ComputationParts {
  readonly key: string;
  /** transactions are READ COMMITTED by default */
  readonly readCommitted: boolean;
  readonly outer: Computation | undefined;
  /** names of the custom settings in the key */
  readonly ownSettings: ReadonlySet<string>;
  readonly store: object | undefined;
  /** the EntityManagers that are in the key, each as text */
  readonly managers: readonly string[];
  /** these; if omitted, others with the same text may be used, too */
  readonly known?: ReadonlySet<SqlEntityManager>;
  /** its result depends on its ingredients; a result that depends only on time leaves them to the outer computation */
  readonly collects: boolean;
  /** its result may be stored for some time even if it writes */
  readonly mayWrite?: boolean;
}

/**
 * A running function whose result may be stored. It is notified of every statement that the function sends, and vetoes
 * storing where one requires it. It collects ingredients with the stamps that they had before they were read, because
 * later stamps would hide changes in between.
 */
export class Computation {
  /** why the result must not be stored */
  obstacle: string | undefined;
  readonly #parts: ComputationParts;
  readonly #ingredients: Ingredient[] = [];
  /** EntityManagers that the function uses: their filters and contexts decide about the result */
  readonly used = new Set<SqlEntityManager>();
  /** EntityManagers that were forked meanwhile */
  readonly #forks = new Set<SqlEntityManager>();
  /** number of ingredients that are being read or computed */
  #open = 0;
  #hasEnded = false;

  constructor(parts: ComputationParts) {
    this.#parts = parts;
  }

  get key(): string {
    return this.#parts.key;
  }

  /** Its reads must not use a replica, which may lag behind the lease. */
  get readsPrimary(): boolean {
    return !this.#parts.mayWrite || this.#parts.outer?.readsPrimary === true;
  }

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

  noteManager(em: SqlEntityManager): void {
    if (this.#hasEnded) {
      this.#parts.outer?.noteManager(em);
    } else {
      this.used.add(em);
    }
  }

  noteFork(parent: SqlEntityManager, fork: SqlEntityManager): void {
    this.noteManager(parent);
    for (let each: Computation | undefined = this; each; each = each.#parts.outer) {
      each.#forks.add(fork);
    }
  }

  /**
   * Compares the EntityManagers that were used with those in the key. Another one (captured, `#private`) may be a
   * different one in the next call, with other filters: nobody would notice on a hit.
   *
   * @param used each as text; `undefined` if it cannot be distinguished from others
   */
  compareManagers(used: readonly (string | undefined)[]): void {
    const isInKey = used.every(text => text !== undefined && this.#parts.managers.includes(text));
    if (!isInKey || ![...this.used].every(em => this.#isKnown(em))) {
      this.veto('it uses an EntityManager that is not in the key');
    }
  }

  #isKnown(em: SqlEntityManager): boolean {
    const { known } = this.#parts;
    if (!known || known.has(em) || this.#forks.has(em) || em.global) {
      return true;
    }
    const replaced = [...(currentScope().standIns ?? [])].find(([, standIn]) => standIn === em);
    return replaced !== undefined && this.#isKnown(replaced[0] as SqlEntityManager);
  }

  /** The function writes, and a caller that gets its stored result would not write. */
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
   * Called when an ingredient begins to be read or computed. The returned function must be called once, with the
   * ingredient or with the reason why it was not stored: then the result is not stored either.
   */
  enter(): ((outcome: Ingredient | string) => void) | undefined {
    if (!this.#parts.collects || this.#hasEnded) {
      // an ingredient that begins late may still be awaited by the outer computation
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

  /** Called with the result: ingredients that begin later do not belong to it. */
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
  /** the condition joins other entities */
  joins: boolean;
  /** these joins apply filters, which no option mentions */
  filtersJoins: boolean;
  /** the SQL of a virtual entity is part of the statement */
  wrapsExpression: boolean;
  /** MikroORM changes its options in place */
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

/** As `withScope({ em })`, but only for the synchronous part of the call, which costs nothing. */
export function callingFor<T>(em: SqlEntityManager, run: () => T): T {
  const outer = caller;
  caller = em;
  try {
    return run();
  } finally {
    caller = outer;
  }
}

/** The EntityManager of reads that have none in their options. */
export function currentCaller(): SqlEntityManager | undefined {
  return caller ?? currentScope().em;
}

/** Takes a result as an ingredient, or the reason why it is not stored; `undefined` without an outer computation. */
export type Note = ((outcome: Ingredient | string) => void) | undefined;

/** Runs a read that may be an ingredient of the current computation, and reports the outcome to it. */
export async function noting<T>(run: (note: Note) => Promise<T>): Promise<T> {
  const leave = currentScope().computation?.enter();
  if (!leave) {
    return run(undefined);
  }
  let outcome: Ingredient | string = 'it has thrown';
  try {
    return await run(noted => {
      outcome = noted;
    });
  } finally {
    leave(outcome);
  }
}

export interface Building {
  readonly builder: QueryBuilder<any, any, any, any, any, any, any>;
  readonly em: SqlEntityManager;
  readonly op: Op;
  /** options of `builder.cacheops()` */
  readonly call: CallOptions | undefined;
}
