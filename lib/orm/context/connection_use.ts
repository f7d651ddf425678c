import type { DialectAdapter } from 'kysely';
import type { Session } from './session.js';

/** Tracks which connections of a pool are in use, so that closing does not wait for work that can get none. */
export class ConnectionUse {
  readonly #held = new Set<Session>();
  readonly #onAcquire: () => void;
  #waiting = 0;
  #isSingle = false;

  /** @param onAcquire called when a connection is requested */
  constructor(onAcquire: () => void) {
    this.#onAcquire = onAcquire;
  }

  /** Called for a new pool, which replaces a closed one. */
  reset({ supportsMultipleConnections }: DialectAdapter): void {
    this.#held.clear();
    // a single connection is waited for outside of the driver
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
   * Whether no connection is free before an open transaction ends. The caller may be in that transaction, which does not
   * end while the caller waits.
   */
  get isExhaustedByTransactions(): boolean {
    return (
      this.#held.size > 0 &&
      (this.#isSingle || this.#waiting > 0) &&
      [...this.#held].every(({ transaction }) => transaction !== undefined)
    );
  }
}
