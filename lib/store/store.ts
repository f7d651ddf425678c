import type { RowDelta } from '../values/row_delta.js';
import type { Dependency, Scheme, TableDependencies } from '../values/scheme.js';

/** In what is marked or dropped, in place of a table: all tables of all databases. Only the guarded store knows it. */
export const EVERYTHING = '#everything';

/**
 * What a store keeps, and what every implementation of it promises.
 *
 * A store holds three kinds of things:
 *
 * - **entries**: an encoded result under one key, sealed with the stamps that it was filled under;
 * - **stamps**: a random token, one a table and one a dependency. An entry is valid while every stamp in its
 *   seal is still there, unchanged. Invalidating is deleting a stamp: one small operation, whatever hangs on it.
 *   The stamp of a scheme with `tests` *counts* beside: a write makes it one more for each row, and leaves a step on its
 *   *trail*, which remembers the last few hundred. Whoever finds an entry with an earlier count is told the steps since,
 *   and decides whether they matter to it;
 * - **registries**: for each table the schemes that readers use, and the marks of writers in flight.
 *
 * Missing always means *miss*. A stamp is random, so one that is made again never equals an old one.
 *
 * Two levels of stamps are enough. Every entry carries its tables' stamps beside those of its dependencies, so
 * that a whole table can be dropped at once, also when the registry (and with it the knowledge of which
 * dependencies exist) is gone.
 */
export interface Store {
  /**
   * An entry whose seal still holds, or would hold if what has happened since did not matter to it (see
   * {@link Found.moved}), or `undefined`: a miss.
   */
  read(address: EntryAddress): Promise<Found | undefined>;

  /**
   * As many of {@link read} in one, in the order of the addresses. There is a moment, after this was called, at which all
   * that are found held *together* (or would have, if what has happened since does not matter to them): nobody is given
   * one entry from before a write and another from after it.
   *
   * Each has its {@link Found.id}, also if nothing has happened. So who looks again later, and finds the same ids, knows
   * that they have held all the while.
   */
  readMany(addresses: readonly EntryAddress[]): Promise<(Found | undefined)[]>;

  /**
   * What a reader does who has found that nothing in {@link Found.moved} matters: the entry takes the newer seal.
   * Harmless if there is another entry by now.
   */
  reseal(address: EntryAddress, found: Found): Promise<void>;

  /**
   * Takes a lease after a miss, *before* the database is asked: registers missing schemes, creates missing
   * stamps, and tells whether the result may be stored at all.
   *
   * The last of the tables is leased after all others have been.
   *
   * @param ttl how long the stamps must outlive this moment, in seconds (the longest timeout of the entry)
   */
  lease(address: EntryAddress, ttl: number): Promise<Lease>;

  /**
   * Stores a result under the seal of a lease. Unconditional: if a stamp has changed since the lease, the entry
   * can never validate.
   *
   * @param timeout seconds
   */
  fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void>;

  /**
   * What a writer does after its last statement and before COMMIT: deletes the stamps of every dependency that
   * an old or new row satisfies (or makes those count that do and adds to their trails) and, in the same atomic
   * step, records itself as in flight on these tables. While it is, nobody is given a lease on what it touches.
   */
  mark(writer: Writer, changes: readonly TableChange[]): Promise<void>;

  /**
   * The schemes that readers of a table use, as far as this process knows: it asks the store the first time only. A
   * hint for what is worth reading before a write; {@link mark} does not rely on it.
   */
  schemes(table: string): Promise<readonly Scheme[]>;

  /** What a writer does after COMMIT or ROLLBACK: it is no longer in flight. Settling twice does no harm. */
  settle(writerId: string, tables: readonly string[]): Promise<void>;

  /** Ends a quarantine (see {@link Refusal}); does nothing if the registry has been made anew since. */
  lift(quarantine: Quarantine): Promise<void>;

  /** Drops everything that depends on these tables. */
  drop(tables: readonly string[]): Promise<void>;

  /**
   * Drops everything that this store has written, and nothing else.
   *
   * @param kept tables whose stamps and registries stay as they are
   */
  clear(kept?: readonly string[]): Promise<void>;

  close(): Promise<void>;
}

/** Where an entry is, and what it depends on. */
export interface EntryAddress {
  /** the entry's key, without the store's own prefix */
  readonly key: string;
  /** at least one; each table at most once */
  readonly tables: readonly TableDependencies[];
}

/** What was found of an entry. */
export interface Found {
  readonly payload: Uint8Array;
  /**
   * What has happened since the entry was sealed, in the order of the address. Empty: nothing. If any of it matters to
   * the result, the entry is a miss; nobody but its reader can tell.
   */
  readonly moved: readonly Moved[];
  /** with which it would hold now */
  readonly seal: Seal;
  /** tells it from what was filled, or sealed, anew under its key; {@link Store.read} leaves it empty if nothing has happened */
  readonly id: string;
  /** The stamps that the entry carries. If nothing has happened since, another entry that contains it may carry them, too. */
  carried(): Seal;
}

/** The steps that have come to a dependency, oldest first. At least one. */
export interface Moved {
  readonly table: string;
  readonly dependency: Dependency;
  readonly steps: readonly RowDelta[];
}

/** The stamps that an entry was, or will be, filled under, in the order of its address. Opaque. */
export type Seal = string;

export type Lease = { readonly granted: true; readonly seal: Seal } | Refusal;

/**
 * Why a result may not be stored.
 *
 * - `writers`: these writers are in flight on what it depends on.
 * - `quarantines`: the registry of a table was missing, so marks of writers in flight may have been lost with it.
 *   It may be trusted again once every transaction that was running when it was made anew has ended.
 */
export interface Refusal {
  readonly granted: false;
  readonly writers: readonly InFlight[];
  readonly quarantines: readonly Quarantine[];
}

export interface Quarantine {
  readonly table: string;
  /** which incarnation of the registry */
  readonly nonce: string;
}

export interface Writer {
  /** unique, random */
  readonly id: string;
  /** the database's id of its transaction, by which others can learn its fate; without one, only time can tell */
  readonly xid: string | undefined;
}

export interface InFlight extends Writer {
  /** by the store's own clock, in milliseconds */
  readonly age: number;
  /** the tables whose registries it was found on */
  readonly tables: readonly string[];
}

export interface TableChange {
  readonly table: string;
  /**
   * By the encoded values of a scheme that the changed rows had or have: the steps of those rows, or `undefined` where
   * these cannot be told or the scheme has no `tests`: then what depends on these values is dropped.
   *
   * `undefined` as a whole if not even the values can be told: then everything that depends on the table is dropped.
   */
  touched(scheme: Scheme): ReadonlyMap<string, readonly RowDelta[] | undefined> | undefined;
}
