import { type Occurrence, type Opaque, readSelect, type Select } from '../query/select.js';
import type { Catalog, Table } from './catalog.js';

/** What the statements of a read have to do with tables. */
export interface Reading {
  /** every place where a table stands, in the order of the text */
  readonly uses: readonly Use[];
  /** the statement, if there is only one */
  readonly select: Select | undefined;
}

export interface Use {
  readonly table: Table;
  readonly said: Occurrence;
}

/**
 * @param forbidden names of entities that are never cached, by the full names of their tables
 * @returns a reason if what is read here cannot be told
 */
export function readStatements(
  statements: readonly string[],
  catalog: Catalog,
  forbidden: ReadonlyMap<string, string>,
): Reading | Opaque {
  if (statements.length === 0) {
    return { reason: 'nothing that asks the database' };
  }
  const uses: Use[] = [];
  let only: Select | undefined;
  for (const sql of statements) {
    const select = readSelect(sql);
    if ('reason' in select) {
      return { reason: select.reason };
    }
    only = statements.length === 1 ? select : undefined;
    for (const said of select.tables) {
      const table = catalog.resolve(said);
      const obstacle = table?.plain
        ? obstacleOf(table, said.name, forbidden)
        : `${said.name}, which is not a table`;
      if (!table || obstacle) {
        return { reason: obstacle! };
      }
      uses.push({ table, said });
    }
  }
  return uses.length > 0 ? { uses, select: only } : { reason: 'no table' };
}

function obstacleOf(
  { fullName, rowSecurity }: Table,
  name: string,
  forbidden: ReadonlyMap<string, string>,
): string | undefined {
  const entity = forbidden.get(fullName);
  if (entity) {
    return `rows of ${entity}, which is never cached`;
  }
  return rowSecurity ? `row-level security on ${name}` : undefined;
}

/** Does the one say of tables, columns and order what the other says? */
export function isSameReading(a: Reading, b: Reading): boolean {
  return signatureOf(a) === signatureOf(b);
}

function signatureOf({ uses, select }: Reading): string {
  return JSON.stringify([
    uses.map(({ table, said }) => [
      table.fullName,
      said.alias,
      said.place,
      said.again,
      said.within,
      said.reads && [...said.reads].sort(),
      said.besides && [...said.besides].sort(),
      [...said.where].sort(([x], [y]) => (x < y ? -1 : 1)),
    ]),
    select && [select.limited, select.plain, select.nested, select.ordinal, select.order, select.orderKnown],
  ]);
}
