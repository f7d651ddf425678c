import type { TableDependencies } from '../../values/scheme.js';
import { idOf, type Keys, schemeId } from '../keys.js';
import { leastRoom, MAX_RECORDS, MAX_STEPS, MAX_TRAIL, type TableLimits } from '../limits.js';
import type { Writer } from '../store.js';
import { token } from '../token.js';
import { isCounted, type Touch } from '../touched.js';
import type { Drift } from './entry.js';
import { defineScheme } from './schemes.js';
import { type Call, DROP, LEASE, LIFT, MARK, RESEAL, SCHEMES, SETTLE, TRAIL } from './scripts.js';

/** How long a registry lives after its last use, in milliseconds. A new one starts in quarantine. */
const REGISTRY_TTL = 30 * 24 * 3600 * 1000;

/** The epoch that a client takes the server to be in. */
export interface Asker {
  readonly epoch: string;
  /** the server has just confirmed the epoch */
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
  const schemes = dependencies.flatMap(({ scheme }) => [
    schemeId(scheme.id),
    defineScheme(scheme),
    isCounted(scheme) ? 'counts' : '',
  ]);
  const ids = dependencies.map(idOf);
  const trails = ids.filter((_, i) => isCounted(dependencies[i]!.scheme)).map(id => own.trails + id);
  return {
    script: LEASE,
    keys: [own.registry, own.stamp, ...ids.map(id => own.dependencies + id), ...trails],
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

/**
 * @param touched according to this version of the schemes; `undefined` for everything
 * @param version `undefined` to replace the registry
 */
export function markCall(
  keys: Keys,
  { epoch, sure }: Asker,
  table: string,
  writer: Writer,
  touched: readonly Touch[] | undefined,
  version: string | undefined,
): Call {
  const own = keys.of(table);
  const touches = touched ?? [];
  return {
    script: MARK,
    keys: [
      own.registry,
      own.stamp,
      ...touches.map(({ id }) => own.dependencies + id),
      ...touches.filter(({ counted }) => counted).map(({ id }) => own.trails + id),
    ],
    args: [
      epoch,
      sure ? 'sure' : '',
      token(),
      REGISTRY_TTL,
      MAX_RECORDS,
      Buffer.byteLength(own.dependencies),
      MAX_STEPS,
      MAX_TRAIL,
      touches.length,
      writer.id,
      writer.xid ?? '',
      version === undefined ? 'anew' : touched ? `:${version}` : 'everything',
      ...touches.map(({ counted, steps }) => (counted ? (steps?.length ?? '-') : '')),
      ...touches.flatMap(({ steps }) => steps ?? []),
    ],
  };
}

/** Asks for the row deltas since an entry was sealed. */
export function trailCall(keys: Keys, { table, dependency, sealed }: Drift): Call {
  const own = keys.of(table);
  const id = idOf(dependency);
  return { script: TRAIL, keys: [own.dependencies + id, own.trails + id], args: [sealed] };
}

export function resealCall(entryKey: string, before: Buffer, after: Buffer): Call {
  return { script: RESEAL, keys: [entryKey], args: [before, after] };
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

export function dropCall(keys: Keys, table: string): Call {
  return { script: DROP, keys: [keys.of(table).stamp], args: [] };
}
