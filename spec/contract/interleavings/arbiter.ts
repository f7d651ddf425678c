import type { Quarantine, Refusal } from '../../../lib/store/store.js';
import type { Scene } from './actor.js';

/** What may be done about a refusal. */
export interface Verdict {
  readonly ended: Refusal['writers'];
  readonly over: readonly Quarantine[];
}

/** Asks the database once, by one statement. */
export function judge(refusal: Refusal, { database, horizons, keeps }: Scene): Verdict {
  const { snapshot } = database;

  const ended = refusal.writers.filter(({ xid }) => {
    if (!keeps('fate, not age') || (Number(xid) >= snapshot.xmax && !keeps('fate of the newest'))) {
      return true;
    }
    return database.status(Number(xid)) !== 'in progress';
  });

  const over = refusal.quarantines.filter(({ table, nonce }) => {
    const id = keeps('horizon of its own') ? nonce : table;
    let horizon = horizons.get(id);
    if (horizon === undefined) {
      horizon = keeps('horizon past all') ? database.nextXid : snapshot.xmax;
      horizons.set(id, horizon);
    }
    return snapshot.xmin >= horizon || !keeps('patient lift');
  });

  return { ended, over };
}
