import type { TableDependencies } from '../values/scheme.js';
import type { InFlight, Lease, Quarantine } from './store.js';

/** What came of a lease on one table. */
export type TableLease =
  | { readonly kind: 'granted'; readonly stamps: readonly string[] }
  | { readonly kind: 'quarantine'; readonly nonce: string }
  | { readonly kind: 'writers'; readonly writers: readonly Omit<InFlight, 'tables'>[] };

/** A query's lease from those on its tables, which are in the same order. */
export function joinLeases(tables: readonly TableDependencies[], leases: readonly TableLease[]): Lease {
  const stamps: string[] = [];
  const quarantines: Quarantine[] = [];
  const writers = new Map<string, InFlight>();
  for (const [i, lease] of leases.entries()) {
    const { table } = tables[i]!;
    if (lease.kind === 'granted') {
      stamps.push(...lease.stamps);
    } else if (lease.kind === 'quarantine') {
      quarantines.push({ table, nonce: lease.nonce });
    } else {
      for (const writer of lease.writers) {
        const found = writers.get(writer.id);
        writers.set(writer.id, {
          ...writer,
          age: Math.max(writer.age, found?.age ?? 0),
          tables: [...(found?.tables ?? []), table],
        });
      }
    }
  }
  return writers.size > 0 || quarantines.length > 0
    ? { granted: false, writers: [...writers.values()], quarantines }
    : { granted: true, seal: stamps.join() };
}
