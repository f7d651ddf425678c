import type { Store } from '../../../lib/store/store.js';

/** The store methods that readers and writers use, and access to its state. */
export interface ExploredStore
  extends Pick<Store, 'read' | 'reseal' | 'lease' | 'fill' | 'mark' | 'settle' | 'lift' | 'drop'> {
  /** @param key as in `Keys`, with no prefix */
  evict(key: string): void;
  /** everything that decides the store's further answers */
  readonly state: unknown;
}
