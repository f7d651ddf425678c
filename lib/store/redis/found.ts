import type { Found, Moved } from '../store.js';
import { type Decoded, resealed, sealOf } from './entry.js';

/** The present stamp, and the row deltas that led to it. */
export interface TrailAnswer {
  readonly stamp: string;
  readonly steps: Moved['steps'];
}

const NOTHING: readonly Moved[] = [];

/** An entry whose stamps have not changed. */
export function found({ payload, head }: Decoded): Found {
  return { payload, moved: NOTHING, seal: '', id: '', carried: () => sealOf(head) };
}

/**
 * Several entries, each with its id.
 *
 * @param trails of all their drifts, in the same order
 */
export function foundMany(
  entries: readonly (Decoded | undefined)[],
  entryKeys: readonly string[],
  trails: readonly (TrailAnswer | undefined)[],
): (Found | undefined)[] {
  let at = 0;
  return entries.map((entry, i) => {
    if (!entry || entry.drifts.length === 0) {
      return entry && { ...found(entry), id: entry.head.toString('latin1') };
    }
    const own = trails.slice(at, at + entry.drifts.length);
    at += entry.drifts.length;
    return foundWith(entryKeys[i]!, entry, own);
  });
}

/** An entry with the row deltas of each of its drifts, if all of them are known. */
export function foundWith(
  entryKey: string,
  { head, payload, drifts }: Decoded,
  trails: readonly (TrailAnswer | undefined)[],
): Found | undefined {
  const moved: Moved[] = [];
  const stamps: string[] = [];
  for (const [i, { table, dependency }] of drifts.entries()) {
    const trail = trails[i];
    if (!trail) {
      return undefined;
    }
    moved.push({ table, dependency, steps: trail.steps });
    stamps.push(trail.stamp);
  }
  const after = resealed(entryKey, head, drifts, stamps);
  const id = head.toString('latin1');
  return { payload, moved, seal: id + after.toString('latin1'), id, carried: () => sealOf(head) };
}
