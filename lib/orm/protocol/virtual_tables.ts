import type { Catalog } from '../catalog/table.js';

/**
 * Names that no table has, under which entries are kept that depend on something else than rows: so that they are
 * dropped by the same protocol, with nothing stored that was begun before.
 */
export const KEYS = '#keys';
export const TAGS = '#tags';
export const LOCKS = '#locks';

/** With a database before it: what catalogs tell of that database. Whoever defines something writes to it. */
export const CATALOG = '#catalog';

export function catalogOf(database: string): string {
  return `${database}/${CATALOG}`;
}

/** What is written to by whoever defines something; where the database may not be asked, all of it is dropped anyway. */
export function definedIn({ obstacle, database }: Pick<Catalog, 'obstacle' | 'database'>): string[] {
  return obstacle === undefined ? [catalogOf(database)] : [];
}

const ALL: ReadonlySet<string> = new Set([KEYS, TAGS, LOCKS]);

/** Whoever marks one has no transaction: once its stamps are gone, everything that was to be dropped is. */
export function isPseudoTable(table: string): boolean {
  return ALL.has(table);
}
