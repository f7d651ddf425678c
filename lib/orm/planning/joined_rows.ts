import type { JoinedRowKey } from '../../query/watch.js';
import type { Comparable } from '../../values/comparable.js';
import { joinOf, type RangeTable } from './range_table.js';
import type { TableReference } from './table_reference.js';

/** Two references: the rows of one can be looked up for a row of the other. */
export interface JoinedPair {
  readonly row: TableReference;
  readonly joinedRow: TableReference;
  readonly on: JoinedRowKey;
  readonly isMany: boolean;
}

/** The pairs of joined tables, of which one has a condition and can be looked up by the columns of the join. */
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
    const toOther = joinedPairOf(
      rangeTable,
      one,
      other,
      on.map(({ own, column }) => [own, column]),
    );
    const toOne = joinedPairOf(
      rangeTable,
      other,
      one,
      on.map(({ own, column }) => [column, own]),
    );
    // for `$none` and `$every`, the outer row matters when the subquery finds no match
    const isNeeded =
      !within || !rangeTable.sourceOf(one)?.apart || (other.occurrence.within && !toOne?.isMany);
    return [toOther, isNeeded ? toOne : undefined].filter(each => each !== undefined);
  });
}

function joinedPairOf(
  rangeTable: RangeTable,
  row: TableReference,
  joinedRow: TableReference,
  columns: JoinedRowKey,
): JoinedPair | undefined {
  const { table } = joinedRow;
  const byKey = table.key?.map(column => columns.find(([, own]) => own === column));
  const isMany = byKey?.includes(undefined) ?? true;
  const on = isMany ? columns : (byKey as JoinedRowKey);
  const join = joinOf(joinedRow);
  const mayBeMissing = isMany ? join?.kind !== 'inner' : join?.kind === 'left' && join.filtered;
  const isFound = ([own, column]: JoinedRowKey[number]) =>
    isAskable(table.kinds.get(column)) && row.table.kinds.get(own) === table.kinds.get(column);
  return table.key &&
    table.readable &&
    on.every(isFound) &&
    (!isMany || isIndexed(table.indexed, on)) &&
    rangeTable.hasJoinedCondition(joinedRow, row) &&
    !(mayBeMissing && rangeTable.acceptsNull(joinedRow, row))
    ? { row, joinedRow, on, isMany }
    : undefined;
}

/** Does an index begin with these columns? Otherwise a lookup may read the whole table. */
function isIndexed(indexed: readonly (readonly (string | null)[])[], on: JoinedRowKey): boolean {
  const columns = new Set(on.map(([, column]) => column));
  return indexed.some(index => {
    const first = index.slice(0, columns.size);
    return first.length === columns.size && first.every(column => column !== null && columns.has(column));
  });
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
