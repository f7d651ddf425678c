import type { Scheme } from '../store.js';

/** The schemes that the registry of a table had when it was last asked. */
export interface KnownSchemes {
  /** changes with them; `''` is no version */
  readonly version: string;
  readonly schemes: readonly Scheme[];
}

export const NO_SCHEMES: KnownSchemes = { version: '', schemes: [] };

/** A scheme as the registry keeps it. */
export function defineScheme({ id, columns }: Scheme): string {
  return JSON.stringify([id, ...columns]);
}

export function parseScheme(definition: string): Scheme {
  const [id, ...columns] = JSON.parse(definition);
  return { id, columns };
}
