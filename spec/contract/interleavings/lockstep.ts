import { MemoryStore } from '../../../lib/store/memory/memory_store.js';
import type {
  EntryAddress,
  Found,
  Lease,
  Quarantine,
  Seal,
  TableChange,
  Writer,
} from '../../../lib/store/store.js';
import type { ExploredStore } from './explored_store.js';
import { ModelStore } from './model_store.js';
import { allBut } from './rules.js';

/**
 * Runs the memory store and the model store in parallel, and requires the same answers except for the names of tokens.
 * The model's state shows which histories can be merged.
 */
export class Lockstep implements ExploredStore {
  readonly #store: MemoryStore;
  readonly #model: ModelStore;
  /** the memory store's name of each of the model's seals and nonces */
  readonly #names = new Map<string, string>();

  constructor(maxSchemes?: number) {
    this.#store = new MemoryStore({ now: () => 0, ...(maxSchemes !== undefined && { maxSchemes }) });
    this.#model = new ModelStore(allBut(), maxSchemes);
  }

  get state(): unknown {
    return this.#model.state;
  }

  async read(address: EntryAddress): Promise<Found | undefined> {
    const found = await this.#store.read(address);
    const expected = await this.#model.read(address);
    agree('read', found && describeFound(found), expected && describeFound(expected));
    if (found && expected) {
      this.#names.set(expected.seal, found.seal);
    }
    return expected;
  }

  async reseal(address: EntryAddress, found: Found): Promise<void> {
    await this.#store.reseal(address, { ...found, seal: this.#names.get(found.seal)! });
    await this.#model.reseal(address, found);
  }

  async lease(address: EntryAddress, ttl: number): Promise<Lease> {
    const found = await this.#store.lease(address, ttl);
    const expected = await this.#model.lease(address);
    agree('lease', describe(found), describe(expected));
    if (found.granted && expected.granted) {
      this.#names.set(expected.seal, found.seal);
    }
    if (!found.granted && !expected.granted) {
      for (const [i, { nonce }] of expected.quarantines.entries()) {
        this.#names.set(nonce, found.quarantines[i]!.nonce);
      }
    }
    return expected;
  }

  async fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    await this.#store.fill(address, this.#names.get(seal)!, payload, timeout);
    await this.#model.fill(address, seal, payload);
  }

  async mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    await this.#store.mark(writer, changes);
    await this.#model.mark(writer, changes);
  }

  async settle(writerId: string, tables: readonly string[]): Promise<void> {
    await this.#store.settle(writerId, tables);
    await this.#model.settle(writerId, tables);
  }

  async lift(quarantine: Quarantine): Promise<void> {
    await this.#store.lift({ ...quarantine, nonce: this.#names.get(quarantine.nonce)! });
    await this.#model.lift(quarantine);
  }

  async drop(tables: readonly string[]): Promise<void> {
    await this.#store.drop(tables);
    await this.#model.drop(tables);
  }

  evict(key: string): void {
    this.#store.evict(key);
    this.#model.evict(key);
  }
}

function agree(method: string, found: unknown, expected: unknown): void {
  if (found !== expected) {
    throw new Error(`The memory store's ${method} gives ${found}; the model store gives ${expected}`);
  }
}

function describeFound({ payload, moved }: Found): string {
  return JSON.stringify([String(payload), moved]);
}

function describe(lease: Lease): string {
  return lease.granted
    ? 'granted'
    : JSON.stringify({
        writers: lease.writers.map(({ id, xid, tables }) => [id, xid, tables]).sort(),
        quarantines: lease.quarantines.map(({ table }) => table),
      });
}
