import type { Seal } from '../store.js';
import { token } from '../token.js';
import { Trail } from './trail.js';

/** What may be evicted at any moment. */
export type Kept = Entry | Stamp | Trail;

export type Stamp = string;

export class Entry {
  /** of this seal on this payload, and of no other */
  readonly id = token();

  constructor(
    readonly seal: Seal,
    readonly payload: Buffer,
  ) {}
}

/** What an item of a map, and the bookkeeping of the cache, take up beside what is kept. */
const OVERHEAD = 200;

/** Of one step of a trail, beside its characters. */
const STEP_OVERHEAD = 24;

export function sizeOf(kept: Kept, key: string): number {
  return OVERHEAD + key.length + sizeOfValue(kept);
}

function sizeOfValue(kept: Kept): number {
  if (typeof kept === 'string') {
    return kept.length;
  }
  return kept instanceof Trail
    ? kept.stamp.length + kept.size + kept.steps.length * STEP_OVERHEAD
    : kept.seal.length + kept.payload.byteLength;
}
