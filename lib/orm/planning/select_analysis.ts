import { CLOCK } from '../../sql/select/evaluation.js';
import { readSelect } from '../../sql/select/select.js';
import type { Select, SelectTable, Unanalysable } from '../../sql/select/select_result.js';
import type { Catalog, Table } from '../catalog/table.js';
import { evaluationObstacle } from './evaluation_obstacle.js';

/** What the statements of a read have to do with tables. */
export interface SelectAnalysis {
  /** every place where a table stands, in the order of the text */
  readonly uses: readonly TableReference[];
  /** the statement, if there is only one */
  readonly select: Select | undefined;
  /** full names of what is no plain table: views, foreign tables */
  readonly others: readonly string[];
  /** Is there something in it that somebody vouched for? */
  readonly opaque: boolean;
}

export interface TableReference {
  readonly table: Table;
  readonly occurrence: SelectTable;
}

/**
 * @param forbidden names of entities that are never cached, by the full names of their tables
 * @param vouched somebody has named the tables behind what cannot be seen through
 * @returns a reason if what is read here cannot be told
 */
export function analyseSelects(
  statements: readonly string[],
  catalog: Catalog,
  forbidden: ReadonlyMap<string, string>,
  vouched = false,
): SelectAnalysis | Unanalysable {
  if (statements.length === 0) {
    return { reason: 'nothing that asks the database' };
  }
  const uses: TableReference[] = [];
  const others = new Set<string>();
  let opaque = false;
  let only: Select | undefined;
  for (const sql of statements) {
    const select = readSelect(sql, vouched);
    if ('reason' in select) {
      return { reason: select.reason };
    }
    only = statements.length === 1 ? select : undefined;
    opaque ||= select.opaque;
    const before = uses.length;
    for (const occurrence of select.tables) {
      const table = catalog.resolve(occurrence);
      const obstacle = table ? obstacleOf(table, forbidden) : undefined;
      if (obstacle) {
        return { reason: obstacle };
      }
      if (table?.plain) {
        uses.push({ table, occurrence });
      } else if (vouched && (table || mayBeTemporary(occurrence, sql))) {
        others.add(table?.fullName ?? '');
      } else {
        return { reason: `${occurrence.name}, which is not a table` };
      }
    }
    const volatile = [...select.evaluation.calls].find(name => catalog.defined.volatile.has(name));
    if (volatile !== undefined) {
      return { reason: `a call of ${volatile}()` };
    }
    const obstacle = evaluationObstacle(select, uses.slice(before), catalog);
    if (obstacle !== undefined) {
      if (!vouched || obstacle === CLOCK) {
        return { reason: obstacle };
      }
      opaque = true;
    }
  }
  opaque ||= others.size > 0;
  others.delete('');
  return uses.length > 0 || opaque
    ? { uses, select: only, others: [...others], opaque }
    : { reason: 'no table' };
}

/** Not a name that WITH gives; those of the system's own tables begin so. */
function mayBeTemporary({ schema, name }: SelectTable, sql: string): boolean {
  return schema === undefined && !name.startsWith('pg_') && /\bwith\b/i.test(sql);
}

/** Why what depends on it is not cached. */
export function obstacleOf(
  { fullName, name, rowSecurity, unfollowed }: Table,
  forbidden: ReadonlyMap<string, string>,
): string | undefined {
  const entity = forbidden.get(fullName);
  if (entity) {
    return `rows of ${entity}, which is never cached`;
  }
  return rowSecurity ? `row-level security on ${name}` : unfollowed;
}

/** Does the one say of tables, columns and order what the other says? */
export function isSameAnalysis(a: SelectAnalysis, b: SelectAnalysis): boolean {
  return signatureOf(a) === signatureOf(b);
}

function signatureOf({ uses, select, others, opaque }: SelectAnalysis): string {
  return JSON.stringify([
    uses.map(({ table, occurrence }) => [
      table.fullName,
      occurrence.alias,
      occurrence.place,
      occurrence.again,
      occurrence.within,
      occurrence.reads && [...occurrence.reads].sort(),
      occurrence.outsideList && [...occurrence.outsideList].sort(),
      [...occurrence.where].sort(([x], [y]) => (x < y ? -1 : 1)),
    ]),
    select && [select.limited, select.plain, select.nested, select.ordinal, select.order, select.orderKnown],
    others,
    opaque,
  ]);
}
