import type { Seal } from '../../store/store.js';
import { endOrMaxWait } from '../protocol/patience.js';

/**
 * Single flight: of several callers of this process that miss the same entry at the same time, one asks the database
 * or computes, and the others wait for it.
 *
 * A caller that waits for a function or a timed value looks at the store again afterwards (see {@link track}). A query
 * takes the result of the other. It must not take a result that was read before a transaction that had committed when
 * the query began (C1). So it may join a pending query
 *
 * - if it began before the pending query was sent: then the database answers from a state after its beginning. The same
 *   holds if another process turns out to have stored the result, and the store was read after the query began (see
 *   {@link Pending.sentAt}); or
 * - if it has a lease with the seal of the pending query. A writer changes stamps before it commits, and no lease is
 *   granted until it has settled. So between the two leases, no transaction has committed that either depends on; and
 *   the pending query was sent after its lease.
 */
export class SingleFlight {
  /** by key: computations, and queries that are not sent yet */
  readonly #open = new Map<string, Pending>();
  /** by key: the latest query that was sent, and has no result yet */
  readonly #sent = new Map<string, Pending>();
  #clock = 0;

  /** The time of a logical clock, which only orders events. */
  now(): number {
    return ++this.#clock;
  }

  /** A pending query that a query of this beginning may join. */
  joinable(key: string, beganAt: number): Pending | undefined {
    const sent = this.#sent.get(key);
    return this.#open.get(key) ?? (sent && sent.sentAt > beganAt ? sent : undefined);
  }

  /** A pending query that a query with this seal may join. */
  sealedWith(key: string, seal: Seal): Pending | undefined {
    const sent = this.#sent.get(key);
    return sent?.seal === seal ? sent : undefined;
  }

  /** From now on others may join. {@link settle} must follow in any case. */
  open(key: string): Pending {
    const pending = new Pending(key);
    this.#open.set(key, pending);
    return pending;
  }

  /** To be called just before the query is sent. */
  send(pending: Pending, seal: Seal | undefined): void {
    remove(this.#open, pending);
    pending.sentAt = this.now();
    pending.seal = seal;
    this.#sent.set(pending.key, pending);
  }

  /** @param payload the encoded result; without it, the callers that have joined ask for themselves */
  settle(pending: Pending, payload: Uint8Array | undefined): void {
    remove(this.#open, pending);
    remove(this.#sent, pending);
    pending.settle(payload);
  }

  /**
   * Settles when the computation of this key has ended, well or not, or after 5 seconds. `undefined` if there is none:
   * then the caller must start and {@link track} its own before it awaits anything.
   */
  ended(key: string): Promise<unknown> | undefined {
    return this.#open.get(key)?.join();
  }

  /** Lets others wait for the end of a computation. If several compute the same, they wait for the first. */
  track(key: string, computation: Promise<unknown>): void {
    if (!this.#open.has(key)) {
      const pending = this.open(key);
      void endOrMaxWait(computation).then(() => this.settle(pending, undefined));
    }
  }
}

/** A query or computation without a result yet. */
export class Pending {
  readonly key: string;
  /** when the query was sent, or when the store was last read instead; it may become later until the result is there */
  sentAt = 0;
  seal: Seal | undefined;
  /** whether another caller waits for it */
  isJoined = false;
  readonly #result = Promise.withResolvers<Uint8Array | undefined>();

  constructor(key: string) {
    this.key = key;
  }

  /** The encoded result, or `undefined` if the caller has to ask for itself. */
  join(): Promise<Uint8Array | undefined> {
    this.isJoined = true;
    return this.#result.promise;
  }

  settle(payload: Uint8Array | undefined): void {
    this.#result.resolve(payload);
  }
}

function remove(pendings: Map<string, Pending>, pending: Pending): void {
  if (pendings.get(pending.key) === pending) {
    pendings.delete(pending.key);
  }
}
