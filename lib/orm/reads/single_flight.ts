import type { Seal } from '../../store/store.js';

/**
 * Queries of this process that are on their way to the database, so that of many who miss the same entry at the same
 * time one asks it.
 *
 * Nobody may be given what was read before a transaction that had committed when they asked (C1). So a read may join
 * a flight
 *
 * - if it began before the flight's query was sent: then the database answers from a state after the read began. So it
 *   does if, in the end, another process was found to have asked, and the store was looked at after the read began
 *   (see {@link Flight.sent}); or
 * - if the read has a lease of its own with the flight's seal. A writer changes stamps before it commits, and while it
 *   has not settled no lease is granted. So between the flight's lease and that of the read, nothing has committed
 *   that either depends on; and the query was sent after the flight's lease.
 */
export class SingleFlights {
  /** by key: leased or about to be, and not sent */
  readonly #boarding = new Map<string, Flight>();
  /** by key: sent, and not landed; the latest of them */
  readonly #flying = new Map<string, Flight>();
  #clock = 0;

  /** A moment, by a clock that only tells before from after. */
  now(): number {
    return ++this.#clock;
  }

  /** What a read that began then may join. */
  joinable(key: string, moment: number): Flight | undefined {
    const flying = this.#flying.get(key);
    return this.#boarding.get(key) ?? (flying && flying.sent > moment ? flying : undefined);
  }

  /** What a read with this seal may join. */
  sealedWith(key: string, seal: Seal): Flight | undefined {
    const flying = this.#flying.get(key);
    return flying?.seal === seal ? flying : undefined;
  }

  /** Others may join from now on. Must be landed, whatever happens. */
  open(key: string): Flight {
    const flight = new Flight(key);
    this.#boarding.set(key, flight);
    return flight;
  }

  /** Just before its query is sent. */
  send(flight: Flight, seal: Seal | undefined): void {
    this.#remove(this.#boarding, flight);
    flight.sent = this.now();
    flight.seal = seal;
    this.#flying.set(flight.key, flight);
  }

  /** @param payload the result, encoded; without one, those who have joined have to ask for themselves */
  settle(flight: Flight, payload: Uint8Array | undefined): void {
    this.#remove(this.#boarding, flight);
    this.#remove(this.#flying, flight);
    flight.land(payload);
  }

  #remove(flights: Map<string, Flight>, flight: Flight): void {
    if (flights.get(flight.key) === flight) {
      flights.delete(flight.key);
    }
  }
}

/** One query on its way. */
export class Flight {
  readonly key: string;
  /** when the query was sent, or the store last looked at instead: until it lands, that may become later */
  sent = 0;
  seal: Seal | undefined;
  /** somebody waits for it */
  joined = false;
  readonly #landing = Promise.withResolvers<Uint8Array | undefined>();

  constructor(key: string) {
    this.key = key;
  }

  /** Waits for it to land. */
  join(): Promise<Uint8Array | undefined> {
    this.joined = true;
    return this.#landing.promise;
  }

  land(payload: Uint8Array | undefined): void {
    this.#landing.resolve(payload);
  }
}
