import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityMetadata } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { ParsedCall } from '../config/index.js';
import type { Building } from './query_builders.js';
import { PECULIAR } from './session.js';

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
  readonly silent?: boolean;
  /** of silent writes: full names of the tables that they touched, or may have */
  readonly skipped?: Set<string> | undefined;
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
  readonly witness?: Witness | undefined;
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
export class Witness {
  readonly statements: string[] = [];
  /** a session was not like the others, so that neither is what it answered */
  peculiar = false;

  see(sql: string, session: { readonly isPeculiar: boolean }): void {
    this.statements.push(sql);
    this.peculiar ||= session.isPeculiar;
  }
}

/**
 * A function at work: hears of every statement that it sends, however deep, and whether one of them makes its result
 * unfit to be stored.
 */
export class Computation {
  /** why what it gives must not be stored */
  obstacle: string | undefined;
  readonly key: string;
  readonly #readCommitted: boolean;
  readonly #outer: Computation | undefined;
  readonly #ownSettings: ReadonlySet<string>;

  /**
   * @param readCommitted whether that is what transactions are by default
   * @param ownSettings names of the settings of sessions that are in the key
   */
  constructor(
    key: string,
    readCommitted: boolean,
    outer: Computation | undefined,
    ownSettings: ReadonlySet<string>,
  ) {
    this.key = key;
    this.#ownSettings = ownSettings;
    this.#readCommitted = readCommitted;
    this.#outer = outer;
  }

  /** A statement is sent over this session. */
  see(session: {
    readonly isPeculiar: boolean;
    readonly transaction: unknown;
    whyNotCached(readCommitted: boolean): string | undefined;
    hasOwnSettings(known: ReadonlySet<string>): boolean;
  }): void {
    if (session.hasOwnSettings(this.#ownSettings)) {
      this.object(PECULIAR);
    }
    if (session.isPeculiar || session.transaction) {
      this.object(session.whyNotCached(this.#readCommitted));
    }
    this.#outer?.see(session);
  }

  /** It writes: whoever is given the result without the function being run would not. */
  hearWrite(): void {
    this.object('a function that writes');
    this.#outer?.hearWrite();
  }

  object(reason: string | undefined): void {
    this.obstacle ??= reason;
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
