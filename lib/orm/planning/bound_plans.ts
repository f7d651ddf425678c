import type { OrderTerm } from '../../query/result_bound.js';
import type { Join } from '../../sql/select/select_result.js';
import { isIdentifying } from '../../values/comparable.js';
import type { Table } from '../catalog/table.js';
import { joinOf, type RangeTable } from './range_table.js';
import type { TableReference } from './table_reference.js';

/** A bound that is derived from a result, once the database has given it. */
export type BoundPlan =
  | { readonly type: 'window'; readonly order: readonly OrderTerm[] }
  | {
      readonly type: 'contained';
      /** the pairs of columns by which the rows are joined to the root's */
      readonly on: Join['on'];
      readonly table: Table;
      readonly filters: boolean;
      readonly filterColumns: readonly string[];
    }
  | {
      /** the rows of the root themselves */
      readonly type: 'rows';
      readonly table: Table;
      readonly filterColumns: readonly string[];
      readonly order: readonly OrderTerm[];
    };

/** Plans the bounds of a result that consists of rows of the root. */
export class BoundPlanner {
  readonly #rangeTable: RangeTable;

  constructor(rangeTable: RangeTable) {
    this.#rangeTable = rangeTable;
  }

  /** The bound of the rows of one reference; `undefined` if there is none. */
  planFor(reference: TableReference): BoundPlan | undefined {
    if (!this.#rangeTable.select?.plain) {
      return undefined;
    }
    return reference === this.#rangeTable.root ? this.#ofRoot(reference) : this.#containedOf(reference);
  }

