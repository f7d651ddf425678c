import type { Redis } from 'ioredis';
import { createClient, DISCONNECT_TIMEOUT, type RedisSource } from './client.js';
import { epochOf } from './identity.js';
import { onSurplusAnswer } from './surplus.js';
import { Watchdog } from './watchdog.js';

/** The server of a client, without credentials, for messages. */
function placeOf({ options: { sentinels, name, path, host, port } }: Redis): string {
  return ` at ${sentinels ? `the Sentinels' ${name}` : (path ?? `${host}:${port}`)}`;
}

/** A connection to a server whose epoch is known, until either changes. */
export interface Session {
  readonly client: Redis;
  readonly epoch: string;
  /** The client's answer; rejects if it takes too long. */
  wait<T>(answer: Promise<T>): Promise<T>;
}

/** The longest wait before connecting again, in milliseconds. */
const LONGEST_DELAY = 2000;

/**
 * How long a node of a cluster is assumed to be the master that it was, in milliseconds. A demoted node answers `MOVED`
 * until it is promoted again. That takes an election, which replicas delay by at least 500 ms; or `CLUSTER FAILOVER`,
 * which waits until the replica has all data of its master. `FORCE` and `TAKEOVER` neither delay nor wait: an
 * administrator would have to use them twice within this time, with a write in between.
 */
const MASTER_FOR = 250;

/** Message for a command that timed out. */
const TIMED_OUT = 'the answer took too long.';

/** Message for an answer to another command. All later answers on this connection are misplaced as well. */
export const MISPLACED = 'the answer belongs to another command.';

/**
 * Connects on first use, and again whenever the connection is lost. No command is sent before the server's epoch is
 * known, and an answer counts only if the session of its command is still the present one.
 */
export class Connection {
  /** the present session, if there is one */
  session: Session | undefined;
  #client: Promise<Redis> | undefined;
  /** for messages; empty until the source has been read */
  #place = '';
  /** resolves with the next session */
  #next = pending<Session>();
  #lastError: unknown;
  #failures = 0;
  #hasMet = false;
  /** when the next attempt to connect is due, by `performance.now` */
  #nextAttempt = 0;
  /** when the first command of the present session timed out, by `performance.now` */
  #timedOut: number | undefined;
  #closing: Promise<void> | undefined;
  /** when the server last confirmed the epoch of the present session, by `performance.now` */
  #proven = Number.NEGATIVE_INFINITY;

  readonly #answers: Watchdog;
  readonly #sessions: Watchdog;
  /** The very first connection may take longer, because a starting program is busy. */
  readonly #firstSession: Watchdog;

  /**
   * @param commandTimeout milliseconds
   * @param inCluster the server is a node of a Redis Cluster
   */
  constructor(
    readonly source: RedisSource,
    readonly commandTimeout: number,
    readonly inCluster = false,
  ) {
    const noConnection = () => this.#noConnection();
    this.#answers = new Watchdog(commandTimeout, () => new Error(TIMED_OUT));
    this.#sessions = new Watchdog(commandTimeout, noConnection);
    this.#firstSession = new Watchdog(Math.max(1000, 4 * commandTimeout), noConnection);
  }

