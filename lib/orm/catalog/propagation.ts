import type { Catalog, ForeignKey, Table, TriggerEvent } from './catalog.js';

type Tables = Pick<Catalog, 'tables'>;

/**
 * The tables that the database itself changes when rows of a table are changed: by the actions of foreign keys
 * (CASCADE, SET NULL, SET DEFAULT), by the functions of triggers and by rules, and on from there.
 *
 * @param set the columns that an update sets; left out, any
 */
export function cascades(
  catalog: Tables,
  table: Table,
  fate: TriggerEvent,
  set?: ReadonlySet<string>,
): Set<string> {
  const affected = new Set<string>();
  const seen = new Set<string>();
  const visit = (name: string, what: TriggerEvent, columns?: ReadonlySet<string>) => {
    const visited = catalog.tables.get(name);
    const isComplete = affected.size === catalog.tables.size;
    if (!visited || isComplete || seen.has(`${what} ${name}`)) {
      return;
    }
    if (!columns) {
      seen.add(`${what} ${name}`);
    }
    for (const key of keysWithActions(visited, what)) {
      if (!columns || key.referenced.some(column => columns.has(column))) {
        addWithKin(catalog, key.from, affected);
        visit(key.from, key.deletes ? 'delete' : 'update');
      }
    }
    for (const reached of firedBy(visited, what)) {
      addWithKin(catalog, reached, affected);
      for (const any of ANY_CHANGE) {
        visit(reached, any);
      }
    }
  };
  for (const name of table.ancestors) {
    visit(name, fate, set);
  }
  return affected;
}

/** A row of an heir is also a row of the tables that it inherits from. */
function addWithKin(catalog: Tables, name: string, to: Set<string>): void {
  const table = catalog.tables.get(name);
  for (const each of table ? [...table.ancestors, ...table.descendants] : [name]) {
    to.add(each);
  }
}

/** The same, but only what triggers and rules of the table itself do. They may act even if no row was changed. */
export function triggered(catalog: Tables, table: Table, fate: TriggerEvent): Set<string> {
  const affected = new Set<string>();
  for (const name of firedBy(table, fate)) {
    const reached = catalog.tables.get(name);
    for (const each of reached ? allAffected(catalog, [reached]) : []) {
      affected.add(each);
    }
  }
  return affected;
}

const ANY_CHANGE: readonly TriggerEvent[] = ['insert', 'update', 'delete'];

function keysWithActions(table: Table, fate: TriggerEvent): readonly ForeignKey[] {
  return fate === 'delete' ? table.onDelete : fate === 'update' ? table.onUpdate : [];
}

function firedBy({ triggers }: Table, fate: TriggerEvent): string[] {
  return triggers.filter(({ fates }) => fates.includes(fate)).flatMap(({ reached }) => reached);
}

/** What TRUNCATE may empty: with CASCADE, all that refers to these tables, and on from there. */
export function truncated(catalog: Tables, tables: Iterable<Table>): Set<string> {
  const emptied = new Set([...tables].map(table => table.fullName));
  for (const name of emptied) {
    const table = catalog.tables.get(name);
    for (const reached of table ? [...table.ancestors, ...table.descendants, ...table.referencedBy] : []) {
      emptied.add(reached);
    }
  }
  for (const name of [...emptied]) {
    const table = catalog.tables.get(name);
    for (const reached of table ? triggered(catalog, table, 'truncate') : []) {
      emptied.add(reached);
    }
  }
  return emptied;
}

/** Everything that a statement may change of which only the tables are known. */
export function allAffected(catalog: Tables, tables: Iterable<Table>): Set<string> {
  const affected = new Set<string>();
  for (const table of tables) {
    for (const name of [...table.ancestors, ...table.descendants]) {
      affected.add(name);
    }
    for (const fate of ANY_CHANGE) {
      for (const name of cascades(catalog, table, fate)) {
        affected.add(name);
      }
    }
  }
  return affected;
}
