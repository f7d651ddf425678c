import { CLOCK, callOf } from '../../sql/select/evaluation.js';
import { readSelect } from '../../sql/select/select.js';
import type { Select, SelectTable, Unanalysable } from '../../sql/select/select_result.js';
import type { Catalog, Table } from '../catalog/table.js';
import { evaluationObstacle } from './evaluation_obstacle.js';
import type { TableReference } from './table_reference.js';

/** The tables that the statements of a read refer to. */
export interface SelectAnalysis {
  /** every reference, in the order of the text */
  readonly references: readonly TableReference[];
  /** the statement, if there is only one */
  readonly select: Select | undefined;
  /** full names of views, foreign tables and other relations that are no plain tables */
  readonly others: readonly string[];
  /** the result may depend on more than this, for which the user has declared tables */
  readonly unanalysable: boolean;
}

/**
 * @param forbidden names of entities that are never cached, by the full names of their tables
 * @param hasDeclaredTables the user has declared the tables behind SQL that cannot be analysed
 * @returns a reason if the tables that are read are not known
 */
export function analyseSelects(
  statements: readonly string[],
  catalog: Catalog,
  forbidden: ReadonlyMap<string, string>,
  hasDeclaredTables = false,
): SelectAnalysis | Unanalysable {
  if (statements.length === 0) {
    return { reason: 'nothing that asks the database' };
  }
  const references: TableReference[] = [];
  const others = new Set<string>();
  let unanalysable = false;
  let only: Select | undefined;
  for (const sql of statements) {
    const select = readSelect(sql, hasDeclaredTables);
    if ('reason' in select) {
      return { reason: select.reason };
    }
    only = statements.length === 1 ? select : undefined;
    unanalysable ||= select.opaque;
    const before = references.length;
    for (const occurrence of select.tables) {
      const table = catalog.resolve(occurrence);
      const obstacle = table ? obstacleOf(table, forbidden) : undefined;
      if (obstacle) {
        return { reason: obstacle };
      }
      if (table?.plain) {
        references.push({ table, occurrence });
      } else if (hasDeclaredTables && (table || mayBeTemporary(occurrence, sql))) {
        others.add(table?.fullName ?? '');
      } else {
        return { reason: `${occurrence.name}, which is not a table` };
      }
    }
    const volatile = [...select.evaluation.calls].find(name => catalog.defined.volatile.has(name));
    if (volatile !== undefined) {
      return { reason: callOf(volatile) };
    }
    const obstacle = evaluationObstacle(select, references.slice(before), catalog);
    if (obstacle !== undefined) {
      if (!hasDeclaredTables || obstacle === CLOCK) {
        return { reason: obstacle };
      }
      unanalysable = true;
    }
  }
  unanalysable ||= others.size > 0;
  others.delete('');
  return references.length > 0 || unanalysable
    ? { references, select: only, others: [...others], unanalysable }
    : { reason: 'no table' };
}

/** The name may be one that WITH defines. A system catalog's name, which begins with `pg_`, is not. */
function mayBeTemporary({ schema, name }: SelectTable, sql: string): boolean {
  return schema === undefined && !name.startsWith('pg_') && /\bwith\b/i.test(sql);
}

/** Why a result that depends on this table is not cached. */
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

/** Whether both find the same tables, columns and order. */
export function isSameAnalysis(a: SelectAnalysis, b: SelectAnalysis): boolean {
  return signatureOf(a) === signatureOf(b);
}

function signatureOf({ references, select, others, unanalysable }: SelectAnalysis): string {
  return JSON.stringify([
    references.map(({ table, occurrence }) => [
      table.fullName,
      occurrence.alias,
      occurrence.place,
      occurrence.again,
      occurrence.within,
      occurrence.inner,
      occurrence.reads && [...occurrence.reads].sort(),
      occurrence.outsideList && [...occurrence.outsideList].sort(),
      [...occurrence.where].sort(([x], [y]) => (x < y ? -1 : 1)),
    ]),
    select && [
      select.limited,
      select.plain,
      select.single,
      select.nested,
      select.ordinal,
      select.order,
      select.orderKnown,
    ],
    others,
    unanalysable,
  ]);
}
