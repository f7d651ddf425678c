import { dependencyId } from './keys.js';
import type { Scheme, TableChange } from './store.js';

/**
 * The ids of the dependencies that a change touches, of all these schemes; `undefined` if it touches everything that
 * depends on the table, because that cannot be told or because they are too many.
 */
export function touchedBy(
  change: TableChange,
  schemes: Iterable<Scheme>,
  maxTouched: number,
): string[] | undefined {
  const ids: string[] = [];
  for (const scheme of schemes) {
    const touched = change.touched(scheme);
    if (touched === undefined || ids.length + touched.size > maxTouched) {
      return undefined;
    }
    for (const values of touched.keys()) {
      ids.push(dependencyId(scheme.id, values));
    }
  }
  return ids;
}
