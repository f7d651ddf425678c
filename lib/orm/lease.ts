import type { EntryAddress, Lease, Seal, Store } from '../store/store.js';
import type { Arbiter } from './arbiter.js';
import type { CacheopsEvents } from './events.js';
import type { ReadCounts } from './stats.js';

/** Why there is none. */
export const REFUSED = 'refused';

export interface LeaseParts {
  readonly store: Store;
  readonly arbiter: Arbiter;
  readonly events: CacheopsEvents;
  readonly background: (work: Promise<unknown>) => void;
}

/**
 * The seal under which a result may be stored that is computed from now on, or `undefined` if it may not. Never
 * rejects.
 *
 * @param timeout seconds
 * @param counts where a refusal is counted
 */
export async function takeLease(
  { store, arbiter, events, background }: LeaseParts,
  address: EntryAddress,
  timeout: number,
  inTransaction: boolean,
  counts: ReadCounts,
): Promise<Seal | undefined> {
  try {
    let lease: Lease = await store.lease(address, timeout);
    if (!lease.granted && inTransaction) {
      // the arbiter's connection may be the one that the transaction holds: it is for others, and later
      background(arbiter.resolve(lease));
    } else if (!lease.granted && (await arbiter.resolve(lease))) {
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
