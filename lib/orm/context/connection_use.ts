import type { DialectAdapter } from 'kysely';
import type { Session } from './session.js';

/** Which connections of a pool are in use, so that work which can get none is not waited for. */
export class ConnectionUse {
  readonly #held = new Set<Session>();
  readonly #onAcquire: () => void;
  #waiting = 0;
  #isSingle = false;

  /** @param onAcquire called whenever a connection is asked for */
  constructor(onAcquire: () => void) {
    this.#onAcquire = onAcquire;
  }

  /** A new pool takes the place of one that was closed. */
  reset({ supportsMultipleConnections }: DialectAdapter): void {
    this.#held.clear();
    // then others wait before the driver is asked
    this.#isSingle = supportsMultipleConnections === false;
  }

  async acquire<T extends { readonly session: Session }>(acquiring: Promise<T>): Promise<T> {
    this.#onAcquire();
    this.#waiting++;
    try {
      const connection = await acquiring;
      this.#held.add(connection.session);
      return connection;
    } finally {
      this.#waiting--;
    }
  }

  release({ session }: { readonly session: Session }): void {
    this.#held.delete(session);
  }

  /**
   * Whether no connection can be had before one of the transactions that are open ends. The caller may be in one of
   * them, which does not end while the caller waits.
   */
  get isExhaustedByTransactions(): boolean {
    return (
      this.#held.size > 0 &&
      (this.#isSingle || this.#waiting > 0) &&
      [...this.#held].every(({ transaction }) => transaction !== undefined)
    );
  }
}
