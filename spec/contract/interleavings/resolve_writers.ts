import type { Quarantine, Refusal } from '../../../lib/store/store.js';
import type { Scene } from './actor.js';

/** The writers and quarantines of a refusal that may be removed. */
export interface Resolution {
  readonly ended: Refusal['writers'];
  readonly over: readonly Quarantine[];
}

/** Asks the database once. */
export function resolveWriters(refusal: Refusal, { database, awaited, keeps }: Scene): Resolution {
  const ended = refusal.writers.filter(({ xid }) => {
    if (!keeps('fate, not age') || (Number(xid) >= database.xmax && !keeps('fate of the newest'))) {
      return true;
    }
    return database.status(Number(xid)) !== 'in progress';
  });

  const over = refusal.quarantines.filter(({ table, nonce }) => {
    const id = keeps('wait of its own') ? nonce : table;
    const now = database.running;
    const still = now.filter(xid => awaited.get(id)?.includes(xid) ?? true);
    awaited.set(id, still);
    return still.length === 0 || !keeps('patient lift');
  });

  return { ended, over };
}
