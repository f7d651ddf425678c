/**
 * Fills that wait until whoever asked has been answered: to send them takes a good part of what a miss costs.
 *
 * One that waits is sent before the same entry is read, so that nobody in this process sees that it waited.
 */
export class DeferredFills {
  readonly #waiting = new Map<string, () => void>();
  readonly #background: (work: Promise<unknown>) => void;

  /** @param background waits for what goes on after an answer was given */
  constructor(background: (work: Promise<unknown>) => void) {
    this.#background = background;
  }

  /** @param send of two for one entry, both are sent */
  later(key: string, send: () => Promise<unknown>): void {
    this.sendNow(key);
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.#background(promise);
    const immediate = setImmediate(() => this.sendNow(key));
    this.#waiting.set(key, () => {
      clearImmediate(immediate);
      resolve(send());
    });
  }

  /** What waits for this entry. */
  sendNow(key: string): void {
    const send = this.#waiting.size > 0 ? this.#waiting.get(key) : undefined;
    if (send) {
      this.#waiting.delete(key);
      send();
    }
  }
}
