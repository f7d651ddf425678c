import { hash } from 'node:crypto';
import type { EntryAddress } from '../../store/store.js';
import type { Scheme, TableDependencies } from '../../values/scheme.js';

/**
 * Where a result is that depends on more than its request tells: on what other cached functions depend that it was made
 * of. That is only known once it has been computed. So under the key of the request there is a list of the dependencies,
 * and the result under a key that has a digest of the list, sealed with the stamps of all.
 *
 * The list needs no guard of its own: wherever it leads, the result that is found there holds, or is a miss.
 */
export interface IngredientList {
  readonly address: EntryAddress;
  /** how long the result may be used, in seconds */
  readonly timeout: number;
}

/** No UTF-8, no result of `node:v8` and no msgpack of an array begins so. */
const MAGIC = Buffer.from([0x9c, 0xac, 0x11, 0x57, 0xc1, 0x00, 0x00, 0x01]);

/** Each of them is looked at on every hit. */
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
 * @param key of the request
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
      // in an order of its own, and without what the scheme may carry beside
      { id, columns, ...(reads && { reads }), ...(tests && { tests }), ...(kinds && { kinds }) },
      values,
    ]),
  ]);
}
