export interface LifetimeSteps {
  /** while the database can still be queried */
  readonly beforeEnd: () => Promise<void>;
  /** after the last statement was sent to the database */
  readonly afterEnd: () => Promise<void>;
  /** the ORM connects again after it was closed, or writes after its cache was closed */
  readonly reopen: () => void;
}

/**
 * The cache closes after the connections to the database, because a transaction that is open when the ORM is closed may
 * still commit, and its invalidation must reach the store. It opens again when the ORM connects again.
 */
export class Lifetime {
  readonly #steps: LifetimeSteps;
  #closing: Promise<void> | undefined;
  #hasEnded = false;
  #mayReopen = false;

  constructor(steps: LifetimeSteps) {
    this.#steps = steps;
  }

  /**
   * Closes once, however often it is called.
   *
   * @param end closes the connections to the database; default: they stay open
   */
  async close(end = async () => {}): Promise<void> {
    if (this.#closing) {
      await this.#closing;
      await end();
      return;
    }
    this.#closing = this.#close(end);
    await this.#closing;
  }

  async #close(end: () => Promise<void>): Promise<void> {
    await this.#steps.beforeEnd();
    try {
      await end();
    } finally {
      this.#hasEnded = true;
      await this.#steps.afterEnd();
    }
  }

  /** The connections to the database are closed: the next connection is the ORM's reconnection. */
  disconnected(): void {
    this.#mayReopen = this.#hasEnded;
  }

  /** The ORM connects, which it also does by itself for a statement. */
  connects(): void {
    if (this.#mayReopen) {
      this.#reopen();
    }
  }

  /** The ORM writes: it may have stayed connected when its cache was closed. */
  writes(): void {
    if (this.#hasEnded) {
      this.#reopen();
    }
  }

  #reopen(): void {
    this.#closing = undefined;
    this.#hasEnded = false;
    this.#mayReopen = false;
    this.#steps.reopen();
  }
}
