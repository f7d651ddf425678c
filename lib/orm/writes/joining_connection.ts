import type { DatabaseConnection, Driver, QueryResult } from 'kysely';
import { isSingleStatement } from '../../sql/parse_statement.js';
import { plainQuery } from '../context/internal_query.js';
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
  #transaction: JoinedTransaction | undefined;

  constructor(driver: Driver, raw: DatabaseConnection) {
    this.#driver = driver;
    this.raw = raw;
  }

  /** Begins a transaction, at the latest with its first statement. */
  async begin(): Promise<void> {
    if (this.isDirect) {
      this.#transaction = { begin: 'unsent' };
    } else {
      await this.#driver.beginTransaction(this.raw, {});
    }
  }

  /** Sends a BEGIN that has waited. */
  async sendBegin(): Promise<void> {
    const transaction = this.#transaction;
    if (!transaction || transaction.begin === 'done') {
      return;
    }
    const { begin } = transaction;
    // until it is answered; if it is not, it is sent again
    transaction.begin = begin === 'refused' ? begin : 'unanswered';
    try {
      await (begin === 'refused'
        ? this.raw.executeQuery(plainQuery(FAILING_BEGIN))
        : this.#driver.beginTransaction(this.raw, {}));
    } catch (error) {
      if (begin === 'unsent' || !isOfServer(error)) {
        throw error;
      }
    }
    transaction.begin = 'done';
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
    const transaction = this.#transaction;
    if (transaction?.begin !== 'unsent' || query.parameters.length > 0 || !isJoinable(query.sql)) {
      await (transaction && this.sendBegin());
      return this.raw.executeQuery<R>(query, options);
    }
    transaction.begin = 'unanswered';
    try {
      const joined = { ...query, sql: BEGIN + query.sql, parameters: JOINED };
      const result = await this.raw.executeQuery<R>(joined, options);
      transaction.begin = 'done';
      return result;
    } catch (error) {
      transaction.begin = isOfServer(error) ? 'refused' : 'unanswered';
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
    const isKnown = this.#transaction?.begin !== 'unsent';
    this.#transaction = undefined;
    return isKnown;
  }
}

/** A new object for each transaction: what becomes known after its end must not count for the next one. */
interface JoinedTransaction {
  /**
   * - `'unanswered'`: the server may not have got it. It is sent again, because the next statement must not run outside of the
   *   transaction.
   * - `'refused'`: an error was the answer to its message. After a syntax error, PostgreSQL has not begun the transaction,
   *   which must have failed, as after any other error.
   */
  begin: 'unsent' | 'unanswered' | 'refused' | 'done';
}

const BEGIN = 'begin;';
/** After it, a failed transaction is open, whether one was open or not. */
const FAILING_BEGIN = `${BEGIN}rollback to savepoint cacheops_none`;

/**
 * Other statements may depend on being the only one of their message: transaction control and DDL that triggers repeat by
 * `current_query()`, for example, or comments in front that are hints for the planner.
 */
function isJoinable(sql: string): boolean {
  return (
    /^(select|insert|update|delete|with|savepoint)\b/i.test(sql) &&
    !sql.includes('/*+') &&
    isSingleStatement(sql)
  );
}

/** The part of a server's error that depends on the message: the offset of what is wrong, from 1. */
interface ServerError {
  position?: string;
}

/** Whether the server is alive and has answered with an error. */
function isOfServer(error: unknown): boolean {
  return (error as { severity?: unknown }).severity !== undefined;
}

function asInOwnMessage(error: ServerError): ServerError {
  if (Number(error.position) > BEGIN.length) {
    error.position = String(Number(error.position) - BEGIN.length);
  }
  return error;
}
