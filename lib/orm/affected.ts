import type { Catalog, Table } from './catalog.js';

/** What happens to rows of a table: their keys may change, or they go. */
type Fate = 'update' | 'delete';

/**
 * The tables that the database itself changes when rows of a table are deleted, or their keys changed: by the
 * actions of foreign keys (CASCADE, SET NULL, SET DEFAULT), and on from there.
 *
 * @param set the columns that an update sets; left out, any
 */
export function cascades(catalog: Catalog, table: Table, fate: Fate, set?: ReadonlySet<string>): Set<string> {
  const affected = new Set<string>();
  const seen = new Set<string>();
  const visit = (name: string, what: Fate, columns?: ReadonlySet<string>) => {
    const visited = catalog.tables.get(name);
    if (!visited || seen.has(`${what} ${name}`)) {
      return;
    }
    if (!columns) {
      seen.add(`${what} ${name}`);
    }
    const keys = what === 'delete' ? visited.onDelete : visited.onUpdate;
    for (const key of keys) {
      if (!columns || key.referenced.some(column => columns.has(column))) {
        affected.add(key.from);
        visit(key.from, key.deletes ? 'delete' : 'update');
      }
    }
  };
  for (const name of table.ancestors) {
    visit(name, fate, set);
  }
  return affected;
}

/** What TRUNCATE may empty: with CASCADE, all that refers to these tables, and on from there. */
export function truncated(catalog: Catalog, tables: Iterable<Table>): Set<string> {
  const emptied = new Set([...tables].map(table => table.fullName));
  for (const name of emptied) {
    const table = catalog.tables.get(name);
    for (const reached of table ? [...table.ancestors, ...table.heirs, ...table.referencedBy] : []) {
      emptied.add(reached);
    }
  }
  return emptied;
}

/** Everything that a statement may change of which only the tables are known. */
export function allAffected(catalog: Catalog, tables: Iterable<Table>): Set<string> {
  const affected = new Set<string>();
  for (const table of tables) {
    for (const name of [...table.ancestors, ...table.heirs]) {
      affected.add(name);
    }
    for (const fate of ['update', 'delete'] as const) {
      for (const name of cascades(catalog, table, fate)) {
        affected.add(name);
      }
    }
  }
  return affected;
}
