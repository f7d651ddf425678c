import { setTimeout as sleep } from 'node:timers/promises';
import type { InFlight, Store, Writer } from '../../store/store.js';
import { encodeValues, schemeOf } from '../../values/encode.js';
import { namedDependency } from './named_dependency.js';
import { MAX_WAIT_MS } from './patience.js';
import { LOCKS } from './virtual_tables.js';
import { newWriterId } from './writer.js';

const SHORTEST_SLEEP = 10;
const LONGEST_SLEEP = 200;

const BY_KEY = schemeOf(['key']);

export interface FillLock {
  /** @param stored others stop waiting when this settles, so that they find what it stores */
  release(stored?: Promise<unknown>): void;
}

/**
 * Lets one of the processes that share a store compute a result, while the others wait. It saves work and guarantees
 * nothing: if the store fails or the holder is slow, several processes compute.
 *
 * A lock is a mark (see `Store.mark`): the first in the store's order is the holder.
 */
export class FillLocks {
  readonly #store: Store;
  readonly #background: (work: Promise<unknown>) => void;

  constructor(store: Store, background: (work: Promise<unknown>) => void) {
    this.#store = store;
    this.#background = background;
  }

  /**
   * @param look reads the result from the store
   * @returns what `look` has found, or the lock, which must be released
   */
  async take<T>(key: string, look: () => Promise<T | undefined>): Promise<{ readonly found: T } | FillLock> {
    const deadline = performance.now() + MAX_WAIT_MS;
    const writer: Writer = { id: newWriterId(), xid: undefined };
    await this.#mark(writer, key);
    const settle = () => this.#store.settle(writer.id, [LOCKS]);
    let pause = SHORTEST_SLEEP;
    for (;;) {
      const isFirst = performance.now() >= deadline || (await this.#isFirst(writer, key));
      if (!isFirst) {
        await sleep(pause);
        pause = Math.min(2 * pause, LONGEST_SLEEP);
      }
      // the holder looks too, because another process may have stored the result since the miss
      const found = await look();
      if (found !== undefined) {
        this.#background(settle());
        return { found };
      }
      if (isFirst) {
        return { release: stored => this.#background(Promise.resolve(stored).then(settle, settle)) };
      }
    }
  }

  async #mark(writer: Writer, key: string): Promise<void> {
    const touched = new Map([[encodeValues([key]), undefined]]);
    try {
      const empty = new Map<string, undefined>();
      await this.#store.mark(writer, [
        { table: LOCKS, touched: ({ id }) => (id === BY_KEY.id ? touched : empty) },
      ]);
    } catch {
      // then it computes without a lock
    }
  }

  async #isFirst({ id }: Writer, key: string): Promise<boolean> {
    const address = { key: 'lock', tables: [namedDependency(LOCKS, 'key', key)] };
    const ask = () => this.#store.lease(address, MAX_WAIT_MS / 1000).catch(() => undefined);
    let lease = await ask();
    if (lease && !lease.granted && lease.quarantines.length > 0) {
      // a pseudo table has no rows: there is no writer to wait for
      await Promise.all(lease.quarantines.map(quarantine => this.#store.lift(quarantine)));
      lease = await ask();
    }
    if (!lease || lease.granted) {
      return true;
    }
    const own = lease.writers.find(writer => writer.id === id);
    const isOver = ({ age }: InFlight) => age >= 2 * MAX_WAIT_MS; // the holder is slow, or its process has died
    const waiting = lease.writers.filter(writer => !isOver(writer));
    const over = lease.writers.filter(isOver);
    this.#background(Promise.all(over.map(writer => this.#store.settle(writer.id, [LOCKS]))));
    return !own || waiting.every(other => own.age > other.age || (own.age === other.age && id <= other.id));
  }
}
