import type { JoinedRowKey } from '../../query/watch.js';
import type { Comparable } from '../../values/comparable.js';
import { joinOf, type RangeTable } from './range_table.js';
import type { TableReference } from './table_reference.js';

/** Two references: the rows of one are the joined rows of the other's. */
export interface JoinedPair {
  readonly row: TableReference;
  readonly joinedRow: TableReference;
  readonly on: JoinedRowKey;
}

/**
 * If two tables are joined by the key of one, the rows of that one are the joined rows of the other's. If they share a
 * key, only one side is treated so: otherwise two uncommitted changes could each hide the other.
 */
export function joinedRowsAmong(
  rangeTable: RangeTable,
  references: readonly TableReference[],
): readonly JoinedPair[] {
  if (!rangeTable.select?.single) {
    return [];
  }
  return references.flatMap(one => {
    const { within } = one.occurrence;
    const { on = [] } = joinOf(one) ?? within ?? {};
    const other = references.find(({ occurrence }) => occurrence.alias === on[0]?.alias);
    const isClear =
      other &&
      on.every(({ alias }) => alias === other.occurrence.alias) &&
      [one, other].every(reference => rangeTable.hasOwnAlias(reference));
    if (!isClear) {
      return [];
    }
    const found = [
      joinedPairOf(
        rangeTable,
        one,
        other,
        on.map(({ own, column }) => [own, column]),
      ),
    ];
    // for NOT IN, the outer row matters when the subquery finds no match
    if (!within || other.occurrence.within) {
      found.push(
        joinedPairOf(
          rangeTable,
          other,
          one,
          on.map(({ own, column }) => [column, own]),
        ),
      );
    }
    return found.filter(each => each !== undefined).slice(0, 1);
  });
}

function joinedPairOf(
  rangeTable: RangeTable,
  row: TableReference,
  joinedRow: TableReference,
  columns: JoinedRowKey,
): JoinedPair | undefined {
  const { key, kinds, readable } = joinedRow.table;
  const on = key?.map(column => columns.find(([, own]) => own === column));
  const isFound = ([own, column]: JoinedRowKey[number]) =>
    isAskable(kinds.get(column)) && row.table.kinds.get(own) === kinds.get(column);
  return rangeTable.hasJoinedCondition(joinedRow, row) &&
    readable &&
    on?.every(pair => pair !== undefined && isFound(pair))
    ? { row, joinedRow, on: on as JoinedRowKey }
    : undefined;
}

/** By kind of a key that joined rows are looked up by: a type that its canonical form is a literal of, and that an index supports. */
export const TYPES: Readonly<Partial<Record<Comparable, string>>> = {
  integer: 'bigint',
  text: 'text',
  uuid: 'uuid',
};

export function isAskable(kind: Comparable | undefined): boolean {
  return kind !== undefined && kind in TYPES;
}
