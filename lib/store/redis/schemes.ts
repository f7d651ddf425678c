import type { Scheme } from '../../values/scheme.js';

/** The schemes that the registry of a table had when it was last asked. */
export interface KnownSchemes {
  /** changes with them; `''` is no version */
  readonly version: string;
  readonly schemes: readonly Scheme[];
  /** what it tells of some of them is not to be understood: it has to be made anew */
  readonly isOdd: boolean;
}

export const NO_SCHEMES: KnownSchemes = { version: '', schemes: [], isOdd: false };

/** A scheme as the registry keeps it. */
export function defineScheme({ id, columns, reads, tests, kinds }: Scheme): string {
  return JSON.stringify([id, columns, reads ?? null, tests ?? null, kinds ?? null]);
}

/** `undefined` if that is no scheme. */
export function parseScheme(definition: string): Scheme | undefined {
  let parts: unknown;
  try {
    parts = JSON.parse(definition);
  } catch {
    return undefined;
  }
  const [id, columns, ...more] = Array.isArray(parts) ? parts : [];
  if (typeof id !== 'string' || !isNames(columns) || !more.every(names => names === null || isNames(names))) {
    return undefined;
  }
  const [reads, tests, kinds] = more as (string[] | null | undefined)[];
  return { id, columns, ...(reads && { reads }), ...(tests && { tests }), ...(kinds && { kinds }) };
}

function isNames(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(name => typeof name === 'string');
}
