import type { Canonical } from './comparable.js';

/**
 * The effect of a write on one row for one dependency: the values of its scheme's `tests` before and after (`null`
 * where the row is not under this dependency), and 1 if a column of its `reads` changed, or 2 if the row was inserted or
 * deleted.
 *
 * A row that moves from category 1 to 2 is `[values, null, 1]` for the dependency on category 1 and `[null, values,
 * 1]` for that on category 2. A delta is plain JSON.
 */
export type RowDelta = readonly [
  old: readonly Canonical[] | null,
  new: readonly Canonical[] | null,
  read: 0 | 1 | 2,
];

export function encodeRowDelta(delta: RowDelta): string {
  return JSON.stringify(delta);
}

/** Decodes the result of {@link encodeRowDelta}; `undefined` for any other text. */
export function decodeRowDelta(text: string): RowDelta | undefined {
  try {
    const delta = JSON.parse(text);
    return Array.isArray(delta) &&
      delta.length === 3 &&
      isImage(delta[0]) &&
      isImage(delta[1]) &&
      isReadOf(delta[2])
      ? (delta as unknown as RowDelta)
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

function isReadOf(value: unknown): boolean {
  return value === 0 || value === 1 || value === 2;
}