  #ofRoot(root: TableReference): BoundPlan | undefined {
    const { select, arbitrary, joinsToOne } = this.#rangeTable;
    const order = this.#orderOf(root);
    const isPage = select!.limited && (arbitrary || !joinsToOne);
    const filterColumns = this.#isFiltered(root) && !isPage ? this.#filterColumnsOf(root) : undefined;
    if (filterColumns && root.table.key) {
      return { type: 'rows', table: root.table, filterColumns, order };
    }
    return order.length > 0 ? { type: 'window', order } : undefined;
  }

  /**
   * If a result has as many rows as LIMIT allows, a row that sorts behind the last one is not in it, whatever it is
   * joined to. That holds if each row of the root makes at most one row of the result.
   */
  #orderOf({ occurrence, table: { kinds, orderable } }: TableReference): readonly OrderTerm[] {
    const { select, joinsToOne } = this.#rangeTable;
    if (!select!.limited || !joinsToOne) {
      return [];
    }
    const { order } = select!;
    const end = order.findIndex(({ alias, column }) => alias !== occurrence.alias || !orderable.has(column));
    return order
      .slice(0, end < 0 ? undefined : end)
      .map(({ column, desc, nullsFirst }) => ({ column, kind: kinds.get(column)!, desc, nullsFirst }));
  }

  /** Does anything but their own predicate decide which rows of the root are in the result? */
  #isFiltered(root: TableReference): boolean {
    return (
      this.#rangeTable.inexactOf(root).length > 0 ||
      this.#rangeTable.all.some(
        reference =>
          reference !== root && (joinOf(reference)?.kind !== 'left' || reference.occurrence.where.size > 0),
      )
    );
  }

  /**
   * The columns that are used outside of the select list and of the formula's exact conditions. While they do not change,
   * a row matches as it did. `undefined` if they are not known.
   */
  #filterColumnsOf(reference: TableReference): readonly string[] | undefined {
    const { occurrence, table } = reference;
    if (!occurrence.outsideList) {
      return undefined;
    }
    const columns = [...new Set([...occurrence.outsideList, ...this.#rangeTable.inexactOf(reference)])];
    const isKnown = (column: string) => {
      const kind = table.kinds.get(column);
      return kind !== undefined && isIdentifying(kind, table.types.get(column)!);
    };
    return columns.length <= MAX_FILTER_COLUMNS && columns.every(isKnown) ? columns : undefined;
  }

  /**
   * A row that no root row of the result refers to is not in the result. If the query has a condition on it, it could
   * bring in other rows of the root: then a row that begins to satisfy the condition matters, too.
   */
  #containedOf(reference: TableReference): BoundPlan | undefined {
    const rangeTable = this.#rangeTable;
    const join = joinOf(reference);
    const { root } = rangeTable;
    if (
      !join ||
      !root ||
      !rangeTable.hasOwnAlias(reference) ||
      join.on.some(({ alias }) => alias !== root.occurrence.alias)
    ) {
      return undefined;
    }
    const hasConditions = reference.occurrence.where.size > 0 || rangeTable.sourceOf(reference) !== undefined;
    // a row that refers to the root may change to refer to another row of it; and LIMIT and OFFSET count joined rows
    const isMany =
      join.kind === 'left' && !hasConditions && !rangeTable.select!.limited && rangeTable.refersToKey(join);
    if (isMany && this.#decidesAlone(reference)) {
      return { type: 'contained', on: join.on, table: reference.table, filters: false, filterColumns: [] };
    }
    return this.#oneOf(reference, join, hasConditions) ?? this.#manyOf(reference, join);
  }

  /**
   * The bound of rows that the root refers to. If the join is filtered, a row of the root may refer to a row that is
   * not contained because it does not pass: then only columns that decide whether it passes matter.
   */
  #oneOf(reference: TableReference, join: Join, hasConditions: boolean): BoundPlan | undefined {
    const filters = hasConditions || join.filtered;
    const isExact = !join.filtered && this.#rangeTable.inexactOf(reference).length === 0;
    const filterColumns = filters && !isExact ? this.#filterColumnsOf(reference) : [];
    // a missing row may satisfy the conditions, and the row that takes its place may not
    const mayReplaceNull = join.filtered && join.kind === 'left' && hasConditions;
    return filterColumns &&
      !mayReplaceNull &&
      this.#rangeTable.isReferenced(reference) &&
      this.#decidesAlone(reference)
      ? { type: 'contained', on: join.on, table: reference.table, filters, filterColumns }
      : undefined;
  }

  /**
   * The bound of rows that refer to the root and are required: a deleted row does not bring in the row that it referred
   * to, because NULL in its place does not satisfy the query.
   */
  #manyOf(reference: TableReference, join: Join): BoundPlan | undefined {
    const rangeTable = this.#rangeTable;
    const filterColumns = this.#filterColumnsOf(reference);
    const isNeeded =
      join.kind === 'inner' ||
      [reference, ...rangeTable.joinedThrough(reference)].some(each => rangeTable.hasCondition(each));
    return filterColumns && isNeeded && !rangeTable.select!.limited && rangeTable.refersToKey(join)
      ? { type: 'contained', on: join.on, table: reference.table, filters: true, filterColumns }
      : undefined;
  }

  /**
   * The references joined through it must not decide which rows of the root are in the result, nor, with a LIMIT, in
   * which order: otherwise a row that is not contained could bring in another one.
   */
  #decidesAlone(reference: TableReference): boolean {
    const { all, select } = this.#rangeTable;
    const { inSubqueries, limited, order, orderKnown } = select!;
    const through = this.#rangeTable.joinedThrough(reference);
    const group = [reference, ...through];
    const mayBeUsed = group.some(
      ({ occurrence: { alias, outsideList } }) => !outsideList || inSubqueries.has(alias),
    );
    if (mayBeUsed || all.some(({ occurrence }) => !occurrence.place && !occurrence.inner)) {
      return false; // a subquery, or a join that is not understood, may use them
    }
    const orders =
      !orderKnown || order.some(({ alias }) => group.some(({ occurrence }) => occurrence.alias === alias));
    return (
      !(limited && orders) &&
      through.every(other => joinOf(other)!.kind === 'left' && other.occurrence.where.size === 0)
    );
  }
}

/** A row delta holds all of them, before and after. */
const MAX_FILTER_COLUMNS = 8;

/** The columns that a bound compares. */
export function columnsOfBound(plan: BoundPlan): readonly string[] {
  const order = plan.type === 'contained' ? [] : plan.order.map(({ column }) => column);
  switch (plan.type) {
    case 'window':
      return order;
    case 'rows':
      return [...plan.table.key!, ...plan.filterColumns, ...order];
    default:
      return [...plan.on.map(({ own }) => own), ...plan.filterColumns];
  }
}
