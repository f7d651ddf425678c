import type { Redis } from 'ioredis';
import { createClient, DISCONNECT_TIMEOUT, type RedisSource } from './client.js';
import { epochOf } from './identity.js';
import { onSurplusAnswer } from './surplus.js';
import { Watchdog } from './watchdog.js';

/** Where a client connects to, without its credentials. */
function placeOf({ options: { sentinels, name, path, host, port } }: Redis): string {
  return ` at ${sentinels ? `the Sentinels' ${name}` : (path ?? `${host}:${port}`)}`;
}

/** A connection to a server that is known, from the moment it is until either is another. */
export interface Session {
  readonly client: Redis;
  readonly epoch: string;
  /** An answer of the client's, or a rejection if it takes too long. */
  wait<T>(answer: Promise<T>): Promise<T>;
}

/** The longest wait before connecting again, in milliseconds. */
const LONGEST_DELAY = 2000;

/**
 * For how long a node of a cluster is known to be the master that it was, in milliseconds. One that hands over answers
 * `MOVED` until it takes over again. It does so by an election, which replicas delay by 500 ms at least; or by
 * `CLUSTER FAILOVER`, which has no such delay, but waits until the replica has all that its master has. `FORCE` and
 * `TAKEOVER` neither delay nor wait: an administrator would have to be that quick twice, and in between somebody else to
 * have written.
 */
const MASTER_FOR = 250;

/** What is said of a command that took longer than it may. */
const TIMED_OUT = 'the answer took too long.';

/**
 * Connects when first asked to, and again whenever the connection was lost. Nothing is sent by it before the server
 * has told who it is, and an answer counts only while the session that it was asked in is still the present one.
 */
export class Connection {
  /** the present session, if there is one */
  session: Session | undefined;
  #client: Promise<Redis> | undefined;
  /** for messages; empty until the source has been read */
  #place = '';
  /** what those who wait for a session wait for */
  #next = pending<Session>();
  #lastError: unknown;
  #failures = 0;
  #hasMet = false;
  /** when the next attempt to connect is due, by `performance.now` */
  #nextAttempt = 0;
  /** when a command of the present session timed out first, by `performance.now` */
  #timedOut: number | undefined;
  #closing: Promise<void> | undefined;
  /** when the server last was what the present session takes it for, by `performance.now` */
  #proven = Number.NEGATIVE_INFINITY;

  readonly #answers: Watchdog;
  readonly #sessions: Watchdog;
  /** A program that starts is busy; so the first connection of all may take longer. */
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
   * @throws Error if there is none within the time that a command may take, or an attempt to connect fails; at once if
   *   none will be made in that time
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
    // not part of the wait: the first time, it loads a module
    await this.#start();
    return (this.#hasMet ? this.#sessions : this.#firstSession).wait(next);
  }

  /** Asks the server once more who it is, and returns the session that there is then. */
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
   * Was the server what the session takes it for when it gave an answer, which has just come?
   *
   * A node of a cluster keeps its connections while it is demoted and comes back as a master with less than it had. It
   * cannot have been away and back since the last time that it was a master for certain, if that is not long ago. Else it
   * is asked: an epoch never comes again, so if it is the same now, it was then.
   *
   * @param sent when the question was sent, by `performance.now`: an answer is given by masters only
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

  /** Takes notice of what failed in a session: it may mean that the connection is of no more use. */
  complain(session: Session, error: unknown): void {
    if (session !== this.session) {
      return;
    }
    const message = error instanceof Error ? error.message : '';
    if (/^(MOVED|CLUSTERDOWN) /.test(message)) {
      this.#proven = Number.NEGATIVE_INFINITY;
    }
    // it has become a replica, so there is another master
    if (message.startsWith('READONLY') || (message === TIMED_OUT && this.#isTimedOutAgain())) {
      this.session = undefined;
      session.client.disconnect(true);
    }
  }

  /**
   * Whether a command has timed out that was sent after another had. It may be that nothing is heard any more: TCP would
   * keep such a connection for a quarter of an hour. Or an answer went astray: then each question is answered by the
   * answer to the next one, for ever too late.
   */
  #isTimedOutAgain(): boolean {
    const now = performance.now();
    this.#timedOut ??= now;
    return now - this.#timedOut > this.commandTimeout;
  }

  /** Waits for the answers to what has been sent, but for no longer than a command may take. */
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
    // it tells no end if it was about to connect again; then only its own timer is left to wait for
    const timeout = setTimeout(resolve, 2 * DISCONNECT_TIMEOUT);
    await end;
    clearTimeout(timeout);
  }

  async #start(): Promise<void> {
    this.#client ??= this.#create();
    const client = await this.#client;
    // it ends by itself where no Sentinel answers
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
      // so that the next one tries again
      this.#client = undefined;
      throw error;
    }
  }

  /** It greets the server before it is ready. A server that does not answer would be waited for until TCP gives up. */
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
      const epoch = epochOf(await this.#answers.wait(client.info()), this.inCluster);
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

  /** Doubles with every failure. At random, so that not all processes come back at the same moment. */
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

/** Whoever waits may give up before it is settled, so that a rejection which nobody hears is no error. */
function pending<T>(): PromiseWithResolvers<T> {
  const deferred = Promise.withResolvers<T>();
  deferred.promise.catch(() => {});
  return deferred;
}
