/** Bounds of the bookkeeping of one table. */
export interface TableLimits {
  /**
   * The most schemes that are kept. Forgetting the least recently used drops all entries of the table. Default: 128
   */
  readonly maxSchemes: number;
  /**
   * The most dependencies that a writer touches one by one. A writer that would touch more touches everything. Default:
   * 2000
   */
  readonly maxTouched: number;
}

/**
 * The most records (schemes, writers in flight and the dependencies that these touch) of a registry. A larger registry
 * is replaced by an empty one in quarantine, which covers all those writers. Only writers that died, and that no reader
 * has met since, can be that many.
 */
export const MAX_RECORDS = 50_000;

/** The most row deltas of a trail, and the most characters of all of them. The oldest are removed first. */
export const MAX_STEPS = 256;
export const MAX_TRAIL = 65_536;

/** The most characters of one encoded row delta. A larger delta drops its dependency. */
export const MAX_STEP = 4096;

/** The most characters of all row deltas of a mark on one table. Dependencies beyond that are dropped. */
export const MAX_STEPS_OF_MARK = 2 ** 20;

/** How many schemes to forget at least when a table has too many: several, because each time drops all its entries. */
export function leastRoom(maxSchemes: number): number {
  return Math.floor(maxSchemes / 8);
}

/** @throws RangeError for anything other than positive integers */
export function limitsFrom({ maxSchemes, maxTouched }: Partial<TableLimits>): TableLimits {
  return {
    maxSchemes: atLeastOne('maxSchemes', maxSchemes ?? 128),
    maxTouched: atLeastOne('maxTouched', maxTouched ?? 2000),
  };
}

function atLeastOne(name: string, value: number): number {
  if (!Number.isInteger(value) || value < 1) {
    throw new RangeError(`${name} is ${value}; give a whole number, at least 1.`);
  }
  return value;
}

/** At least one, because zero would mean forever. */
export function milliseconds(seconds: number): number {
  return Math.max(1, Math.ceil(seconds * 1000));
}
