import type { CacheopsEvents } from '../../observability/events.js';
import type { ReadCounts } from '../../observability/stats.js';
import type { EntryAddress, InFlight, Lease, Quarantine, Refusal, Seal, Store } from '../../store/store.js';
import type { AddBackground } from '../context/background.js';
import type { WriterFates } from './writer_fate.js';

/** Why there is none. */
export const REFUSED = 'refused';

export interface LeaseParts {
  readonly store: Store;
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
 */
export async function takeLease(
  { store, writerFates, events, background }: LeaseParts,
  address: EntryAddress,
  timeout: number,
  inTransaction: boolean,
  counts: ReadCounts,
): Promise<Seal | undefined> {
  try {
    let lease: Lease = await store.lease(address, timeout);
    if (!lease.granted && inTransaction) {
      // the connection that resolves writers may be the one that the transaction holds: it is for others, and later
      background(writerFates.resolve(lease), 'a connection');
    } else if (!lease.granted && (await writerFates.resolve(lease))) {
      lease = await store.lease(address, timeout);
    }
    if (lease.granted) {
      return lease.seal;
    }
    counts.refused++;
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
  { store, writerFates, events, background }: LeaseParts,
  addresses: readonly EntryAddress[],
  timeout: number,
  inTransaction: boolean,
  counts: ReadCounts,
): Promise<(Seal | undefined)[]> {
  const take = (indices: readonly number[]) =>
    Promise.all(indices.map(i => store.lease(addresses[i]!, timeout)));
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
      counts.refused += Number(!lease.granted);
      return lease.granted ? lease.seal : undefined;
    });
  } catch (error) {
    events.reportError('lease', error);
    return addresses.map(() => undefined);
  }
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
