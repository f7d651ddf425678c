import type { Canonical } from './comparable.js';

/**
 * What a write did to one row, as one dependency sees it: the values of its scheme's `tests` before and after (`null`
 * where the row was not, or is no longer, under this dependency), and whether a column of its `reads` has changed.
 *
 * A row that moves from category 1 to 2 is `[values, null, 1]` to the dependency on category 1 and `[null, values, 1]`
 * to that on category 2. Consists of what JSON has.
 */
export type Step = readonly [old: readonly Canonical[] | null, new: readonly Canonical[] | null, read: 0 | 1];
