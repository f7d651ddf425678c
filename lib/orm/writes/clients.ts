/** The part of a client of node-postgres that is used; the native client has neither `connection` nor `processID`. */
export interface Client {
  once(event: 'end', listener: () => void): unknown;
  readonly connection?: {
    on?(
      event: 'parameterStatus',
      listener: (message: { readonly parameterName: string; readonly parameterValue: string }) => void,
    ): unknown;
  };
  /** id of the server process, as the client was told when it connected: with a pooler between, another number */
  readonly processID?: number;
  query(...args: unknown[]): unknown;
}

/** Knows which client of a pool of node-postgres is behind each connection of kysely, which does not tell. */
export class Clients {
  #last: Promise<Client> | undefined;

  follow(pool: { connect(...args: unknown[]): Promise<Client> }): void {
    const { connect } = pool;
    pool.connect = (...args) => {
      const taken = connect.apply(pool, args);
      this.#last = taken;
      return taken;
    };
  }

  /** @param acquire takes a client from the pool before it awaits anything */
  takenBy<T>(acquire: () => T): [acquired: T, client: Promise<Client> | undefined] {
    this.#last = undefined;
    const acquired = acquire();
    return [acquired, this.#last];
  }
}

/**
 * Two statements in one message of PostgreSQL's simple protocol, which cost one round trip instead of two. If the first
 * fails, PostgreSQL skips the second, whose result the message has.
 *
 * kysely hands this to the client as the parameters of the message. A client that {@link join} has not changed takes it for
 * an empty list.
 */
export const JOINED: readonly never[] = Object.freeze([]);

/** Lets a client send joined statements. Other messages pass unchanged. */
export function join(client: Client): void {
  const { query } = client;
  client.query = function (...args) {
    const [text, parameters] = args;
    return parameters === JOINED ? second.call(this, text) : query.apply(this, args);
  };
  async function second(this: Client, text: unknown): Promise<unknown> {
    const results = await query.call(this, text, []);
    // a text without a statement adds no result
    return Array.isArray(results) ? results[1] : results;
  }
}