  /**
   * The present session, or the next one.
   *
   * @throws Error if there is none within the command timeout, or an attempt to connect fails; at once if no attempt
   *   will be made in that time
   */
  async open(): Promise<Session> {
    if (this.#closing) {
      throw new Error('it is closed.');
    }
    if (this.session) {
      return this.session;
    }
    if (this.#nextAttempt > performance.now() + this.commandTimeout) {
      throw this.#noConnection();
    }
    const next = this.#next.promise;
    // outside of the timeout, because the first time it loads a module
    await this.#start();
    return (this.#hasMet ? this.#sessions : this.#firstSession).wait(next);
  }

  /** Asks the server for its epoch again, and returns the session after that. */
  async confirm(session: Session): Promise<Session> {
    const asked = performance.now();
    const epoch = epochOf(await session.wait(session.client.info()), this.inCluster);
    if (this.session !== session) {
      return this.open();
    }
    this.#proven = asked;
    if (epoch !== session.epoch) {
      this.session = { ...session, epoch };
    }
    return this.session;
  }

  /**
   * Did the server have the session's epoch when it gave the answer that has just arrived?
   *
   * A node of a cluster keeps its connections while it is demoted and returns as a master with older data. That takes
   * longer than {@link MASTER_FOR} after the last confirmation. Otherwise the server is asked: an epoch never returns,
   * so if it is the same now, it was the same then.
   *
   * @param sent when the command was sent, by `performance.now`: only masters answer it
   */
  async isStill(session: Session, sent: number): Promise<boolean> {
    if (this.inCluster && this.session === session) {
      if (performance.now() - this.#proven <= MASTER_FOR) {
        this.#proven = Math.max(this.#proven, sent);
      } else {
        await this.confirm(session);
      }
    }
    return this.session === session;
  }

  /** Handles an error of a session, which may mean that the connection must be replaced. */
  complain(session: Session, error: unknown): void {
    if (session !== this.session) {
      return;
    }
    const message = error instanceof Error ? error.message : '';
    if (/^(MOVED|CLUSTERDOWN) /.test(message)) {
      this.#proven = Number.NEGATIVE_INFINITY;
    }
    // READONLY: the server has become a replica, so there is another master
    if (
      message.startsWith('READONLY') ||
      message === MISPLACED ||
      (message === TIMED_OUT && this.#isTimedOutAgain())
    ) {
      this.session = undefined;
      session.client.disconnect(true);
    }
  }

  /**
   * Has a command timed out that was sent after another one had timed out? Then the connection may be dead, which TCP
   * notices only after a quarter of an hour. Or an answer was lost, and all later answers belong to other commands.
   */
  #isTimedOutAgain(): boolean {
    const now = performance.now();
    this.#timedOut ??= now;
    return now - this.#timedOut > this.commandTimeout;
  }

  /** Waits for pending answers, but no longer than the command timeout. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.session = undefined;
    this.#fail(new Error('it was closed.'));
    const client = await this.#client?.catch(() => undefined);
    if (!client || client.status === 'end') {
      return;
    }
    const { promise: end, resolve } = Promise.withResolvers<void>();
    client.once('end', resolve);
    if (client.status === 'ready') {
      await this.#answers.wait(client.quit()).catch(() => {});
    }
    client.disconnect();
    // a client that was about to reconnect emits no 'end'
    const timeout = setTimeout(resolve, 2 * DISCONNECT_TIMEOUT);
    await end;
    clearTimeout(timeout);
  }

  async #start(): Promise<void> {
    this.#client ??= this.#create();
    const client = await this.#client;
    // a client whose Sentinels do not answer ends by itself
    if (!this.#closing && (client.status === 'wait' || client.status === 'end')) {
      client.connect().catch(() => {});
    }
  }

  async #create(): Promise<Redis> {
    try {
      const client = await createClient(this.source, this.commandTimeout, () => this.#delay());
      this.#place = placeOf(client);
      client.on('error', error => {
        this.#lastError = error;
      });
      client.on('connect', () => this.#expectReady(client));
      client.on('ready', () => this.#meet(client));
      onSurplusAnswer(client, () => {
        this.session = undefined;
        client.disconnect(true);
      });
      client.on('close', () => {
        this.session = undefined;
        this.#fail(this.#noConnection());
      });
      client.on('end', () => this.#fail(this.#noConnection()));
      return client;
    } catch (error) {
      // the next call tries again
      this.#client = undefined;
      throw error;
    }
  }

  /** Limits the handshake, because otherwise a server that does not answer is waited for until TCP gives up. */
  #expectReady(client: Redis): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    client.once('ready', resolve);
    client.once('close', resolve);
    const settled = this.#answers.wait(promise).catch(() => client.disconnect(true));
    void settled.finally(() => client.off('ready', resolve).off('close', resolve));
  }

  async #meet(client: Redis): Promise<void> {
    try {
      const asked = performance.now();
      const [info] = await this.#answers.wait(Promise.all([client.info(), selectDatabase(client)]));
      const epoch = epochOf(info, this.inCluster);
      if (client.status !== 'ready' || this.#closing) {
        return;
      }
      this.session = { client, epoch, wait: answer => this.#answers.wait(answer) };
      this.#proven = asked;
      this.#hasMet = true;
      this.#failures = 0;
      this.#timedOut = undefined;
      this.#lastError = undefined;
      this.#next.resolve(this.session);
      this.#next = pending();
    } catch (error) {
      this.#lastError = error;
      this.#fail(this.#noConnection());
      client.disconnect(true);
    }
  }

  #fail(error: Error): void {
    this.#next.reject(error);
    this.#next = pending();
  }

  /** Doubles with every failure; random, so that processes do not reconnect at the same moment. */
  #delay(): number {
    this.#failures++;
    const delay = Math.min(10 * 2 ** this.#failures, LONGEST_DELAY) * (0.5 + Math.random() / 2);
    this.#nextAttempt = performance.now() + delay;
    return delay;
  }

  #noConnection(): Error {
    const cause = this.#lastError;
    const reason =
      cause instanceof Error ? ((cause as NodeJS.ErrnoException).code ?? cause.message) : undefined;
    return new Error(
      reason
        ? `there is no connection to Redis${this.#place}: ${reason}`
        : `there is no connection to Redis${this.#place} within ${this.commandTimeout} ms.`,
      { cause },
    );
  }
}

/** ioredis ignores the server's refusal, and would go on with database 0. */
async function selectDatabase(client: Redis): Promise<void> {
  const { db } = client.options;
  if (db) {
    await client.select(db).catch(cause => {
      throw new Error(`database ${db} cannot be selected: ${cause.message}`, { cause });
    });
  }
}

/** A promise whose rejection is never unhandled, because callers may stop waiting before it is settled. */
function pending<T>(): PromiseWithResolvers<T> {
  const deferred = Promise.withResolvers<T>();
  deferred.promise.catch(() => {});
  return deferred;
}
