import { LRUCache } from 'lru-cache';

/** A few megabytes. For a key beyond these, a hit costs an unused lease. */
const MAX = 10_000;

/**
 * The keys that this process has read most recently. At the first read of a key the process has no reason to expect a
 * hit, so it asks for the lease in the same round trip.
 */
export class KnownKeys {
  readonly #keys = new LRUCache<string, true>({ max: MAX });

  /** Whether it is the first read of all these keys. */
  areNew(keys: readonly string[]): boolean {
    let areNew = true;
    for (const key of keys) {
      areNew &&= this.#keys.get(key) === undefined;
      this.#keys.set(key, true);
    }
    return areNew;
  }
}
