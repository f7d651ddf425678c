import { hasSatisfied } from '../../query/joined_row.js';
import type { JoinedRow, WatchedTable } from '../../query/watch.js';
import type { EntryAddress, Found, Moved, Store } from '../../store/store.js';
import { isKnownToFail, type LookUpJoinedRows } from './joined_row_lookup.js';
import { findCause } from './validity.js';

type Address = EntryAddress & { readonly tables: readonly WatchedTable[] };

/** An entry that holds, or what has changed its result. */
export type RevalidationResult = { readonly holds: Found } | { readonly cause: Moved };

/** Asking about more joined rows would take longer than asking for the result. */
const MAX_ASKED = 100;

/**
 * Does an entry still hold, after all that has happened since it was sealed?
 *
 * What the steps do not tell, the database may: whether a row's joined row satisfies what the query asks of it. Then the
 * store is asked once more, *after* the database. Writers tell of their steps before they commit, so what the database
 * has seen is told by then: if no step shows the joined row as one that satisfies, it is what the database said, and has
 * been that since the entry was sealed. Of an entry that was sealed only after the database had been asked, steps do not
 * tell that.
 *
 * @param ask left out: the database is not to be asked
 * @returns `undefined` if the entry is gone
 */
export async function revalidate(
  store: Store,
  address: Address,
  found: Found,
  ask?: LookUpJoinedRows,
): Promise<RevalidationResult | undefined> {
  const questions = new Map<JoinedRow, Set<string>>();
  const cause = findCause(address.tables, found, (joinedRow, key) => {
    if (!ask || hasSatisfied(joinedRow, key, address.tables, found.moved)) {
      return false;
    }
    questions.set(joinedRow, (questions.get(joinedRow) ?? new Set()).add(key));
    return true;
  });
  const asked = [...questions.values()].reduce((sum, keys) => sum + keys.size, 0);
  if (cause || asked === 0) {
    return cause ? { cause } : { holds: found };
  }
  const answered = asked <= MAX_ASKED ? await ask!(questions) : undefined;
  const again = answered ? await store.read(address) : found;
  if (!again) {
    return undefined;
  }
  const known = again.id === found.id ? answered : undefined;
  const reason = findCause(
    address.tables,
    again,
    (joinedRow, key) =>
      known !== undefined &&
      isKnownToFail(known, joinedRow, key) &&
      !hasSatisfied(joinedRow, key, address.tables, again.moved),
  );
  return reason ? { cause: reason } : { holds: again };
}
