import { encodeRowDelta, type RowDelta } from '../values/row_delta.js';
import type { Scheme } from '../values/scheme.js';
import { dependencyId } from './keys.js';
import { MAX_STEP, MAX_STEPS, MAX_STEPS_OF_MARK } from './limits.js';
import type { TableChange } from './store.js';

/** A dependency that a writer touches. */
export interface Touch {
  /** within its table */
  readonly id: string;
  /** its stamp is a versioned one */
  readonly counted: boolean;
  /** encoded row deltas; without them the stamp is deleted, even if it is a versioned one */
  readonly steps: readonly string[] | undefined;
}

/**
 * The dependencies of these schemes that a change touches; `undefined` if it touches everything that depends on the
 * table, because the values are unknown or too many.
 */
export function touchedBy(
  change: TableChange,
  schemes: Iterable<Scheme>,
  maxTouched: number,
): Touch[] | undefined {
  const touches: Touch[] = [];
  let room = MAX_STEPS_OF_MARK;
  for (const scheme of schemes) {
    const touched = change.touched(scheme);
    if (touched === undefined || touches.length + touched.size > maxTouched) {
      return undefined;
    }
    const counted = isCounted(scheme);
    for (const [values, deltas] of touched) {
      const steps = counted ? encodeSteps(deltas, room) : undefined;
      room -= sizeOf(steps ?? []);
      touches.push({ id: dependencyId(scheme.id, values), counted, steps });
    }
  }
  return touches;
}

function encodeSteps(steps: readonly RowDelta[] | undefined, room: number): string[] | undefined {
  if (!steps || steps.length > MAX_STEPS) {
    return undefined;
  }
  const encoded = steps.map(encodeRowDelta);
  return encoded.every(step => step.length <= MAX_STEP) && sizeOf(encoded) <= room ? encoded : undefined;
}

/** Do stamps of this scheme count row deltas, instead of being deleted by each change? */
export function isCounted({ tests }: Scheme): boolean {
  return tests !== undefined && tests.length > 0;
}

function sizeOf(steps: readonly string[]): number {
  return steps.reduce((sum, step) => sum + step.length, 0);
}
