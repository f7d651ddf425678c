import { type Bounds, canonicalOfResult } from '../values/result.js';
import type { OrderTerm, PageBound } from './result_bound.js';

/**
 * The bound of a result that has as many rows as its LIMIT allows. `null` if it says nothing.
 *
 * It ends before the first value that is not understood. With fewer terms more rows are ties, which is only wider.
 *
 * @param order the beginning of the query's ORDER BY, on columns with a known order (see `isOrderable`)
 * @param last the values of these columns in the last row, as the driver returned them
 */
export function pageBound(order: readonly OrderTerm[], last: readonly unknown[]): PageBound | null {
  const bound: (Bounds | null)[] = [];
  for (const [i, { kind }] of order.entries()) {
    const bounds = canonicalOfResult(kind, last[i]);
    if (bounds === undefined) {
      break;
    }
    bound.push(bounds);
  }
  return bound.length > 0 ? { type: 'window', order: order.slice(0, bound.length), bound } : null;
}
