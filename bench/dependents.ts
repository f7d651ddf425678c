import { RedisStore } from '../lib/index.js';
import type { EntryAddress, Seal } from '../lib/store/store.js';

/**
 * A store that can multiply what was filled last. To ask ten thousand queries before every flush would take minutes,
 * and what a writer meets in Redis is the same.
 */
export class MultiplyingStore extends RedisStore {
  #last: { tables: EntryAddress['tables']; seal: Seal; payload: Uint8Array; timeout: number } | undefined;

  override fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    this.#last = { tables: address.tables, seal, payload: Uint8Array.from(payload), timeout };
    return super.fill(address, seal, payload, timeout);
  }

  /** Fills as many entries with the same dependencies, under keys that are the same every time. */
  async multiply(count: number): Promise<EntryAddress[]> {
    const { tables, seal, payload, timeout } = this.#last!;
    const addresses = Array.from({ length: count }, (_, i) => ({ key: `multiplied:${count}:${i}`, tables }));
    await Promise.all(addresses.map(address => super.fill(address, seal, payload, timeout)));
    return addresses;
  }
}
