/**
 * Names that no table has, under which entries are kept that depend on something else than rows: so that they are
 * dropped by the same protocol, with nothing stored that was begun before.
 */
export const KEYS = '#keys';
export const TAGS = '#tags';
export const LOCKS = '#locks';

const ALL: ReadonlySet<string> = new Set([KEYS, TAGS, LOCKS]);

/** Whoever marks one has no transaction: once its stamps are gone, everything that was to be dropped is. */
export function isPseudoTable(table: string): boolean {
  return ALL.has(table);
}
