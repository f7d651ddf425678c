import { AsyncLocalStorage } from 'node:async_hooks';
import { endOrMaxWait } from '../protocol/patience.js';

/** Who computes at the moment, in this async context, is awaited by others and must wait for none of them. */
const computing = new AsyncLocalStorage<true>();

/** Of several who want the same at the same time, one computes while the others wait, to look again. */
export class SingleFlight {
  readonly #flights = new Map<string, Promise<unknown>>();

  /**
   * Settles when the computation of this has ended, well or not, or after 5 seconds. `undefined` if there is none: then
   * the caller is to {@link run} it at once, before others ask.
   */
  underWay(key: string): Promise<unknown> | undefined {
    return computing.getStore() ? undefined : this.#flights.get(key);
  }

  run<T>(key: string, compute: () => Promise<T>): Promise<T> {
    const flight = computing.run(true, compute);
    if (!this.#flights.has(key)) {
      const end = endOrMaxWait(flight);
      this.#flights.set(key, end);
      void end.then(() => this.#flights.delete(key));
    }
    return flight;
  }
}
