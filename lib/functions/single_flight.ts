import { AsyncLocalStorage } from 'node:async_hooks';

/** Who computes at the moment, in this async context, is awaited by others and must wait for none of them. */
const computing = new AsyncLocalStorage<true>();

/** Of several who want the same at the same time, one computes while the others wait, to look again. */
export class SingleFlight {
  readonly #flights = new Map<string, Promise<unknown>>();

  /** Resolves when whoever computes this has finished, well or not; at once if nobody does. */
  async wait(key: string): Promise<boolean> {
    const flight = this.#flights.get(key);
    if (!flight || computing.getStore()) {
      return false;
    }
    await flight.catch(() => undefined);
    return true;
  }

  async run<T>(key: string, compute: () => Promise<T>): Promise<T> {
    const flight = computing.run(true, compute);
    if (this.#flights.has(key)) {
      return flight;
    }
    this.#flights.set(key, flight);
    try {
      return await flight;
    } finally {
      this.#flights.delete(key);
    }
  }
}
