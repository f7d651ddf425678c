// the global ones may be fake in the tests of an application
import { clearImmediate, setImmediate } from 'node:timers';
import type { AddBackground } from '../context/background.js';

/**
 * Fills that wait until the caller has its result, because sending them takes a good part of the time of a miss.
 *
 * A waiting fill is sent before its entry is read, so that no reader of this process misses an entry that waits.
 */
export class DeferredFills {
  readonly #waiting = new Map<string, () => void>();
  readonly #background: AddBackground;

  constructor(background: AddBackground) {
    this.#background = background;
  }

  /**
   * If a fill of the same entry waits already, it is sent first.
   *
   * @returns a promise that settles when the fill is done
   */
  later(key: string, send: () => Promise<void>): Promise<void> {
    this.sendNow(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#background(promise);
    const immediate = setImmediate(() => this.sendNow(key));
    this.#waiting.set(key, () => {
      clearImmediate(immediate);
      resolve(send());
    });
    return promise;
  }

  /** Sends the fill that waits for this entry, if any. */
  sendNow(key: string): void {
    const send = this.#waiting.size > 0 ? this.#waiting.get(key) : undefined;
    if (send) {
      this.#waiting.delete(key);
      send();
    }
  }
}
