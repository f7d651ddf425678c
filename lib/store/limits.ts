/** What bounds the bookkeeping of one table. */
export interface TableLimits {
  /**
   * The most schemes that are kept. The least recently used make room, at the cost of all entries of the table.
   * Default: 128
   */
  readonly maxSchemes: number;
  /** The most dependencies that a writer touches one by one; who touches more touches everything. Default: 2000 */
  readonly maxTouched: number;
}

/**
 * The most schemes, writers in flight and dependencies touched by these, together, that a registry keeps. Beyond
 * that it is made anew, in quarantine, which covers all those writers without a record of any. Only writers that
 * died, and that no reader has come across since, can be that many.
 */
export const MAX_RECORDS = 50_000;

/** The most steps that a trail holds, and what these may take up, in characters. The oldest make room. */
export const MAX_STEPS = 256;
export const MAX_TRAIL = 65_536;

/** The most characters of one step, encoded. A dependency that a larger one comes to is dropped. */
export const MAX_STEP = 4096;

/** The most characters of all steps of a mark on one table. Dependencies beyond that are dropped. */
export const MAX_STEPS_OF_MARK = 2 ** 20;

/** How many schemes make room, at least, when a table has too many: several at once, because each time costs all its entries. */
export function leastRoom(maxSchemes: number): number {
  return Math.floor(maxSchemes / 8);
}

/** @throws RangeError if they make no sense */
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
