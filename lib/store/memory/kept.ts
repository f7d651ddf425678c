import type { Seal } from '../store.js';
import { token } from '../token.js';
import { Trail } from './trail.js';

/** A value that may be evicted at any moment. */
export type Kept = Entry | Stamp | Trail;

export type Stamp = string;

export class Entry {
  /** identifies this seal on this payload */
  readonly id = token();

  constructor(
    readonly seal: Seal,
    readonly payload: Buffer,
  ) {}
}

/** Bytes of an item of a map and of the bookkeeping of the cache, without the value. */
const OVERHEAD = 200;

/** Bytes of one row delta of a trail, without its characters. */
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
