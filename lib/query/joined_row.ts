import type { Moved } from '../store/store.js';
import type { Canonical } from '../values/comparable.js';
import { encodeValues } from '../values/encode.js';
import type { JoinedRow, Watch, WatchedTable } from './watch.js';

/**
 * Is it known that the joined rows with this key failed their condition in every state since the entry was sealed?
 *
 * @param key see {@link keyOfJoinedRow}
 */
export type Fails = (joinedRow: JoinedRow, key: string) => boolean;

export const NOTHING_IS_KNOWN: Fails = () => false;

/**
 * The key of a row's joined row, encoded in the order of `on`.
 *
 * @param values of the row's `tests`
 * @returns `undefined` if a column of the key is NULL or unknown
 */
export function keyOfJoinedRow(
  { on }: JoinedRow,
  tests: readonly string[],
  values: readonly Canonical[],
): string | undefined {
  const key = on.map(([own]) => values[tests.indexOf(own)]);
  return key.some(value => value === null || value === undefined)
    ? undefined
    : encodeValues(key as Canonical[]);
}

/**
 * Do these row deltas show that the joined row with this key satisfied its condition, before or after one of them? A
 * delta with an unknown key may.
 */
export function hasSatisfied(
  joinedRow: JoinedRow,
  key: string,
  tables: readonly WatchedTable[],
  moved: readonly Moved[],
): boolean {
  const watched = tables.find(({ table }) => table === joinedRow.table)?.dependencies;
  return moved.some(({ table, dependency: { scheme, values }, steps }) => {
    if (table !== joinedRow.table) {
      return false;
    }
    const dependency = watched?.find(each => each.scheme.id === scheme.id && each.values === values);
    const { tests = [] } = scheme;
    if (!dependency?.watches) {
      return true;
    }
    const isIt = (image: readonly Canonical[]) => {
      const own = joinedRow.on.map(([, column]) => image[tests.indexOf(column)]);
      return own.includes(undefined) || encodeValues(own as Canonical[]) === key;
    };
    const satisfies = (image: readonly Canonical[], { occurrence, predicate }: Watch) =>
      occurrence === joinedRow.occurrence && predicate.matches(image);
    return steps.some(([old, now]) =>
      [old, now].some(
        image => image && isIt(image) && dependency.watches!.some(watch => satisfies(image, watch)),
      ),
    );
  });
}
