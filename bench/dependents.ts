import { RedisStore } from '../lib/index.js';
import type { EntryAddress, Seal } from '../lib/store/store.js';

/**
 * A store that can multiply its last fill, because ten thousand queries before every flush would take minutes. A writer
 * finds the same data in Redis.
 */
export class MultiplyingStore extends RedisStore {
  #last: { tables: EntryAddress['tables']; seal: Seal; payload: Uint8Array; timeout: number } | undefined;

  override fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    this.#last = { tables: address.tables, seal, payload: Uint8Array.from(payload), timeout };
    return super.fill(address, seal, payload, timeout);
  }

  /** Fills this many entries with the same dependencies, under the same keys each time. */
  async multiply(count: number): Promise<EntryAddress[]> {
    const { tables, seal, payload, timeout } = this.#last!;
    const addresses = Array.from({ length: count }, (_, i) => ({ key: `multiplied:${count}:${i}`, tables }));
    await Promise.all(addresses.map(address => super.fill(address, seal, payload, timeout)));
    return addresses;
  }
}
