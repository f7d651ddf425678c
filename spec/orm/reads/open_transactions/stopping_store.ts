import { MemoryStore } from '../../../../lib/index.js';
import type { EntryAddress, Found, Lease, Seal, TableChange, Writer } from '../../../../lib/store/store.js';
import { Task } from './task.js';

/**
 * A store that may stop its callers after each call, and marks one table after the other, like a store with several
 * servers.
 */
export class StoppingStore extends MemoryStore {
  /** number of calls that may change other readers' answers */
  visibleChanges = 0;

  override async read(address: EntryAddress): Promise<Found | undefined> {
    const found = await super.read(address);
    await Task.mayStop();
    return found;
  }

  override async reseal(address: EntryAddress, found: Found): Promise<void> {
    await Task.mayStop();
    this.visibleChanges++;
    await super.reseal(address, found);
  }

  override async lease(address: EntryAddress, ttl: number): Promise<Lease> {
    const lease = await super.lease(address, ttl);
    await Task.mayStop();
    return lease;
  }

  override async fill(
    address: EntryAddress,
    seal: Seal,
    payload: Uint8Array,
    timeout: number,
  ): Promise<void> {
    const kept = Uint8Array.from(payload);
    await Task.mayStop();
    this.visibleChanges++;
    await super.fill(address, seal, kept, timeout);
  }

  override async mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    for (const change of changes) {
      this.visibleChanges++;
      await super.mark(writer, [change]);
      await Task.mayStop();
    }
  }

  override async settle(writerId: string, tables: readonly string[]): Promise<void> {
    await Task.mayStop();
    this.visibleChanges++;
    await super.settle(writerId, tables);
  }
}
