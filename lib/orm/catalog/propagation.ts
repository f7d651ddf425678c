import type { Catalog, ForeignKey, Table, TriggerEvent } from './table.js';

type Tables = Pick<Catalog, 'tables'>;

/**
 * The tables that the database changes when rows of a table change: by actions of foreign keys (CASCADE, SET NULL,
 * SET DEFAULT), functions of triggers and rules, transitively.
 *
 * @param set the columns that an update sets; `undefined`: any
 */
export function cascades(
  catalog: Tables,
  table: Table,
  event: TriggerEvent,
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
        addHierarchy(catalog, key.from, affected);
        visit(key.from, key.deletes ? 'delete' : 'update');
      }
    }
    for (const reached of firedBy(visited, what)) {
      addHierarchy(catalog, reached, affected);
      for (const any of ANY_CHANGE) {
        visit(reached, any);
      }
    }
  };
  for (const name of table.ancestors) {
    visit(name, event, set);
  }
  return affected;
}

/** A row of an inheritance child is also a row of its ancestors. */
function addHierarchy(catalog: Tables, name: string, to: Set<string>): void {
  const table = catalog.tables.get(name);
  for (const each of table ? [...table.ancestors, ...table.descendants] : [name]) {
    to.add(each);
  }
}

/** The same, but only by triggers and rules of the table itself, which may act even if no row changes. */
export function triggered(catalog: Tables, table: Table, event: TriggerEvent): Set<string> {
  const affected = new Set<string>();
  for (const name of firedBy(table, event)) {
    const reached = catalog.tables.get(name);
    for (const each of reached ? allAffected(catalog, [reached]) : []) {
      affected.add(each);
    }
  }
  return affected;
}

const ANY_CHANGE: readonly TriggerEvent[] = ['insert', 'update', 'delete'];

function keysWithActions(table: Table, event: TriggerEvent): readonly ForeignKey[] {
  return event === 'delete' ? table.onDelete : event === 'update' ? table.onUpdate : [];
}

function firedBy({ triggers }: Table, event: TriggerEvent): string[] {
  return triggers.filter(({ events }) => events.includes(event)).flatMap(({ reached }) => reached);
}

/** The tables that TRUNCATE may empty: with CASCADE, also all that reference these tables, transitively. */
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

/** All tables that any change of rows of these tables may change. */
export function allAffected(catalog: Tables, tables: Iterable<Table>): Set<string> {
  const affected = new Set<string>();
  for (const table of tables) {
    for (const name of [...table.ancestors, ...table.descendants]) {
      affected.add(name);
    }
    for (const event of ANY_CHANGE) {
      for (const name of cascades(catalog, table, event)) {
        affected.add(name);
      }
    }
  }
  return affected;
}
