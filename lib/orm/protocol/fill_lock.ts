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

/** What others wait for. */
export interface FillLock {
  /** @param stored what they are to find: they go on when it has settled */
  release(stored?: Promise<unknown>): void;
}

/**
 * Lets one of all processes that share a store compute something, while the others wait. It saves work and guards
 * nothing: where the store fails, or the one who has it is slow, several compute.
 *
 * A lock is a mark (see `Store.mark`): who is first in the store's own order has it.
 */
export class FillLocks {
  readonly #store: Store;
  readonly #background: (work: Promise<unknown>) => void;

  constructor(store: Store, background: (work: Promise<unknown>) => void) {
    this.#store = store;
    this.#background = background;
  }

  /**
   * @param look what the others wait for
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
      // also who is first: another may have stored it since it was missed
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
      // then it computes without
    }
  }

  async #isFirst({ id }: Writer, key: string): Promise<boolean> {
    const address = { key: 'lock', tables: [namedDependency(LOCKS, 'key', key)] };
    const ask = () => this.#store.lease(address, MAX_WAIT_MS / 1000).catch(() => undefined);
    let lease = await ask();
    if (lease && !lease.granted && lease.quarantines.length > 0) {
      // nobody's rows: there is nothing to wait for
      await Promise.all(lease.quarantines.map(quarantine => this.#store.lift(quarantine)));
      lease = await ask();
    }
    if (!lease || lease.granted) {
      return true;
    }
    const own = lease.writers.find(writer => writer.id === id);
    const isOver = ({ age }: InFlight) => age >= 2 * MAX_WAIT_MS; // it is slow, or its process is no more
    const waiting = lease.writers.filter(writer => !isOver(writer));
    const over = lease.writers.filter(isOver);
    this.#background(Promise.all(over.map(writer => this.#store.settle(writer.id, [LOCKS]))));
    return !own || waiting.every(other => own.age > other.age || (own.age === other.age && id <= other.id));
  }
}
