import type { Condition } from '../../query/condition.js';
import type { Occurrence } from '../../query/dependencies.js';
import { type BoundPlan, BoundPlanner, guardedBy } from './bound_plans.js';
import { joinedRowsAmong } from './joined_rows.js';
import { RangeTable } from './range_table.js';
import type { SelectAnalysis, TableReference } from './select_analysis.js';

export interface Occurrences {
  readonly all: readonly Occurrence[];
  readonly bounds: readonly PlacedBound[];
}

export interface PlacedBound {
  /** index of the occurrence that it is for */
  readonly occurrence: number;
  readonly plan: BoundPlan;
}

/**
 * The occurrences of tables that a query's dependencies are made of: what the SQL says of them, and the condition.
 *
 * @param hasRows does the result consist of rows of the root, and not of their number?
 */
export function occurrencesOf(reading: SelectAnalysis, condition: Condition, hasRows: boolean): Occurrences {
  const places = new RangeTable(reading, condition);
  const planner = hasRows ? new BoundPlanner(places) : undefined;
  const all: Occurrence[] = [];
  const bounds: PlacedBound[] = [];
  const certain = new Map<TableReference, number>();
  for (const [table, uses] of Map.groupBy(places.all, use => use.table)) {
    const sources = places.sourcesOf(table);
    if (sources.length > 1 && sources.length === uses.length && !places.isRepeated(table)) {
      // which source is which of them is not known, but each is one of them
      const reads = readsOf(places, uses);
      all.push(...sources.map(source => ({ table: table.fullName, source, reads })));
      continue;
    }
    for (const use of uses) {
      const plan = planner?.planFor(use);
      if (plan) {
        bounds.push({ occurrence: all.length, plan });
      }
      if (places.isCertain(use)) {
        certain.set(use, all.length);
      }
      all.push({
        table: table.fullName,
        source: places.sourceOf(use),
        reads: readsOf(places, [use]),
        referenced: places.isReferenced(use),
        ...(plan && { bounded: guardedBy(plan) }),
      });
    }
  }
  for (const { row, joinedRow, on } of joinedRowsAmong(places, [...certain.keys()])) {
    const [i, j] = [certain.get(row)!, certain.get(joinedRow)!];
    const { joinedRows = [] } = all[i]!;
    all[i] = {
      ...withBound(
        all[i]!,
        on.map(([own]) => own),
      ),
      joinedRows: [...joinedRows, { occurrence: j, on }],
    };
    all[j] = withBound(
      all[j]!,
      on.map(([, key]) => key),
    );
  }
  return { all, bounds };
}

function withBound(occurrence: Occurrence, columns: readonly string[]): Occurrence {
  return { ...occurrence, bounded: [...(occurrence.bounded ?? []), ...columns] };
}

/**
 * Every column that the text mentions. Left out is one whose mentions are all in conditions that the formula has
 * exactly: then whether a row satisfies them, before and after, says all that there is to say of it.
 */
function readsOf(places: RangeTable, uses: readonly TableReference[]): readonly string[] | undefined {
  const reads = new Set<string>();
  for (const use of uses) {
    if (!use.occurrence.reads || places.arbitrary) {
      return undefined;
    }
    for (const column of [...use.occurrence.reads, ...places.inexactOf(use)]) {
      reads.add(column);
    }
  }
  // what is no column may be a function of the whole row, or what the system keeps about it (`xmin`)
  const { types } = uses[0]!.table;
  return [...reads].every(column => types.has(column)) ? [...reads] : undefined;
}
