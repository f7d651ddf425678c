import type { CacheopsEvents } from '../../observability/events.js';
import type { ReadCounts } from '../../observability/stats.js';
import { joinTables, splitSeal } from '../../store/seals.js';
import type { EntryAddress, Lease, Seal, Store } from '../../store/store.js';
import { type TableDependencies, WHOLE_TABLE } from '../../values/scheme.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import { isRefusal } from '../catalog/rights.js';
import type { Ask, Catalog } from '../catalog/table.js';
import type { AddBackground } from '../context/background.js';
import { catalogOf } from './virtual_tables.js';
import type { WriterFates } from './writer_fate.js';

/** The reason in events when there is no lease. */
export const REFUSED = 'refused';

export interface LeaseParts {
  readonly store: Store;
  readonly database: CatalogCache;
  readonly writerFates: WriterFates;
  readonly events: CacheopsEvents;
  readonly background: AddBackground;
}

/**
 * Takes a lease for a result that is computed from now on. Never rejects.
 *
 * @param timeout seconds
 * @param catalog the catalog that the query was planned by, if it was planned
 * @param early the answer of {@link askLease}, if it was asked already
 * @returns the seal to store the result under; `undefined` if it must not be stored
 */
export async function takeLease(
  { store, database, writerFates, events, background }: LeaseParts,
  address: EntryAddress,
  timeout: number,
  inTransaction: boolean,
  counts: ReadCounts,
  catalog?: Catalog,
  early?: Promise<Lease>,
): Promise<Seal | undefined> {
  const asked = catalog ? withCatalog(address, catalog.database) : address;
  try {
    let lease = await (early ?? store.lease(asked, timeout));
    if (!lease.granted && inTransaction) {
      // resolving writers may need the connection that the transaction holds, so it is done later, for other readers
      background(writerFates.resolve(lease), 'a connection');
    } else if (!lease.granted && (await writerFates.resolve(lease))) {
      lease = await store.lease(asked, timeout);
    }
    const seal = lease.granted && catalog ? database.confirm(catalog, lease.seal) : sealOf(lease);
    counts.refused += Number(seal === undefined);
    return seal;
  } catch (error) {
    events.reportError('lease', error);
    counts.refused++;
    return undefined;
  }
}

/**
 * Asks for one lease for all these entries. It may be asked for together with the read that may be a miss: an earlier lease
 * only shows more changes.
 */
export function askLease(
  { store }: Pick<LeaseParts, 'store'>,
  addresses: readonly EntryAddress[],
  timeout: number,
  { database }: Catalog,
): Promise<Lease> {
  const { key, tables } = addresses[0]!;
  const all = addresses.length === 1 ? tables : joinTables(addresses.map(address => address.tables));
  return store.lease(withCatalog({ key, tables: all }, database), timeout);
}

/**
 * Takes several leases, in the order of the addresses: one for all, or one each if that is refused. Writers and
 * quarantines that refuse it are resolved once.
 */
export async function takeLeases(
  parts: LeaseParts,
  addresses: readonly EntryAddress[],
  timeout: number,
  inTransaction: boolean,
  counts: ReadCounts,
  catalog: Catalog,
  early?: Promise<Lease>,
): Promise<(Seal | undefined)[]> {
  const { database, writerFates, events, background } = parts;
  if (addresses.length === 1) {
    return [await takeLease(parts, addresses[0]!, timeout, inTransaction, counts, catalog, early)];
  }
  const confirmed = (lease: Lease) => (lease.granted ? database.confirm(catalog, lease.seal) : undefined);
  try {
    const lease = await (early ?? askLease(parts, addresses, timeout, catalog));
    const seal = confirmed(lease);
    let seals: (Seal | undefined)[];
    if (seal !== undefined) {
      const tables = joinTables(addresses.map(address => address.tables));
      const sealFor = splitSeal({ tables, seal });
      seals = addresses.map(address => sealFor(address.tables));
    } else if (lease.granted) {
      seals = addresses.map(() => undefined);
    } else {
      if (inTransaction) {
        background(writerFates.resolve(lease), 'a connection');
      } else {
        await writerFates.resolve(lease);
      }
      const each = addresses.map(address => askLease(parts, [address], timeout, catalog));
      seals = (await Promise.all(each)).map(confirmed);
    }
    counts.refused += seals.filter(seal => seal === undefined).length;
    return seals;
  } catch (error) {
    events.reportError('lease', error);
    counts.refused += addresses.length;
    return addresses.map(() => undefined);
  }
}

/** Takes a lease on the definitions of a database, before they are read. Never rejects. */
export async function leaseCatalog(
  { store, writerFates, events }: Pick<LeaseParts, 'store' | 'writerFates' | 'events'>,
  database: string,
  ask: Ask,
): Promise<Seal | undefined> {
  const address = { key: '', tables: [dependencyOn(database)] };
  try {
    let lease = await store.lease(address, CATALOG_TIMEOUT);
    if (!lease.granted && (await writerFates.resolve(lease, ask))) {
      lease = await store.lease(address, CATALOG_TIMEOUT);
    }
    return sealOf(lease);
  } catch (error) {
    // if the role lacks rights, loading the catalog fails too, and reports it
    if (!isRefusal(error)) {
      events.reportError('lease', error);
    }
    return undefined;
  }
}

/** After so many seconds without a miss the stamp of the definitions expires, and the catalog is read again. */
const CATALOG_TIMEOUT = 24 * 3600;

/** The last, because DDL that has not marked by then marks after the leases of the tables, and so invalidates them. */
function withCatalog({ key, tables }: EntryAddress, database: string): EntryAddress {
  return { key, tables: [...tables, dependencyOn(database)] };
}

function dependencyOn(database: string): TableDependencies {
  return { table: catalogOf(database), dependencies: [{ scheme: WHOLE_TABLE, values: '' }] };
}

function sealOf(lease: Lease): Seal | undefined {
  return lease.granted ? lease.seal : undefined;
}
