import type { Store, TableChange } from '../../store/store.js';
import { encodeValues, schemeOf } from '../../values/encode.js';
import { newWriterId } from './writer.js';

/** A dependency on something that has a name, in a pseudo table. */
export function namedDependency(table: string, kind: string, value: string) {
  return { table, dependencies: [{ scheme: schemeOf([kind]), values: encodeValues([value]) }] };
}

/**
 * Drops what depends on it, also what is being computed.
 *
 * @throws the store's error, if it does not take it and failures are to be told (`onStoreFailure`)
 */
export async function dropNamed(
  store: Store,
  table: string,
  kind: string,
  values: readonly string[],
): Promise<void> {
  const scheme = schemeOf([kind]);
  const touched = new Map(values.map(value => [encodeValues([value]), undefined]));
  const change: TableChange = {
    table,
    touched: asked => (asked.id === scheme.id ? touched : new Map()),
  };
  const writer = { id: newWriterId(), xid: undefined };
  await store.mark(writer, [change]);
  await store.settle(writer.id, [table]);
}
