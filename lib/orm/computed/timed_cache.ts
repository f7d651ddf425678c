import { AsyncLocalStorage } from 'node:async_hooks';
import type { SingleFlight } from '../reads/single_flight.js';

/** There is no value under a key, or it has expired. */
export class CacheMiss extends Error {
  static {
    CacheMiss.prototype.name = 'CacheMiss';
  }

  constructor(readonly key: string) {
    super(`There is nothing in the cache under ${JSON.stringify(key)}.`);
  }
}

/** Values by key that expire. The cache in the store and the cache in files have this interface. */
export interface TimedCache {
  /**
   * @throws CacheMiss if there is no value, because a stored value may be `undefined`
   *
   * ```ts
   * try {
   *   rates = await cache.get('rates');
   * } catch (error) {
   *   if (!(error instanceof CacheMiss)) throw error;
   *   await cache.set('rates', (rates = await fetchRates()), { timeout: 600 });
   * }
   * ```
   */
  get<T = unknown>(key: string): Promise<T>;

  /** @param options.timeout seconds; left out: the cache's own */
  set(key: string, value: unknown, options?: { timeout?: number }): Promise<void>;

  delete(key: string): Promise<void>;

  /**
   * Gives the value of the key, or computes and stores it. Of several calls at once in one process, one computes. If the
   * key was deleted meanwhile, the value is not stored.
   *
   * @param options.timeout seconds; left out: the cache's own
   */
  through<T>(key: string, compute: () => Promise<T>, options?: { timeout?: number }): Promise<T>;
}

/** Set in a computation, which must not wait for others, because others may wait for it. */
const computing = new AsyncLocalStorage<true>();

/**
 * What `find` gives, or else what `compute` gives. Of several calls at once in one process, one computes; the others
 * then call `find` again, because what was computed may have been deleted meanwhile.
 */
export async function findOrCompute<F, T>(
  flights: SingleFlight,
  key: string,
  find: () => Promise<F | undefined>,
  compute: () => Promise<T>,
): Promise<{ readonly found: F } | { readonly computed: T }> {
  let found = await find();
  const other = found || computing.getStore() ? undefined : flights.ended(key);
  if (other) {
    await other;
    found = await find();
  }
  if (found) {
    return { found };
  }
  const computation = computing.run(true, compute);
  flights.track(key, computation);
  return { computed: await computation };
}
