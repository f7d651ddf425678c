import { AsyncLocalStorage } from 'node:async_hooks';

/** Who computes at the moment, in this async context, is awaited by others and must wait for none of them. */
const computing = new AsyncLocalStorage<true>();

/** Of several who want the same at the same time, one computes while the others wait, to look again. */
export class SingleFlight {
  readonly #flights = new Map<string, Promise<unknown>>();

  /**
   * Settles when whoever computes this has finished, well or not. `undefined` if nobody does: then he who asks is to
   * {@link run} it at once, before others ask.
   */
  underWay(key: string): Promise<unknown> | undefined {
    return computing.getStore() ? undefined : this.#flights.get(key)?.catch(() => undefined);
  }

  run<T>(key: string, compute: () => Promise<T>): Promise<T> {
    const flight = computing.run(true, compute);
    if (!this.#flights.has(key)) {
      this.#flights.set(key, flight);
      const end = () => this.#flights.delete(key);
      flight.then(end, end);
    }
    return flight;
  }
}
