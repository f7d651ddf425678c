import type { ReadCounts } from '../../observability/stats.js';
import { type Fails, hasSatisfied, NOTHING_IS_KNOWN } from '../../query/joined_row.js';
import { deltasMatter } from '../../query/row_deltas.js';
import type { JoinedRow, WatchedTable } from '../../query/watch.js';
import type { EntryAddress, Found, Moved, Store } from '../../store/store.js';
import type { AddBackground } from '../context/background.js';
import { decodeBounds } from './codec.js';
import { isKnownToFail, type LookUpJoinedRows } from './joined_row_lookup.js';

type Address = EntryAddress & { readonly tables: readonly WatchedTable[] };

/** An entry that holds, or the change that has changed its result. */
export type RevalidationResult = { readonly holds: Found } | { readonly cause: Moved };

/** Looking up more joined rows would take longer than reading the result. */
const MAX_LOOKED_UP = 100;

/**
 * Does an entry still hold, after the row deltas that writers have recorded since it was sealed?
 *
 * Where the deltas do not tell whether a row's joined row satisfies the query's condition, the database may. Then the
 * store is read once more, *after* the database has answered. Writers record their deltas before they commit, so every
 * change that the database has seen is in the store by then. If no delta shows the joined row as one that satisfies, it
 * is as the database said, and has been so since the entry was sealed. This does not follow for an entry that was
 * sealed after the database had answered.
 *
 * A row and its joined row may be changed by two writers at the same time. Each of the two deltas could hide the other: the
 * database shows neither change before it is committed. So a lookup counts only if no writer of the joined rows was in
 * flight before it. Whichever delta is judged last, the other writer is then in flight, or the database shows its change.
 * (The actor `Looker` of the explorer.)
 *
 * @param lookUp left out: the database must not be asked
 * @returns `undefined` if the entry is gone
 */
export async function revalidate(
  store: Store,
  address: Address,
  found: Found,
  lookUp?: LookUpJoinedRows,
): Promise<RevalidationResult | undefined> {
  const questions = new Map<JoinedRow, Set<string>>();
  const cause = findCause(address.tables, found, (joinedRow, key) => {
    if (!lookUp || hasSatisfied(joinedRow, key, address.tables, found.moved)) {
      return false;
    }
    questions.set(joinedRow, (questions.get(joinedRow) ?? new Set()).add(key));
    return true;
  });
  const count = [...questions.values()].reduce((sum, keys) => sum + keys.size, 0);
  if (cause || count === 0) {
    return cause ? { cause } : { holds: found };
  }
  const mayAsk = count <= MAX_LOOKED_UP && (await isNobodyWriting(store, address, [...questions.keys()]));
  const lookedUp = mayAsk ? await lookUp!(questions) : undefined;
  const again = lookedUp ? await store.read(address) : found;
  if (!again) {
    return undefined;
  }
  const failing = again.id === found.id ? lookedUp : undefined;
  const reason = findCause(
    address.tables,
    again,
    (joinedRow, key) =>
      failing !== undefined &&
      isKnownToFail(failing, joinedRow, key) &&
      !hasSatisfied(joinedRow, key, address.tables, again.moved),
  );
  return reason ? { cause: reason } : { holds: again };
}

/** A lease is refused while a writer of its dependencies is in flight, or while it is not known who is. */
async function isNobodyWriting(
  store: Store,
  { key, tables }: Address,
  joinedRows: readonly JoinedRow[],
): Promise<boolean> {
  const names = new Set(joinedRows.map(({ table }) => table));
  const lease = await store.lease({ key, tables: tables.filter(({ table }) => names.has(table)) }, TTL);
  return lease.granted;
}

/** Seconds. The stamps exist already, with a longer time to live. */
const TTL = 1;

/**
 * The first change since an entry was sealed that may have changed its result, with the delta that matters;
 * `undefined` if the entry holds.
 */
export function findCause(
  tables: readonly WatchedTable[],
  { payload, moved }: Found,
  fails: Fails = NOTHING_IS_KNOWN,
): Moved | undefined {
  const bounds = decodeBounds(payload);
  for (const change of moved) {
    const { scheme, values } = change.dependency;
    const watched = tables
      .find(({ table }) => table === change.table)
      ?.dependencies.find(each => each.scheme.id === scheme.id && each.values === values);
    if (!watched || deltasMatter(watched, change.steps, bounds, fails)) {
      const mattering = watched && change.steps.find(step => deltasMatter(watched, [step], bounds, fails));
      return mattering ? { ...change, steps: [mattering] } : change;
    }
  }
  return undefined;
}

interface ResealParts {
  readonly store: Store;
  readonly background: AddBackground;
}

/** Seals an entry that holds with the present stamps, so that no reader has to revalidate it for the same deltas. */
export function reseal(
  { store, background }: ResealParts,
  address: EntryAddress,
  found: Found,
  counts: ReadCounts,
): void {
  counts.revalidated++;
  background(store.reseal(address, found));
}
