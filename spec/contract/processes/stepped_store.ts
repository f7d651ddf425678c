import { setTimeout } from 'node:timers/promises';
import type {
  EntryAddress,
  Found,
  Lease,
  Quarantine,
  Seal,
  Store,
  TableChange,
  Writer,
} from '../../../lib/store/store.js';
import type { Scheme } from '../../../lib/values/scheme.js';
import { currentSteps, type Step } from './steps.js';

/**
 * A real store that can stop its callers before each step of the protocol. Steps between two of its methods (the
 * database query, the commit) are stopped at the end of the first.
 */
export class SteppedStore implements Store {
  readonly #store: Store;
  readonly #maxDelay: number;

  /** @param maxDelay the longest random delay before a step without a controller, in milliseconds */
  constructor(store: Store, maxDelay = 0) {
    this.#store = store;
    this.#maxDelay = maxDelay;
  }

  read(address: EntryAddress): Promise<Found | undefined> {
    return this.#store.read(address);
  }

  readMany(addresses: readonly EntryAddress[]): Promise<(Found | undefined)[]> {
    return this.#store.readMany(addresses);
  }

  reseal(address: EntryAddress, found: Found): Promise<void> {
    return this.#store.reseal(address, found);
  }

  async lease(address: EntryAddress, ttl: number): Promise<Lease> {
    await this.#before('lease');
    const lease = await this.#store.lease(address, ttl);
    if (lease.granted) {
      await this.#before('database');
    }
    return lease;
  }

  fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    const kept = Uint8Array.from(payload); // the caller may reuse the buffer after the return
    return inBackground(async () => {
      await this.#before('fill');
      await this.#store.fill(address, seal, kept, timeout);
    });
  }

  async mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    const steps = currentSteps();
    if (steps) {
      steps.writer = writer.id;
    }
    await this.#before('mark');
    await this.#store.mark(writer, changes);
    await this.#before('commit');
  }

  settle(writerId: string, tables: readonly string[]): Promise<void> {
    const steps = currentSteps();
    if (steps && steps.writer !== writerId) {
      return this.#store.settle(writerId, tables); // a reader settles for a writer that it considers dead
    }
    return inBackground(async () => {
      await this.#before('settle');
      await this.#store.settle(writerId, tables);
    });
  }

  schemes(table: string): Promise<readonly Scheme[]> {
    return this.#store.schemes(table);
  }

  lift(quarantine: Quarantine): Promise<void> {
    return this.#store.lift(quarantine);
  }

  drop(tables: readonly string[]): Promise<void> {
    return this.#store.drop(tables);
  }

  clear(kept?: readonly string[]): Promise<void> {
    return this.#store.clear(kept);
  }

  close(): Promise<void> {
    return this.#store.close();
  }

  async #before(step: Step): Promise<void> {
    const steps = currentSteps();
    if (steps) {
      await steps.before(step);
    } else if (this.#maxDelay > 0) {
      await setTimeout(Math.random() * this.#maxDelay);
    }
  }
}

function inBackground(work: () => Promise<void>): Promise<void> {
  const working = work();
  currentSteps()?.background.push(working);
  return working;
}
