import type { CacheopsEvents } from '../../observability/events.js';
import type { ReadCounts } from '../../observability/stats.js';
import type { EntryAddress, InFlight, Lease, Quarantine, Refusal, Seal, Store } from '../../store/store.js';
import { type TableDependencies, WHOLE_TABLE } from '../../values/scheme.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import { isRefusal } from '../catalog/rights.js';
import type { Ask, Catalog } from '../catalog/table.js';
import type { AddBackground } from '../context/background.js';
import { catalogOf } from './virtual_tables.js';
import type { WriterFates } from './writer_fate.js';

/** Why there is none. */
export const REFUSED = 'refused';

export interface LeaseParts {
  readonly store: Store;
  readonly database: CatalogCache;
  readonly writerFates: WriterFates;
  readonly events: CacheopsEvents;
  readonly background: AddBackground;
}

/**
 * The seal under which a result may be stored that is computed from now on, or `undefined` if it may not. Never
 * rejects.
 *
 * @param timeout seconds
 * @param counts where a refusal is counted
 * @param catalog by which it was planned; left out: by none
 */
export async function takeLease(
  { store, database, writerFates, events, background }: LeaseParts,
  address: EntryAddress,
  timeout: number,
  inTransaction: boolean,
  counts: ReadCounts,
  catalog?: Catalog,
): Promise<Seal | undefined> {
  const asked = catalog ? withCatalog(address, catalog.database) : address;
  try {
    let lease: Lease = await store.lease(asked, timeout);
    if (!lease.granted && inTransaction) {
      // the connection that resolves writers may be the one that the transaction holds: later, for other readers
      background(writerFates.resolve(lease), 'a connection');
    } else if (!lease.granted && (await writerFates.resolve(lease))) {
      lease = await store.lease(asked, timeout);
    }
    const seal = lease.granted && catalog ? database.confirm(catalog, lease.seal) : sealOf(lease);
    counts.refused += Number(seal === undefined);
    return seal;
  } catch (error) {
    events.reportError('lease', error);
  }
  return undefined;
}

/**
 * The same of several at once, in their order. What stands in the way of several is looked into once: at first there may
 * be as many quarantines of the same table as there are addresses.
 */
export async function takeLeases(
  parts: LeaseParts,
  addresses: readonly EntryAddress[],
  timeout: number,
  inTransaction: boolean,
  counts: ReadCounts,
  catalog: Catalog,
): Promise<(Seal | undefined)[]> {
  const { store, database, writerFates, events, background } = parts;
  if (addresses.length === 1) {
    return [await takeLease(parts, addresses[0]!, timeout, inTransaction, counts, catalog)];
  }
  const take = (indices: readonly number[]) =>
    Promise.all(indices.map(i => store.lease(withCatalog(addresses[i]!, catalog.database), timeout)));
  try {
    const leases: Lease[] = await take([...addresses.keys()]);
    const refused = [...leases.keys()].filter(i => !leases[i]!.granted);
    const refusal = joinRefusals(leases);
    if (refused.length > 0 && inTransaction) {
      background(writerFates.resolve(refusal), 'a connection');
    } else if (refused.length > 0 && (await writerFates.resolve(refusal))) {
      for (const [n, lease] of (await take(refused)).entries()) {
        leases[refused[n]!] = lease;
      }
    }
    return leases.map(lease => {
      const seal = lease.granted ? database.confirm(catalog, lease.seal) : undefined;
      counts.refused += Number(seal === undefined);
      return seal;
    });
  } catch (error) {
    events.reportError('lease', error);
    return addresses.map(() => undefined);
  }
}

/** A lease on what is defined in a database, to be taken before that is read. Never rejects. */
export async function leaseCatalog(
  { store, writerFates, events }: Pick<LeaseParts, 'store' | 'writerFates' | 'events'>,
  database: string,
  ask: Ask,
): Promise<Seal | undefined> {
  const address = { key: '', tables: [dependencyOn(database)] };
  try {
    let lease = await store.lease(address, LIFE_OF_CATALOGS);
    if (!lease.granted && (await writerFates.resolve(lease, ask))) {
      lease = await store.lease(address, LIFE_OF_CATALOGS);
    }
    return sealOf(lease);
  } catch (error) {
    if (!isRefusal(error)) {
      events.reportError('lease', error);
    } // else the catalog's own questions will be refused, too, and tell of it
    return undefined;
  }
}

/**
 * A catalog is read anew when nobody has missed for so long, in seconds: then its stamp is gone.
 */
const LIFE_OF_CATALOGS = 24 * 3600;

/** As the last: a definer that is not found by then has not begun to mark, and so marks what was leased before. */
function withCatalog({ key, tables }: EntryAddress, database: string): EntryAddress {
  return { key, tables: [...tables, dependencyOn(database)] };
}

function dependencyOn(database: string): TableDependencies {
  return { table: catalogOf(database), dependencies: [{ scheme: WHOLE_TABLE, values: '' }] };
}

function sealOf(lease: Lease): Seal | undefined {
  return lease.granted ? lease.seal : undefined;
}

function joinRefusals(leases: readonly Lease[]): Refusal {
  const writers = new Map<string, InFlight>();
  const quarantines = new Map<string, Quarantine>();
  for (const lease of leases) {
    if (!lease.granted) {
      for (const quarantine of lease.quarantines) {
        quarantines.set(quarantine.nonce, quarantine);
      }
      for (const writer of lease.writers) {
        const { tables = [], age = 0 } = writers.get(writer.id) ?? {};
        writers.set(writer.id, {
          ...writer,
          age: Math.max(age, writer.age),
          tables: [...new Set([...tables, ...writer.tables])],
        });
      }
    }
  }
  return { granted: false, writers: [...writers.values()], quarantines: [...quarantines.values()] };
}
