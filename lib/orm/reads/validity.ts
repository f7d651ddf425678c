import { type Fails, NOTHING_IS_KNOWN } from '../../query/joined_row.js';
import { deltasMatter } from '../../query/row_deltas.js';
import type { WatchedTable } from '../../query/watch.js';
import type { Found, Moved } from '../../store/store.js';
import { decodeBounds } from './codec.js';

/**
 * What of that which has happened since an entry was sealed may have changed its result.
 *
 * @returns `undefined` if nothing: the result is what it would be if it were read now
 */
export function findCause(
  tables: readonly WatchedTable[],
  { payload, moved }: Found,
  fails: Fails = NOTHING_IS_KNOWN,
): Moved | undefined {
  if (moved.length === 0) {
    return undefined;
  }
  const bounds = decodeBounds(payload);
  return moved.find(({ table, dependency: { scheme, values }, steps }) => {
    const watched = tables
      .find(each => each.table === table)
      ?.dependencies.find(each => each.scheme.id === scheme.id && each.values === values);
    return !watched || deltasMatter(watched, steps, bounds, fails);
  });
}
