import { expect } from 'chai';
import type {
  EntryAddress,
  Lease,
  Refusal,
  Seal,
  Store,
  TableChange,
  Writer,
} from '../../lib/store/store.js';
import type { RowDelta } from '../../lib/values/row_delta.js';
import type { Dependency, Scheme, TableDependencies } from '../../lib/values/scheme.js';
import { WHOLE_TABLE } from '../../lib/values/scheme.js';

export const ARTICLE = 'blog.public.article';
export const AUTHOR = 'blog.public.author';

export const CATEGORY = scheme('category');
export const STATUS = scheme('status');

/** Seconds, and longer than any test takes. */
export const LONG = 1000;

export function scheme(...columns: string[]): Scheme {
  return { id: columns.join(), columns };
}

/** `category = 7` */
export function category(value: string): Dependency {
  return { scheme: CATEGORY, values: value };
}

export function status(value: string): Dependency {
  return { scheme: STATUS, values: value };
}

export const ALL: Dependency = { scheme: WHOLE_TABLE, values: '' };

export function on(table: string, ...dependencies: Dependency[]): TableDependencies {
  return { table, dependencies };
}

/** A query's address. Queries with different dependencies have different keys. */
export function query(...tables: TableDependencies[]): EntryAddress {
  return { key: JSON.stringify(tables), tables };
}

/** `articles(category('7'))`: the query for these articles */
export function articles(...dependencies: Dependency[]): EntryAddress {
  return query(on(ARTICLE, ...dependencies));
}

/** A change that touches just these dependencies. */
export function touching(table: string, ...dependencies: Dependency[]): TableChange {
  return {
    table,
    touched: ({ id }) => dropping(dependencies.filter(d => d.scheme.id === id).map(d => d.values)),
  };
}

/** A change of which all steps are known that come to a dependency. */
export function stepping(table: string, dependency: Dependency, ...steps: RowDelta[]): TableChange {
  return {
    table,
    touched: ({ id }) => new Map(id === dependency.scheme.id ? [[dependency.values, steps]] : []),
  };
}

/** The touched values of a scheme without row deltas. */
export function dropping(values: Iterable<string>): Map<string, undefined> {
  return new Map(Array.from(values, value => [value, undefined]));
}

/** A change of which nothing more is known. */
export function touchingEverything(table: string): TableChange {
  return { table, touched: () => undefined };
}

let writers = 0;

export function writer(xid?: string): Writer {
  writers++;
  return { id: `writer-${writers}`, xid };
}

export async function leaseGranted(store: Store, address: EntryAddress, ttl = LONG): Promise<Seal> {
  const lease = await store.lease(address, ttl);
  if (!lease.granted) {
    throw new Error(`The lease was refused: ${JSON.stringify(lease)}`);
  }
  return lease.seal;
}

export async function leaseRefused(store: Store, address: EntryAddress): Promise<Refusal> {
  const lease = await store.lease(address, LONG);
  if (lease.granted) {
    throw new Error(`The lease was granted: ${lease.seal}`);
  }
  return lease;
}

/** Takes a lease without writers in flight, and lifts the quarantine of new registries. */
export async function leaseTrusted(store: Store, address: EntryAddress, ttl = LONG): Promise<Seal> {
  await trust(store, address);
  return leaseGranted(store, address, ttl);
}

/** Ends the quarantine of an address' tables. */
export async function trust(store: Store, address: EntryAddress): Promise<void> {
  const lease = await store.lease(address, 1);
  for (const quarantine of quarantinesOf(lease)) {
    await store.lift(quarantine);
  }
}

export function quarantinesOf(lease: Lease): Refusal['quarantines'] {
  return lease.granted ? [] : lease.quarantines;
}

/** Fills an address like an undisturbed reader. */
export async function cache(
  store: Store,
  address: EntryAddress,
  result: string,
  timeout = LONG,
): Promise<void> {
  const seal = await leaseTrusted(store, address, timeout);
  await store.fill(address, seal, Buffer.from(result), timeout);
}

/** What the store answers to a query; `undefined` is a miss. */
export async function ask(store: Store, address: EntryAddress): Promise<string | undefined> {
  const found = await store.read(address);
  return found?.moved.length === 0 ? Buffer.from(found.payload).toString() : undefined;
}

export async function expectHit(store: Store, address: EntryAddress, result: string): Promise<void> {
  expect(await ask(store, address)).to.equal(result);
}

export async function expectMiss(store: Store, address: EntryAddress): Promise<void> {
  expect(await ask(store, address)).to.equal(undefined);
}
