import { type Bounds, canonicalOfResult } from '../values/result.js';
import type { OrderTerm, PageBound } from './result_bound.js';

/**
 * The bound of a result that has as many rows as its LIMIT allows. `null` if it tells nothing.
 *
 * It begins where the order begins, and ends before the first value that is not understood: fewer terms put more rows
 * beside the last one, which is only wider.
 *
 * @param order the query's ORDER BY, or the beginning of it, on columns whose order is known (see `isOrderable`)
 * @param last of the last row that the database gave: these columns' values as the driver gave them
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
