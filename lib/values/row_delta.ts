import type { Canonical } from './comparable.js';

/**
 * What a write did to one row, as one dependency sees it: the values of its scheme's `tests` before and after (`null`
 * where the row was not, or is no longer, under this dependency), and whether a column of its `reads` has changed.
 *
 * A row that moves from category 1 to 2 is `[values, null, 1]` to the dependency on category 1 and `[null, values, 1]`
 * to that on category 2. Consists of what JSON has.
 */
export type RowDelta = readonly [
  old: readonly Canonical[] | null,
  new: readonly Canonical[] | null,
  read: 0 | 1,
];

export function encodeStep(step: RowDelta): string {
  return JSON.stringify(step);
}

/** What {@link encodeStep} gave, or `undefined` if this is not anything that it gives. */
export function decodeStep(text: string): RowDelta | undefined {
  try {
    const step = JSON.parse(text);
    return Array.isArray(step) && step.length === 3 && isImage(step[0]) && isImage(step[1]) && isBit(step[2])
      ? (step as unknown as RowDelta)
      : undefined;
  } catch {
    return undefined;
  }
}

function isImage(value: unknown): boolean {
  return (
    value === null || (Array.isArray(value) && value.every(each => each === null || typeof each === 'string'))
  );
}

function isBit(value: unknown): boolean {
  return value === 0 || value === 1;
}
