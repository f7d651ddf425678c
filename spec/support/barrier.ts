import { deferred } from './deferred.js';

/** Lets several parties wait for one another. */
export interface Barrier {
  /** Resolves once all parties have arrived. The barrier is then ready for the next round. */
  arrive(): Promise<void>;
}

/** @param parties how many must arrive before any continues (default 2) */
export function barrier(parties = 2): Barrier {
  let allArrived = deferred();
  let arrived = 0;

  return {
    arrive() {
      const round = allArrived;
      arrived += 1;
      if (arrived === parties) {
        allArrived = deferred();
        arrived = 0;
        round.resolve();
      }
      return round.promise;
    },
  };
}
