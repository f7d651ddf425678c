import { decodeRowDelta, type RowDelta } from '../../values/row_delta.js';
import { stepsBetween } from '../counted.js';
import { MAX_STEPS, MAX_TRAIL } from '../limits.js';

/** The last row deltas of a versioned stamp. */
export class Trail {
  private constructor(
    /** after the last delta */
    readonly stamp: string,
    /** encoded, oldest first */
    readonly steps: readonly string[],
    /** characters of the deltas */
    readonly size: number,
  ) {}

  /**
   * Adds deltas to a trail. Starts a new one if the trail does not end at the earlier stamp, because then it belongs to
   * another stamp or has a gap.
   */
  static extend(trail: Trail | undefined, earlier: string, later: string, steps: readonly string[]): Trail {
    const all = trail?.stamp === earlier ? [...trail.steps, ...steps] : steps;
    const kept = all.slice(-MAX_STEPS);
    let size = kept.reduce((sum, step) => sum + step.length, 0);
    let first = 0;
    while (size > MAX_TRAIL) {
      size -= kept[first++]!.length;
    }
    return new Trail(later, kept.slice(first), size);
  }

  /** The deltas between two stamps, if the trail has all of them. */
  between(earlier: string, later: string): RowDelta[] | undefined {
    const count = stepsBetween(earlier, later);
    if (this.stamp !== later || count === undefined || count > this.steps.length) {
      return undefined;
    }
    const steps = this.steps.slice(-count).map(decodeRowDelta);
    return steps.every(step => step !== undefined) ? steps : undefined;
  }
}
