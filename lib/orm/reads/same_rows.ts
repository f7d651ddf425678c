/**
 * Whether two results of one query consist of the same rows. The order does not count, because it is unspecified without
 * ORDER BY and among rows with equal sort keys.
 *
 * @param keys the properties that identify rows, if rows have them
 * @returns `undefined` if it is not known, because a LIMIT may take other rows each time
 */
export function areSameRows(
  a: unknown,
  b: unknown,
  limited: boolean,
  keys: readonly string[],
): boolean | undefined {
  const [left, right] = [canonical(a), canonical(b)];
  if (left === right) {
    return true;
  }
  if (limited && Array.isArray(a) && Array.isArray(b) && a.length === b.length) {
    const sameKeys = keys.length > 0 && keysOf(a, keys) === keysOf(b, keys);
    return sameKeys ? false : undefined;
  }
  return false;
}

function keysOf(rows: readonly unknown[], keys: readonly string[]): string {
  return canonical(rows.map(row => keys.map(key => (row as Record<string, unknown> | null)?.[key])));
}

/** A value with its type, as text. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) {
    return typeof value === 'string' ? JSON.stringify(value) : `${typeof value} ${String(value)}`;
  }
  if (Array.isArray(value)) {
    return `[${value.map(canonical).sort()}]`;
  }
  if (value instanceof Date) {
    return `date ${value.getTime()}`;
  }
  if (ArrayBuffer.isView(value)) {
    return `bytes ${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
  }
  const entries = Object.entries(value).filter(([, item]) => item !== undefined);
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).sort()}}`;
}
