import type { JoinedRowKey } from '../../query/watch.js';
import type { Comparable } from '../../values/comparable.js';
import { joinOf, type RangeTable } from './range_table.js';
import type { TableReference } from './select_analysis.js';

/** A place, and another whose rows are its rows' joined rows: see `Partner`. */
export interface JoinedPair {
  readonly row: TableReference;
  readonly joinedRow: TableReference;
  readonly on: JoinedRowKey;
}

/**
 * Of two tables that are joined by the key of one, that one's rows are the joined rows of the other's. Where they share a key,
 * only the one's are the other's: of two rows that come to satisfy the query in two transactions, neither would matter as
 * long as the other is not committed.
 */
export function joinedRowsAmong(places: RangeTable, uses: readonly TableReference[]): readonly JoinedPair[] {
  if (!places.select?.plain) {
    return [];
  }
  return uses.flatMap(one => {
    const { within } = one.occurrence;
    const { on = [] } = joinOf(one) ?? within ?? {};
    const other = uses.find(({ occurrence }) => occurrence.alias === on[0]?.alias);
    const isClear =
      other &&
      on.every(({ alias }) => alias === other.occurrence.alias) &&
      [one, other].every(use => places.isAlias(use));
    if (!isClear) {
      return [];
    }
    const found = [
      joinedPairOf(
        places,
        one,
        other,
        on.map(({ own, column }) => [own, column]),
      ),
    ];
    // NOT IN looks for rows outside of whom nothing is found inside
    if (!within || other.occurrence.within) {
      found.push(
        joinedPairOf(
          places,
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
  places: RangeTable,
  row: TableReference,
  joinedRow: TableReference,
  columns: JoinedRowKey,
): JoinedPair | undefined {
  const { key, kinds, readable } = joinedRow.table;
  const on = key?.map(column => columns.find(([, own]) => own === column));
  const isFound = ([own, column]: JoinedRowKey[number]) =>
    isAskable(kinds.get(column)) && row.table.kinds.get(own) === kinds.get(column);
  return places.isAsked(joinedRow) && readable && on?.every(pair => pair !== undefined && isFound(pair))
    ? { row, joinedRow, on: on as JoinedRowKey }
    : undefined;
}

/** Of kinds that joined rows are found by: a type of which their canonical form is a literal, and that an index takes. */
export const TYPES: Readonly<Partial<Record<Comparable, string>>> = {
  integer: 'bigint',
  text: 'text',
  uuid: 'uuid',
};

export function isAskable(kind: Comparable | undefined): boolean {
  return kind !== undefined && kind in TYPES;
}
