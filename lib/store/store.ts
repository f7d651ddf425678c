import type { RowDelta } from '../values/row_delta.js';
import type { Dependency, Scheme, TableDependencies } from '../values/scheme.js';

/** In place of a table that is marked or dropped: all tables of all databases. Only the guarded store knows it. */
export const EVERYTHING = '#everything';

/**
 * Keeps results, and what is needed to invalidate them. All implementations pass the same conformance suite.
 *
 * A store holds three kinds of things:
 *
 * - **entries**: an encoded result under one key, sealed with the stamps that it was filled under;
 * - **stamps**: a random token for each table and each dependency. An entry is valid while every stamp in its seal
 *   exists unchanged. To invalidate is to delete a stamp: one small operation, however many entries depend on it. The
 *   stamp of a scheme with `tests` also has a *version*: each changed row adds one to it, and a row delta (`steps`) to
 *   its *trail*, a log of the last few hundred deltas. A reader that finds an entry with an earlier version gets the
 *   deltas since, and decides whether they affect the entry;
 * - **registries**: for each table, the schemes that readers use and the marks of writers in flight.
 *
 * Whatever is missing is a *miss*. A stamp is random, so a new one never equals an old one.
 *
 * Every entry carries its tables' stamps as well as those of its dependencies. So a whole table can be dropped at once,
 * even if its registry is lost, and with it the knowledge of which dependencies exist.
 */
export interface Store {
  /**
   * An entry whose seal still holds, or would hold if the changes since then do not affect it (see
   * {@link Found.moved}); or `undefined`: a miss.
   */
  read(address: EntryAddress): Promise<Found | undefined>;

  /**
   * Several {@link read} in one, in the order of the addresses. There is a moment after the call at which all entries
   * that are found were valid *together* (or would have been, if the changes since then do not affect them). So no
   * reader gets one entry from before a write and another from after it.
   *
   * Each entry has its {@link Found.id}, also if nothing has changed. If a later read finds the same ids, the entries
   * were valid all the while.
   */
  readMany(addresses: readonly EntryAddress[]): Promise<(Found | undefined)[]>;

  /**
   * Gives an entry the newer seal, after its reader has found that nothing in {@link Found.moved} affects it. Does
   * nothing if the entry has been replaced.
   */
  reseal(address: EntryAddress, found: Found): Promise<void>;

  /**
   * Takes a lease after a miss, *before* the database is asked: registers missing schemes, creates missing stamps, and
   * says whether the result may be stored.
   *
   * The last table is leased after all others.
   *
   * @param ttl how long the stamps must live from now on, in seconds (the longest timeout of the entry)
   */
  lease(address: EntryAddress, ttl: number): Promise<Lease>;

  /**
   * Stores a result under the seal of a lease. Unconditional: if a stamp has changed since the lease, the entry never
   * becomes valid.
   *
   * @param timeout seconds
   */
  fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void>;

  /**
   * Called by a writer after its last statement and before COMMIT. Atomically deletes the stamp of every dependency
   * that an old or new row matches (or increments a versioned stamp and extends its trail), and records the writer as
   * in flight on these tables. Until it has settled, no reader gets a lease on the dependencies that it touches.
   */
  mark(writer: Writer, changes: readonly TableChange[]): Promise<void>;

  /**
   * The schemes that readers of a table use, as far as this process knows; the store is asked only the first time. A
   * hint about which columns to read before a write. {@link mark} does not rely on it.
   */
  schemes(table: string): Promise<readonly Scheme[]>;

  /** Called by a writer after COMMIT or ROLLBACK: it is no longer in flight. Settling twice is harmless. */
  settle(writerId: string, tables: readonly string[]): Promise<void>;

  /** Ends a quarantine (see {@link Refusal}). Does nothing if the registry has been replaced since. */
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

/** The key of an entry, and its dependencies. */
export interface EntryAddress {
  /** the entry's key, without the store's own prefix */
  readonly key: string;
  /** at least one; each table at most once */
  readonly tables: readonly TableDependencies[];
}

/** An entry that was found. */
export interface Found {
  readonly payload: Uint8Array;
  /**
   * The row deltas since the entry was sealed, in the order of the address; empty if nothing has changed. If one of
   * them affects the result, the entry is a miss. Only the reader can decide that.
   */
  readonly moved: readonly Moved[];
  /** the seal for {@link Store.reseal} */
  readonly seal: Seal;
  /** identifies this fill and seal of the entry; empty from {@link Store.read} if nothing has changed */
  readonly id: string;
  /**
   * The stamps of the entry. If nothing has changed since, an entry that is computed from this one may carry them, too.
   */
  carried(): Seal;
}

/** The row deltas (`steps`) of a dependency, oldest first. At least one. */
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
 * - `writers`: these writers are in flight on its dependencies.
 * - `quarantines`: the registry of a table was missing, so the marks of writers in flight may have been lost with it.
 *   The new registry can be trusted once every transaction that was running when it was created has ended.
 */
export interface Refusal {
  readonly granted: false;
  readonly writers: readonly InFlight[];
  readonly quarantines: readonly Quarantine[];
}

export interface Quarantine {
  readonly table: string;
  /** identifies this incarnation of the registry */
  readonly nonce: string;
}

export interface Writer {
  /** unique, random */
  readonly id: string;
  /**
   * the database's id of its transaction, by which other processes can look up its fate; without one, only time can
   * tell
   */
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
   * By the encoded values of a scheme in the old and new rows: the deltas of those rows; or `undefined` if they are
   * unknown or the scheme has no `tests`. Then everything that depends on these values is dropped.
   *
   * `undefined` as a whole if even the values are unknown. Then everything that depends on the table is dropped.
   */
  touched(scheme: Scheme): ReadonlyMap<string, readonly RowDelta[] | undefined> | undefined;
}
