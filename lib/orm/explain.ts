import type { EntryAddress } from '../store/store.js';

/** What an entry depends on, in words: `article(category=7)`, or just `article` for the whole table. */
export function describeDependencies(address: EntryAddress): string[] {
  return address.tables.flatMap(({ table, dependencies }) => {
    const name = shortName(table);
    return dependencies.map(({ scheme, values }) => {
      const parts = values.split(',');
      const conditions = scheme.columns.map(
        (column, i) => `${column}=${parts[i] === '!' ? 'null' : parts[i]}`,
      );
      return conditions.length > 0 ? `${name}(${conditions.join(', ')})` : name;
    });
  });
}

/** A table's name without its database, and without the schema that it has by default. */
export function shortName(table: string): string {
  return table.slice(table.indexOf('/') + 1).replace(/^public\./, '');
}
