/** That there is nothing under a key, or nothing any more. */
export class CacheMiss extends Error {
  static {
    CacheMiss.prototype.name = 'CacheMiss';
  }

  constructor(readonly key: string) {
    super(`There is nothing in the cache under ${JSON.stringify(key)}.`);
  }
}

/** Values by key, each for a time. The store's, and files', have the same interface. */
export interface TimedCache {
  /**
   * @throws CacheMiss if there is nothing, since what was stored may be `undefined`
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
   * What is under the key, or what `compute` gives, which is stored then. Of several calls at once in one process, one
   * computes. What was deleted meanwhile is not stored.
   *
   * @param options.timeout seconds; left out: the cache's own
   */
  through<T>(key: string, compute: () => Promise<T>, options?: { timeout?: number }): Promise<T>;
}
