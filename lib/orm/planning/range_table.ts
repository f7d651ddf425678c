import type { Condition } from '../../query/condition.js';
import { disjunctiveForm, type Source } from '../../query/formula.js';
import { holdsForNull, joinedConditions, type Projection, projectionOf } from '../../query/projection.js';
import type { Join, Select } from '../../sql/select/select_result.js';
import type { Table } from '../catalog/table.js';
import type { SelectAnalysis } from './select_analysis.js';
import type { TableReference } from './table_reference.js';

/** The table references of a query: how they are joined, and what the condition requires of each. */
export class RangeTable {
  readonly all: readonly TableReference[];
  readonly select: Select | undefined;
  /** the reference to the table of the result's rows, if it is certain which reference it is */
  readonly root: TableReference | undefined;
  /** the physical order of rows may decide which of them are in the result */
  readonly arbitrary: boolean;
  readonly #condition: Condition;
  readonly #views = new Map<TableReference, Projection | undefined>();

  constructor(analysis: SelectAnalysis, condition: Condition) {
    this.all = analysis.references.filter(reference => !isDuplicate(reference, analysis));
    this.select = analysis.select;
    this.#condition = condition;
    this.root = this.#findRoot();
    this.arbitrary = this.all.length > 0 && !this.#isDetermined();
  }

  sourcesOf({ fullName }: Table): readonly Source[] {
    return this.#condition.sources.filter(({ table }) => table === fullName);
  }

  /** Does the condition use a relation to it more than once? Then there may be more sources than references. */
  isRepeated({ fullName }: Table): boolean {
    return this.#condition.repeated.has(fullName);
  }

  /**
   * Is it certain that the formula's conditions on this table, if any, are about this reference? If there is only one
   * source, it is that of the root.
   */
  isCertain(reference: TableReference): boolean {
    return (
      this.sourcesOf(reference.table).length <= 1 && (reference === this.root || this.#isAlone(reference))
    );
  }

  #isAlone({ table }: TableReference): boolean {
    return this.all.filter(other => other.table === table).length === 1;
  }

  sourceOf(reference: TableReference): Source | undefined {
    return this.isCertain(reference) ? this.sourcesOf(reference.table)[0] : undefined;
  }

  viewOf(reference: TableReference): Projection | undefined {
    if (!this.#views.has(reference)) {
      const source = this.sourceOf(reference);
      this.#views.set(reference, source && projectionOf(this.#condition.formula, source));
    }
    return this.#views.get(reference);
  }

  /** Does the formula have a condition on its rows, which NULL does not satisfy? */
  hasCondition(reference: TableReference): boolean {
    const view = this.viewOf(reference);
    return view !== undefined && view.expression.type !== 'always';
  }

  /** Can its rows exclude the rows of the other reference that are joined to them? */
  hasJoinedCondition(joined: TableReference, other: TableReference): boolean {
    const source = this.sourceOf(joined);
    return (
      source !== undefined &&
      joinedConditions(this.#condition.formula, this.sourceOf(other), source).length > 0
    );
  }

  /** Does NULL in place of a joined row satisfy one of these conditions? */
  acceptsNull(joined: TableReference, other: TableReference): boolean {
    const source = this.sourceOf(joined);
    return (
      source !== undefined &&
      joinedConditions(this.#condition.formula, this.sourceOf(other), source).some(({ expression }) =>
        holdsForNull(expression),
      )
    );
  }

  /** Columns in the WHERE clause whose conditions the formula does not hold exactly. */
  inexactOf(reference: TableReference): readonly string[] {
    const exact = this.viewOf(reference)?.exact;
    return [...reference.occurrence.where].flatMap(([column, mentions]) =>
      exact?.get(column) === mentions ? [] : [column],
    );
  }

  /** The first reference, if it is the only one to its table, or the only one with conditions. */
  #findRoot(): TableReference | undefined {
    const [source] = this.#condition.sources;
    const root = this.all.find(({ occurrence }) => occurrence.place === 'first');
    return source &&
      root?.table.fullName === source.table &&
      this.hasOwnAlias(root) &&
      (this.#isAlone(root) || this.sourcesOf(root.table).length === 1)
      ? root
      : undefined;
  }

  /** Is it the only reference with its alias? */
  hasOwnAlias({ occurrence }: TableReference): boolean {
    return this.all.filter(other => other.occurrence.alias === occurrence.alias).length === 1;
  }

  /**
   * Of rows with equal sort keys, LIMIT takes the first in physical order, and every update may move a row. So unless
   * the order is total, any change of a row matters. The same holds for `row_number()` and the like.
   */
  #isDetermined(): boolean {
    const { select } = this;
    if (!select || select.ordinal) {
      return false;
    }
    if (!select.limited) {
      return true;
    }
    const key = this.root?.table.key;
    if (!key || !select.plain || !this.joinsToOne) {
      return false;
    }
    const { alias } = this.root!.occurrence;
    const ordered = select.order.filter(term => term.alias === alias).map(({ column }) => column);
    return key.every(column => ordered.includes(column)) || this.#isSingle(key);
  }

