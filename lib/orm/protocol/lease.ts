import { list } from '../../config/check.js';
import { shortName } from '../../observability/describe.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { ReadCounts } from '../../observability/stats.js';
import { joinTables, splitSeal } from '../../store/seals.js';
import type { EntryAddress, Lease, Seal, Store } from '../../store/store.js';
import { type TableDependencies, WHOLE_TABLE } from '../../values/scheme.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import { isRefusal } from '../catalog/rights.js';
import type { Ask, Catalog } from '../catalog/table.js';
import type { AddBackground } from '../context/background.js';
import { CATALOG, catalogOf } from './virtual_tables.js';
import type { WriterFates } from './writer_fate.js';

/** The entry that a lease is for. */
export interface Leased {
  readonly address: EntryAddress;
  /** seconds */
  readonly timeout: number;
  readonly counts: ReadCounts;
  /** why its lease was refused, in words for events */
  refusal?: string;
}

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
 * @param catalog the catalog that the query was planned by, if it was planned
 * @param early the answer of {@link askLease}, if it was asked already
 * @returns the seal to store the result under; `undefined` if it must not be stored
 */
export async function takeLease(
  { store, database, writerFates, events, background }: LeaseParts,
  target: Leased,
  inTransaction: boolean,
  catalog?: Catalog,
  early?: Promise<Lease>,
): Promise<Seal | undefined> {
  const { address, timeout } = target;
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
    return seal ?? refuse(target, lease);
  } catch (error) {
    events.reportError('lease', error);
    return refuse(target);
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
  targets: readonly Leased[],
  inTransaction: boolean,
  catalog: Catalog,
  early?: Promise<Lease>,
): Promise<(Seal | undefined)[]> {
  const { database, writerFates, events, background } = parts;
  const [{ timeout }] = targets as readonly [Leased];
  if (targets.length === 1) {
    return [await takeLease(parts, targets[0]!, inTransaction, catalog, early)];
  }
  const addresses = targets.map(({ address }) => address);
  const confirmed = (lease: Lease) => (lease.granted ? database.confirm(catalog, lease.seal) : undefined);
  try {
    const lease = await (early ?? askLease(parts, addresses, timeout, catalog));
    const seal = confirmed(lease);
    if (seal !== undefined) {
      const tables = joinTables(addresses.map(address => address.tables));
      const sealFor = splitSeal({ tables, seal });
      return addresses.map(address => sealFor(address.tables));
    }
    if (lease.granted) {
      return targets.map(target => refuse(target, lease));
    }
    if (inTransaction) {
      background(writerFates.resolve(lease), 'a connection');
    } else {
      await writerFates.resolve(lease);
    }
    const each = await Promise.all(addresses.map(address => askLease(parts, [address], timeout, catalog)));
    return each.map((lease, i) => confirmed(lease) ?? refuse(targets[i]!, lease));
  } catch (error) {
    events.reportError('lease', error);
    return targets.map(target => refuse(target));
  }
}

/** @param lease `undefined`: there was no answer */
function refuse(target: Leased, lease?: Lease): undefined {
  target.counts.refused++;
  target.refusal = `refused: ${describeRefusal(lease)}`;
}

function describeRefusal(lease: Lease | undefined): string {
  if (lease?.granted) {
    return 'the definitions of the database have changed';
  }
  const [writer] = lease?.writers ?? [];
  if (writer) {
    const who = /^\d+$/.test(writer.xid ?? '') ? `transaction ${writer.xid}` : 'a statement';
    return `${who} is writing to ${list(writer.tables.map(nameOf))}`;
  }
  const tables = lease?.quarantines.map(({ table }) => nameOf(table)) ?? [];
  return tables.length > 0
    ? `the store was new to ${list(tables)} while transactions were open that have not ended yet`
    : 'the store is not available';
}

function nameOf(table: string): string {
  return table.endsWith(CATALOG) ? 'the definitions of the database' : shortName(table).replace('#', '');
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
