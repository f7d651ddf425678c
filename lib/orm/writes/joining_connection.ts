import type { DatabaseConnection, Driver, QueryResult } from 'kysely';
import { isSingleStatement } from '../../sql/parse_statement.js';
import { JOINED } from './clients.js';

type ExecuteQuery = DatabaseConnection['executeQuery'];

/**
 * A connection that sends BEGIN in one message with the first statement of the transaction, which saves a round trip, and
 * nothing at all for a transaction without statements. Other drivers, such as PostgreSQL's for Java, do so too.
 *
 * Only where nothing is known to be between client and server (`isDirect`): a pooler or proxy may treat a message of
 * several statements differently.
 */
export class JoiningConnection implements Pick<DatabaseConnection, 'executeQuery' | 'streamQuery'> {
  /** of the dialect; its methods send BEGIN and all else at once */
  readonly raw: DatabaseConnection;
  isDirect = false;
  readonly #driver: Driver;
  /** `'failed'`: its message has failed, and BEGIN may have failed, too */
  #begin: 'unsent' | 'failed' | undefined;

  constructor(driver: Driver, raw: DatabaseConnection) {
    this.#driver = driver;
    this.raw = raw;
  }

  /** Begins a transaction, at the latest with its first statement. */
  async begin(): Promise<void> {
    if (this.isDirect) {
      this.#begin = 'unsent';
    } else {
      await this.#sendBegin();
    }
  }

  /** Sends a BEGIN that has waited. */
  async sendBegin(): Promise<void> {
    if (this.#begin) {
      this.#begin = undefined;
      await this.#sendBegin();
    }
  }

  async commit(): Promise<void> {
    if (this.#end()) {
      await this.#driver.commitTransaction(this.raw);
    }
  }

  async rollback(): Promise<void> {
    if (this.#end()) {
      await this.#driver.rollbackTransaction(this.raw);
    }
  }

  async executeQuery<R>(...[query, options]: Parameters<ExecuteQuery>): Promise<QueryResult<R>> {
    if (!this.#begin) {
      return this.raw.executeQuery<R>(query, options);
    }
    if (query.parameters.length > 0 || !isSingleStatement(query.sql)) {
      await this.sendBegin();
      return this.raw.executeQuery<R>(query, options);
    }
    this.#begin = undefined;
    try {
      const joined = { ...query, sql: BEGIN + query.sql, parameters: JOINED };
      return await this.raw.executeQuery<R>(joined, options);
    } catch (error) {
      // the next statement, if there is one, must not run outside of the transaction; in a failed one, BEGIN fails
      this.#begin = 'failed';
      throw asInOwnMessage(error as ServerError);
    }
  }

  async *streamQuery<R>(
    ...args: Parameters<DatabaseConnection['streamQuery']>
  ): AsyncIterableIterator<QueryResult<R>> {
    await this.sendBegin();
    yield* this.raw.streamQuery<R>(...args);
  }

  /** Returns whether the server may know of a transaction. */
  #end(): boolean {
    const isKnown = this.#begin !== 'unsent';
    this.#begin = undefined;
    return isKnown;
  }

  #sendBegin(): Promise<void> {
    return this.#driver.beginTransaction(this.raw, {});
  }
}

const BEGIN = 'begin;';

/** The part of a server's error that depends on the message: the offset of what is wrong, from 1. */
interface ServerError {
  position?: string;
}

function asInOwnMessage(error: ServerError): ServerError {
  if (Number(error.position) > BEGIN.length) {
    error.position = String(Number(error.position) - BEGIN.length);
  }
  return error;
}
