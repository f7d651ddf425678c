import { hash } from 'node:crypto';
import type { EntryAddress } from '../../store/store.js';
import type { Scheme, TableDependencies } from '../../values/scheme.js';

/**
 * The address of a result that was computed from other cached functions (its ingredients), and depends on what they
 * depend on. These dependencies are known only after the computation. So the key of the request holds a list of them,
 * and the result is stored under a key with a digest of the list, sealed with all stamps.
 *
 * The list may be outdated: the result at its address either holds or is a miss.
 */
export interface IngredientList {
  readonly address: EntryAddress;
  /** how long the result may be used, in seconds */
  readonly timeout: number;
}

/** No UTF-8 text, no value of `node:v8` and no msgpack array begins with these bytes. */
const MAGIC = Buffer.from([0x9c, 0xac, 0x11, 0x57, 0xc1, 0x00, 0x00, 0x01]);

/** Every hit compares all of them. */
export const MAX_DEPENDENCIES = 1000;

export function listAddress(key: string, tables: readonly TableDependencies[]): EntryAddress {
  return { key: `${key}+${hash('sha256', JSON.stringify(plainTables(tables)), 'base64url')}`, tables };
}

export function encodeList({ address, timeout }: IngredientList): Uint8Array {
  return Buffer.concat([MAGIC, Buffer.from(JSON.stringify([timeout, plainTables(address.tables)]))]);
}

export function isList(payload: Uint8Array): boolean {
  return MAGIC.equals(payload.subarray(0, MAGIC.length));
}

/**
 * @param key the key of the request
 * @throws SyntaxError or TypeError if it is damaged
 */
export function decodeList(key: string, payload: Uint8Array): IngredientList {
  const text = Buffer.from(payload.subarray(MAGIC.length)).toString();
  const [timeout, plain] = JSON.parse(text) as [number, PlainTables];
  const tables = plain.map(([table, dependencies]) => ({
    table,
    dependencies: dependencies.map(([scheme, values]) => ({ scheme, values })),
  }));
  return { timeout, address: listAddress(key, tables) };
}

type PlainTables = [table: string, dependencies: [scheme: Scheme, values: string][]][];

function plainTables(tables: readonly TableDependencies[]): PlainTables {
  return tables.map(({ table, dependencies }) => [
    table,
    dependencies.map(({ scheme: { id, columns, reads, tests, kinds }, values }) => [
      // in a fixed order, and without other fields that a scheme may have
      { id, columns, ...(reads && { reads }), ...(tests && { tests }), ...(kinds && { kinds }) },
      values,
    ]),
  ]);
}
