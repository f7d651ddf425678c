import type { Condition } from '../../query/condition.js';
import type { JoinedColumn, Occurrence } from '../../query/dependencies.js';
import { ALL_COLUMNS } from '../../values/scheme.js';
import { type BoundPlan, BoundPlanner, columnsOfBound } from './bound_plans.js';
import { isAskable, joinedRowsAmong } from './joined_rows.js';
import { joinOf, RangeTable } from './range_table.js';
import type { SelectAnalysis } from './select_analysis.js';
import type { TableReference } from './table_reference.js';

export interface Occurrences {
  readonly all: readonly Occurrence[];
  readonly bounds: readonly PlacedBound[];
}

export interface PlacedBound {
  /** index of its occurrence */
  readonly occurrence: number;
  readonly plan: BoundPlan;
}

/**
 * The occurrences of tables that a query's dependencies are derived from, with what the SQL and the condition tell of
 * each.
 *
 * @param hasRows the result consists of rows of the root, and not of their number
 */
export function occurrencesOf(analysis: SelectAnalysis, condition: Condition, hasRows: boolean): Occurrences {
  const rangeTable = new RangeTable(analysis, condition);
  const planner = hasRows ? new BoundPlanner(rangeTable) : undefined;
  const all: Occurrence[] = [];
  const bounds: PlacedBound[] = [];
  const indexes = new Map<TableReference, number>();
  for (const [table, references] of Map.groupBy(rangeTable.all, reference => reference.table)) {
    const sources = rangeTable.sourcesOf(table);
    if (sources.length > 1 && sources.length === references.length && !rangeTable.isRepeated(table)) {
      // each source is one of the references, though it is not known which
      const reads = readsOf(rangeTable, references);
      all.push(...sources.map(source => ({ table: table.fullName, source, reads })));
      continue;
    }
    for (const reference of references) {
      const plan = planner?.planFor(reference);
      if (plan) {
        bounds.push({ occurrence: all.length, plan });
      }
      indexes.set(reference, all.length);
      all.push({
        table: table.fullName,
        source: rangeTable.sourceOf(reference),
        reads: readsOf(rangeTable, [reference]),
        referenced:
          rangeTable.isReferenced(reference) ||
          (reference === rangeTable.root && rangeTable.rootIsReferenced),
        ...(plan && { bounded: columnsOfBound(plan) }),
      });
    }
  }
  for (const [reference, index] of indexes) {
    const joins = joinsOf(rangeTable, reference, indexes);
    if (joins.length > 0) {
      all[index] = { ...all[index]!, joins };
    }
  }
  const certain = [...indexes.keys()].filter(reference => rangeTable.isCertain(reference));
  for (const { row, joinedRow, on, isMany } of joinedRowsAmong(rangeTable, certain)) {
    const [i, j] = [indexes.get(row)!, indexes.get(joinedRow)!];
    const { joinedRows = [] } = all[i]!;
    all[i] = {
      ...withBound(
        all[i]!,
        on.map(([own]) => own),
      ),
      joinedRows: [...joinedRows, { occurrence: j, on, isMany }],
    };
    all[j] = withBound(
      all[j]!,
      on.map(([, column]) => column),
    );
  }
  return { all, bounds };
}

/** The columns by which it is joined to other references, if JavaScript compares them as the database does. */
function joinsOf(
  rangeTable: RangeTable,
  reference: TableReference,
  indexes: ReadonlyMap<TableReference, number>,
): readonly JoinedColumn[] {
  const { on = [] } = joinOf(reference) ?? reference.occurrence.within ?? {};
  if (!rangeTable.hasOwnAlias(reference)) {
    return [];
  }
  const source = rangeTable.sourceOf(reference);
  return on.flatMap(({ own, alias, column }) => {
    const other = rangeTable.all.find(({ occurrence }) => occurrence.alias === alias);
    const index = other && rangeTable.hasOwnAlias(other) ? indexes.get(other) : undefined;
    const kind = reference.table.kinds.get(own);
    return index !== undefined && isAskable(kind) && kind === other!.table.kinds.get(column)
      ? [{ own, occurrence: index, column, decides: !source?.apart }]
      : [];
  });
}

function withBound(occurrence: Occurrence, columns: readonly string[]): Occurrence {
  return { ...occurrence, bounded: [...(occurrence.bounded ?? []), ...columns] };
}

/**
 * Every column that the text mentions, except a column whose mentions are all in conditions that the formula holds
 * exactly: a change of such a column matters only if a row begins or ceases to satisfy the conditions.
 */
function readsOf(
  rangeTable: RangeTable,
  references: readonly TableReference[],
): readonly string[] | undefined {
  const reads = new Set<string>();
  for (const reference of references) {
    if (!reference.occurrence.reads || rangeTable.arbitrary) {
      return undefined;
    }
    for (const column of [...reference.occurrence.reads, ...rangeTable.inexactOf(reference)]) {
      reads.add(column);
    }
  }
  const hasAll = reads.delete(ALL_COLUMNS);
  // a name that is no column may be a function of the whole row, or a system column (`xmin`)
  const { types } = references[0]!.table;
  const areKnown = [...reads].every(column => types.has(column));
  return areKnown ? (hasAll ? [ALL_COLUMNS] : [...reads]) : undefined;
}
