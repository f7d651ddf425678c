export interface LifetimeSteps {
  /** while the database can still be asked */
  readonly beforeEnd: () => Promise<void>;
  /** when nothing is sent to the database any more */
  readonly afterEnd: () => Promise<void>;
  /** the ORM connects again after it was closed */
  readonly reopen: () => void;
}

/**
 * The cache ends after the connections to the database: a transaction that is open when the ORM is closed may still
 * commit, and its invalidation has to reach the store. It begins anew when the ORM connects again.
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
   * @param end closes the connections to the database; left out, they stay
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

  /** The connections to the database are closed: what connects from now on is the ORM, again. */
  disconnected(): void {
    this.#mayReopen = this.#hasEnded;
  }

  /** It does so also without being told to, when something is sent to the database. */
  connects(): void {
    if (this.#mayReopen) {
      this.#closing = undefined;
      this.#hasEnded = false;
      this.#mayReopen = false;
      this.#steps.reopen();
    }
  }
}
