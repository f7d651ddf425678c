import type { Scheme } from '../store.js';

/** The schemes that the registry of a table had when it was last asked. */
export interface KnownSchemes {
  /** changes with them; `''` is no version */
  readonly version: string;
  readonly schemes: readonly Scheme[];
}

export const NO_SCHEMES: KnownSchemes = { version: '', schemes: [] };

/** A scheme as the registry keeps it. */
export function defineScheme({ id, columns, reads, tests, kinds }: Scheme): string {
  return JSON.stringify([id, columns, reads ?? null, tests ?? null, kinds ?? null]);
}

export function parseScheme(definition: string): Scheme {
  const [id, columns, reads, tests, kinds] = JSON.parse(definition);
  return { id, columns, ...(reads && { reads }), ...(tests && { tests }), ...(kinds && { kinds }) };
}
