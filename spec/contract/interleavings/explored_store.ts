import type { Store } from '../../../lib/store/store.js';

/** What readers and writers need of a store, and those who look into it. */
export interface ExploredStore
  extends Pick<Store, 'read' | 'reseal' | 'lease' | 'fill' | 'mark' | 'settle' | 'lift' | 'drop'> {
  /** @param key as in `Keys`, with no prefix */
  evict(key: string): void;
  /** all that decides what it will answer */
  readonly state: unknown;
}
