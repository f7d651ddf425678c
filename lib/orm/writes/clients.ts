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
 * Several statements in one message of PostgreSQL's simple protocol, which cost one round trip instead of one each. After
 * one that fails, PostgreSQL skips the rest.
 *
 * kysely hands this to the client as the parameters of the message. A client that {@link join} has changed fills in the
 * results; any other would take it for an empty list of parameters.
 */
export class JoinedStatements extends Array<never> {
  /** index of the statement whose result the message has */
  readonly main: number;
  /** the result of each statement, once the message was answered */
  results: readonly StatementResult[] = [];

  constructor(main = 0) {
    super();
    this.main = main;
  }
}

interface StatementResult {
  readonly rows: readonly Record<string, any>[];
}

/** Lets a client send joined statements. Other messages pass unchanged. */
export function join(client: Client): void {
  const { query } = client;
  client.query = function (...args) {
    const [text, joined] = args;
    return joined instanceof JoinedStatements ? send.call(this, text, joined) : query.apply(this, args);
  };
  async function send(this: Client, text: unknown, joined: JoinedStatements): Promise<StatementResult> {
    const results = await query.call(this, text, []);
    joined.results = Array.isArray(results) ? results : [results];
    return joined.results[joined.main]!;
  }
}
