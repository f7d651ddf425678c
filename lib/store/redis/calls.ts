import { idOf, type Keys, schemeId } from '../keys.js';
import { leastRoom, MAX_RECORDS, type TableLimits } from '../limits.js';
import type { TableDependencies, Writer } from '../store.js';
import { token } from '../token.js';
import { defineScheme } from './schemes.js';
import { type Call, LEASE, LIFT, MARK, SCHEMES, SETTLE } from './scripts.js';

/** How long a registry lives after it was last used, in milliseconds. Its end costs a quarantine. */
const REGISTRY_TTL = 30 * 24 * 3600 * 1000;

/** Who asks, and how sure it is. */
export interface Asker {
  readonly epoch: string;
  /** that the epoch is that of the server now: it has just been learnt */
  readonly sure: boolean;
}

/** @param ttl milliseconds */
export function leaseCall(
  keys: Keys,
  { epoch, sure }: Asker,
  { table, dependencies }: TableDependencies,
  ttl: number,
  { maxSchemes }: TableLimits,
): Call {
  const own = keys.of(table);
  const schemes = dependencies.flatMap(({ scheme }) => [schemeId(scheme.id), defineScheme(scheme)]);
  return {
    script: LEASE,
    keys: [own.registry, own.stamp, ...dependencies.map(dependency => own.dependencies + idOf(dependency))],
    args: [
      epoch,
      sure ? 'sure' : '',
      token(),
      ttl,
      Math.max(REGISTRY_TTL, ttl),
      maxSchemes,
      leastRoom(maxSchemes),
      Buffer.byteLength(own.dependencies),
      ...schemes,
    ],
  };
}

/** @param touched ids of dependencies, as of this version of the schemes; `undefined` for everything */
export function markCall(
  keys: Keys,
  { epoch, sure }: Asker,
  table: string,
  writer: Writer,
  touched: readonly string[] | undefined,
  version: string,
): Call {
  const own = keys.of(table);
  return {
    script: MARK,
    keys: [own.registry, own.stamp, ...(touched ?? []).map(id => own.dependencies + id)],
    args: [
      epoch,
      sure ? 'sure' : '',
      token(),
      REGISTRY_TTL,
      MAX_RECORDS,
      Buffer.byteLength(own.dependencies),
      writer.id,
      writer.xid ?? '',
      touched ? `:${version}` : 'everything',
    ],
  };
}

export function schemesCall(keys: Keys, table: string): Call {
  return { script: SCHEMES, keys: [keys.of(table).registry], args: [] };
}

export function settleCall(keys: Keys, table: string, writerId: string): Call {
  return { script: SETTLE, keys: [keys.of(table).registry], args: [writerId] };
}

export function liftCall(keys: Keys, table: string, nonce: string): Call {
  return { script: LIFT, keys: [keys.of(table).registry], args: [nonce] };
}
