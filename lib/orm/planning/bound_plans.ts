import type { OrderTerm } from '../../query/result_bound.js';
import type {} from '../../sql/select/select.js';
import type { Join } from '../../sql/select/select_result.js';
import { isIdentifying } from '../../values/comparable.js';
import type { Table } from '../catalog/table.js';
import { joinOf, type RangeTable } from './range_table.js';
import type { TableReference } from './select_analysis.js';

/** A bound that can be made of a result, once it is there. */
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

/** Plans what a result that consists of rows of the root will tell of the rows that matter to it. */
export class BoundPlanner {
  readonly #places: RangeTable;

  constructor(places: RangeTable) {
    this.#places = places;
  }

  /** The bound of the rows that stand in one place; `undefined` if there is none. */
  planFor(use: TableReference): BoundPlan | undefined {
    if (!this.#places.select?.plain) {
      return undefined;
    }
    return use === this.#places.root ? this.#ofRoot(use) : this.#containedOf(use);
  }

  #ofRoot(root: TableReference): BoundPlan | undefined {
    const { select, arbitrary, joinsToOne } = this.#places;
    const order = this.#orderOf(root);
    const isPage = select!.limited && (arbitrary || !joinsToOne);
    const filterColumns = this.#isFiltered(root) && !isPage ? this.#filterColumnsOf(root) : undefined;
    if (filterColumns && root.table.key) {
      return { type: 'rows', table: root.table, filterColumns, order };
    }
    return order.length > 0 ? { type: 'window', order } : undefined;
  }

  /**
   * What sorts behind the last of as many rows as LIMIT allows, changes nothing: it is not among them, whatever it is
   * joined to. That holds if each row of the root makes one row of the result at most.
   */
  #orderOf({ occurrence, table: { kinds, orderable } }: TableReference): readonly OrderTerm[] {
    const { select, joinsToOne } = this.#places;
    if (!select!.limited || !joinsToOne) {
      return [];
    }
    const { order } = select!;
    const end = order.findIndex(({ alias, column }) => alias !== occurrence.alias || !orderable.has(column));
    return order
      .slice(0, end < 0 ? undefined : end)
      .map(({ column, desc, nullsFirst }) => ({ column, kind: kinds.get(column)!, desc, nullsFirst }));
  }

  /** Does anything decide about which rows of the root are in the result, beside what their own predicate tells? */
  #isFiltered(root: TableReference): boolean {
    return (
      this.#places.inexactOf(root).length > 0 ||
      this.#places.all.some(
        use => use !== root && (joinOf(use)?.kind !== 'left' || use.occurrence.where.size > 0),
      )
    );
  }

  /**
   * All columns of it that are not just selected, and of which the formula does not say all. While they are what they
   * are, a row does what it did. `undefined` if that cannot be told.
   */
  #filterColumnsOf(use: TableReference): readonly string[] | undefined {
    const { occurrence, table } = use;
    if (!occurrence.outsideList) {
      return undefined;
    }
    const columns = [...new Set([...occurrence.outsideList, ...this.#places.inexactOf(use)])];
    const isKnown = (column: string) => {
      const kind = table.kinds.get(column);
      return kind !== undefined && isIdentifying(kind, table.types.get(column)!);
    };
    return columns.length <= MAX_DECIDING && columns.every(isKnown) ? columns : undefined;
  }

  /**
   * A row that none of the root's rows in the result refers to is not in the result either. It could bring in rows of
   * the root that are not there yet, if the query asks something of it: then its coming to satisfy that counts as well.
   */
  #containedOf(use: TableReference): BoundPlan | undefined {
    const places = this.#places;
    const join = joinOf(use);
    const { root } = places;
    if (
      !join ||
      !root ||
      !places.isAlias(use) ||
      join.on.some(({ alias }) => alias !== root.occurrence.alias)
    ) {
      return undefined;
    }
    const filters = use.occurrence.where.size > 0 || places.sourceOf(use) !== undefined;
    const isOne = places.isReferenced(use) && (places.inexactOf(use).length === 0 || !filters);
    // of rows that refer to the root, one may come to refer to another row of it; where the rows that the joins make are
    // counted, those count that are passed over
    const isMany = join.kind === 'left' && !filters && !places.select!.limited && places.refersToKey(join);
    return (isOne || isMany) && this.#decidesAlone(use)
      ? { type: 'contained', on: join.on, table: use.table, filters, filterColumns: [] }
      : this.#manyOf(use, join);
  }

  /**
   * Of rows that refer to the root, and must be there. One that goes does not bring in the row that it refers to, then:
   * NULL in its place would not do.
   */
  #manyOf(use: TableReference, { kind, on }: Join): BoundPlan | undefined {
    const places = this.#places;
    const filterColumns = this.#filterColumnsOf(use);
    const isNeeded = kind === 'inner' || [use, ...places.hangingFrom(use)].some(each => places.isAsked(each));
    return filterColumns && isNeeded && !places.select!.limited && places.refersToKey({ kind, on })
      ? { type: 'contained', on, table: use.table, filters: true, filterColumns }
      : undefined;
  }

  /**
   * What is joined to it must not decide which rows of the root are in the result, nor, with a LIMIT, may its values or
   * theirs: then a row that is not contained could bring in another one by the row that it leads to.
   */
  #decidesAlone(use: TableReference): boolean {
    const { all, select } = this.#places;
    const { nested, limited, order, orderKnown } = select!;
    if (nested || all.some(({ occurrence }) => !occurrence.place)) {
      return false; // subqueries may look at it
    }
    const hanging = this.#places.hangingFrom(use);
    const orders =
      !orderKnown ||
      order.some(({ alias }) => [use, ...hanging].some(({ occurrence }) => occurrence.alias === alias));
    return (
      !(limited && orders) &&
      hanging.every(other => joinOf(other)!.kind === 'left' && other.occurrence.where.size === 0)
    );
  }
}

/** A step has all of them, before and after. */
const MAX_DECIDING = 8;

/** The columns that a bound looks at. */
export function guardedBy(plan: BoundPlan): readonly string[] {
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
