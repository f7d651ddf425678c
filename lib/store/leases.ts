import type { TableDependencies } from '../values/scheme.js';
import type { InFlight, Lease, Quarantine, Seal } from './store.js';

/** The outcome of a lease on one table. */
export type TableLease =
  | { readonly kind: 'granted'; readonly stamps: readonly string[] }
  | { readonly kind: 'quarantine'; readonly nonce: string }
  | { readonly kind: 'writers'; readonly writers: readonly Omit<InFlight, 'tables'>[] };

/** Joins the leases on the tables of a query, given in the order of these. */
export function joinLeases(tables: readonly TableDependencies[], leases: readonly TableLease[]): Lease {
  return mergeLeases(leases.map((lease, i) => leaseOn(tables[i]!.table, lease)));
}

function leaseOn(table: string, lease: TableLease): Lease {
  switch (lease.kind) {
    case 'granted':
      return { granted: true, seal: lease.stamps.join() };
    case 'quarantine':
      return { granted: false, writers: [], quarantines: [{ table, nonce: lease.nonce }] };
    case 'writers': {
      const writers = lease.writers.map(writer => ({ ...writer, tables: [table] }));
      return { granted: false, writers, quarantines: [] };
    }
  }
}

/** One lease for all: each writer and quarantine that refuses some of them occurs once, with all of its tables. */
export function mergeLeases(leases: readonly Lease[]): Lease {
  const seals: Seal[] = [];
  const quarantines = new Map<string, Quarantine>();
  const writers = new Map<string, InFlight>();
  for (const lease of leases) {
    if (lease.granted) {
      seals.push(lease.seal);
      continue;
    }
    for (const quarantine of lease.quarantines) {
      quarantines.set(quarantine.nonce, quarantine);
    }
    for (const writer of lease.writers) {
      const known = writers.get(writer.id);
      writers.set(writer.id, {
        ...writer,
        age: Math.max(writer.age, known?.age ?? 0),
        tables: [...new Set([...(known?.tables ?? []), ...writer.tables])],
      });
    }
  }
  return seals.length === leases.length
    ? { granted: true, seal: seals.join() }
    : { granted: false, writers: [...writers.values()], quarantines: [...quarantines.values()] };
}
