import type { EntryAddress, Found } from '../store/store.js';

/** Would the entry's result be the same if it were read now? */
export function untouched(_address: EntryAddress, found: Found): boolean {
  return found.moved.length === 0;
}
