import { deferred } from './deferred.js';

/** Where several parties wait for one another. */
export interface Barrier {
  /** Resolves once all parties have arrived. Then the barrier stands again for the next round. */
  arrive(): Promise<void>;
}

/** @param parties how many have to arrive before any may go on (default 2) */
export function barrier(parties = 2): Barrier {
  let everyone = deferred();
  let arrived = 0;

  return {
    arrive() {
      const round = everyone;
      arrived += 1;
      if (arrived === parties) {
        everyone = deferred();
        arrived = 0;
        round.resolve();
      }
      return round.promise;
    },
  };
}
