import type { Scheme } from '../../values/scheme.js';

/** The schemes in the registry of a table, as last read. */
export interface KnownSchemes {
  /** changes with the schemes; `''` if there is none */
  readonly version: string;
  readonly schemes: readonly Scheme[];
  /** some definitions are damaged: the registry must be replaced */
  readonly isOdd: boolean;
}

export const NO_SCHEMES: KnownSchemes = { version: '', schemes: [], isOdd: false };

/** Encodes a scheme for the registry. */
export function defineScheme({ id, columns, reads, tests, kinds }: Scheme): string {
  return JSON.stringify([id, columns, reads ?? null, tests ?? null, kinds ?? null]);
}

/** `undefined` if it is damaged. */
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
