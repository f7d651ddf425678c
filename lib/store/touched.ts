import { encodeRowDelta, type RowDelta } from '../values/row_delta.js';
import type { Scheme } from '../values/scheme.js';
import { dependencyId } from './keys.js';
import { MAX_STEP, MAX_STEPS, MAX_STEPS_OF_MARK } from './limits.js';
import type { TableChange } from './store.js';

/** A dependency that a writer touches. */
export interface Touch {
  /** within its table */
  readonly id: string;
  /** whether its stamp is one that counts */
  readonly counted: boolean;
  /** encoded; where they are missing the stamp goes, whether it counts or not */
  readonly steps: readonly string[] | undefined;
}

/**
 * The dependencies that a change touches, of all these schemes; `undefined` if it touches everything that depends on
 * the table, because that cannot be told or because they are too many.
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
    for (const [values, told] of touched) {
      const steps = counted ? encodeSteps(told, room) : undefined;
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

/** Whether stamps of this scheme count steps, rather than go when something changes. */
export function isCounted({ tests }: Scheme): boolean {
  return tests !== undefined && tests.length > 0;
}

function sizeOf(steps: readonly string[]): number {
  return steps.reduce((sum, step) => sum + step.length, 0);
}
