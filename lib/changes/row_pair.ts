import type { Row } from './row_image.js';

/** What was done to one row. Columns that its old or new state does not have are not known. */
export interface Pair {
  /** `undefined`: there was none */
  readonly old: Row | undefined;
  /** `undefined`: there is none any more */
  readonly new: Row | undefined;
  /** the columns that may look different now; `undefined`: any */
  readonly changed: ReadonlySet<string> | undefined;
}