  /** Does the condition fix the root's key to one value? */
  #isSingle(key: readonly string[]): boolean {
    const { formula, sources } = this.#condition;
    const [conjunction, ...others] = disjunctiveForm(formula, 1);
    const fixed = conjunction?.get(sources[0]!);
    return others.length === 0 && key.every(column => fixed?.has(column));
  }

  /** Is no row of the root joined to more than one row? */
  get joinsToOne(): boolean {
    return this.all.every(
      reference => reference === this.root || reference.occurrence.within || isByKey(reference),
    );
  }

  /** The references that are joined to it, directly or through others. */
  joinedThrough(reference: TableReference): readonly TableReference[] {
    const through = new Set([reference]);
    for (const { occurrence } of through) {
      for (const other of this.all) {
        if (joinOf(other)?.on.some(({ alias }) => alias === occurrence.alias)) {
          through.add(other);
        }
      }
    }
    through.delete(reference);
    return [...through];
  }

  /** Are these columns the root's key? */
  refersToKey(join: Join): boolean {
    const key = this.root!.table.key;
    return (
      key !== undefined &&
      key.length === join.on.length &&
      join.on.every(({ column }) => key.includes(column))
    );
  }

  /** Is it joined to its key by a foreign key that the database enforces? */
  isReferenced(reference: TableReference): boolean {
    const join = joinOf(reference);
    if (!join || !isByKey(reference) || !this.hasOwnAlias(reference)) {
      return false;
    }
    const [{ alias }] = join.on as [Join['on'][number]];
    const from = this.all.filter(({ occurrence }) => occurrence.alias === alias);
    return (
      from.length === 1 &&
      join.on.every(pair => pair.alias === alias) &&
      refers(
        from[0]!.table,
        reference.table,
        join.on.map(({ own, column }) => [column, own]),
      )
    );
  }

  /** Must each row of the root in the result be referred to, by a foreign key that the database enforces? */
  get rootIsReferenced(): boolean {
    const { root } = this;
    return (
      root !== undefined &&
      this.all.some(reference => {
        const on = onOf(reference);
        return (
          reference !== root &&
          this.#isRequired(reference) &&
          on.length > 0 &&
          on.every(({ alias }) => alias === root.occurrence.alias) &&
          refers(
            reference.table,
            root.table,
            on.map(({ own, column }) => [own, column]),
          )
        );
      })
    );
  }

  /**
   * Does each row of the result need a row of it? It does if there is a condition, which NULL does not satisfy, on its
   * rows or on rows that are joined to them: without a row of it, these are NULL or missing as well.
   */
  #isRequired(reference: TableReference): boolean {
    const source = this.sourceOf(reference);
    if (!this.hasOwnAlias(reference)) {
      return false;
    }
    return (
      (source !== undefined && !source.apart && this.hasCondition(reference)) ||
      this.all.some(
        other =>
          other !== this.root &&
          onOf(other).length > 0 &&
          onOf(other).every(({ alias }) => alias === reference.occurrence.alias) &&
          this.#isRequired(other),
      )
    );
  }
}

/** How it is joined, in the outermost FROM or in a subquery; empty if that is not understood. */
function onOf(reference: TableReference): Join['on'] {
  return (joinOf(reference) ?? reference.occurrence.within)?.on ?? [];
}

/** Does the database enforce that rows with these columns refer to rows of the other table? */
function refers(
  { references }: Table,
  { fullName }: Table,
  pairs: readonly (readonly [string, string])[],
): boolean {
  return references.some(
    ({ to, columns }) =>
      to === fullName &&
      columns.length === pairs.length &&
      pairs.every(([from, key]) => columns.some(([left, right]) => left === from && right === key)),
  );
}

/** Does it stand for the row of another reference, with the same key? */
function isDuplicate(
  { occurrence: { again, alias }, table }: TableReference,
  { references }: SelectAnalysis,
): boolean {
  return (
    again !== undefined &&
    table.key?.length === 1 &&
    table.key[0] === again &&
    references.some(
      ({ occurrence, table: outer }) => occurrence.place && occurrence.alias === alias && outer === table,
    )
  );
}

/** How it is joined; `undefined` if the join is not understood. */
export function joinOf({ occurrence }: TableReference): Join | undefined {
  return occurrence.place === 'first' ? undefined : occurrence.place;
}

/** Is it joined by its whole key, and so to one row at most? */
function isByKey(reference: TableReference): boolean {
  const { key } = reference.table;
  const own = joinOf(reference)?.on.map(pair => pair.own);
  return key !== undefined && own !== undefined && key.every(column => own.includes(column));
}
