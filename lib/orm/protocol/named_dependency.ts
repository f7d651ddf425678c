import type { Store, TableChange } from '../../store/store.js';
import { encodeValues, schemeOf } from '../../values/encode.js';
import { newWriterId } from './writer.js';

/** A dependency on a named value in a pseudo table, such as a key or a tag. */
export function namedDependency(table: string, kind: string, value: string) {
  return { table, dependencies: [{ scheme: schemeOf([kind]), values: encodeValues([value]) }] };
}

/**
 * Drops all entries with such a dependency, also those that are being computed.
 *
 * @throws the store's error, if `onStoreFailure` asks for it
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
