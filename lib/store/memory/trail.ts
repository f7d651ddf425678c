import { decodeRowDelta, type RowDelta } from '../../values/row_delta.js';
import { stepsBetween } from '../counted.js';
import { MAX_STEPS, MAX_TRAIL } from '../limits.js';

/** The last steps that came to a stamp that counts. */
export class Trail {
  private constructor(
    /** as the last step left it */
    readonly stamp: string,
    /** encoded, oldest first */
    readonly steps: readonly string[],
    /** characters of the steps */
    readonly size: number,
  ) {}

  /**
   * A trail that is further on. It begins anew if this one did not lead to the earlier stamp: whatever it is, it is not
   * the way there.
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

  /** The steps that lead from an earlier stamp to a later one, if all of them are there. */
  between(earlier: string, later: string): RowDelta[] | undefined {
    const count = stepsBetween(earlier, later);
    if (this.stamp !== later || count === undefined || count > this.steps.length) {
      return undefined;
    }
    const steps = this.steps.slice(-count).map(decodeRowDelta);
    return steps.every(step => step !== undefined) ? steps : undefined;
  }
}
