import type { Catalog } from '../catalog/table.js';

/**
 * Pseudo tables: names that no table has, for entries that depend on something else than rows. The same protocol drops
 * them, so that nothing is stored that was begun before.
 */
export const KEYS = '#keys';
export const TAGS = '#tags';
export const LOCKS = '#locks';

/** With a database before it: the definitions in that database, which DDL writes to. */
export const CATALOG = '#catalog';

export function catalogOf(database: string): string {
  return `${database}/${CATALOG}`;
}

/** The pseudo tables that DDL writes to; none without rights on the catalog, because then every write drops everything. */
export function definedIn({ obstacle, database }: Pick<Catalog, 'obstacle' | 'database'>): string[] {
  return obstacle === undefined ? [catalogOf(database)] : [];
}

const ALL: ReadonlySet<string> = new Set([KEYS, TAGS, LOCKS]);

/** Writers of these have no transaction: once a stamp is gone, everything that it had to drop is dropped. */
export function isPseudoTable(table: string): boolean {
  return ALL.has(table);
}
