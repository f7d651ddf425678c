import type { Condition } from '../../query/condition.js';
import { disjunctiveForm, type Source } from '../../query/formula.js';
import { type Projection, projectionOf } from '../../query/projection.js';
import type {} from '../../sql/select/select.js';
import type { Join, Select } from '../../sql/select/select_result.js';
import type { Table } from '../catalog/table.js';
import type { SelectAnalysis, TableReference } from './select_analysis.js';

/** How the places in a query's SQL where tables stand hang together, and what the condition says of them. */
export class RangeTable {
  readonly all: readonly TableReference[];
  readonly select: Select | undefined;
  /** the table that the result's rows are of, if it is certain which it is in the text */
  readonly root: TableReference | undefined;
  /** Is it left to where rows stand which of them are in the result? */
  readonly arbitrary: boolean;
  readonly #condition: Condition;
  readonly #views = new Map<TableReference, Projection | undefined>();

  constructor(reading: SelectAnalysis, condition: Condition) {
    this.all = reading.uses.filter(use => !isAgain(use, reading));
    this.select = reading.select;
    this.#condition = condition;
    this.root = this.#findRoot();
    this.arbitrary = this.all.length > 0 && !this.#isDetermined();
  }

  sourcesOf({ fullName }: Table): readonly Source[] {
    return this.#condition.sources.filter(({ table }) => table === fullName);
  }

  /** Does the condition go through a relation to it more than once? Then there may be more sources than places. */
  isRepeated({ fullName }: Table): boolean {
    return this.#condition.repeated.has(fullName);
  }

  /** Is it certain that what the formula says of its table, if anything, it says of this place? */
  isCertain({ table }: TableReference): boolean {
    return this.sourcesOf(table).length <= 1 && this.all.filter(other => other.table === table).length === 1;
  }

  sourceOf(use: TableReference): Source | undefined {
    return this.isCertain(use) ? this.sourcesOf(use.table)[0] : undefined;
  }

  viewOf(use: TableReference): Projection | undefined {
    if (!this.#views.has(use)) {
      const source = this.sourceOf(use);
      this.#views.set(use, source && projectionOf(this.#condition.formula, source));
    }
    return this.#views.get(use);
  }

  /** Does the formula ask something of its rows that NULL does not satisfy? */
  isAsked(use: TableReference): boolean {
    const view = this.viewOf(use);
    return view !== undefined && view.expression.type !== 'always';
  }

  /** Columns of its WHERE of which the formula does not say all. */
  inexactOf(use: TableReference): readonly string[] {
    const exact = this.viewOf(use)?.exact;
    return [...use.occurrence.where].flatMap(([column, mentions]) =>
      exact?.get(column) === mentions ? [] : [column],
    );
  }

  /** The first, if it stands there once. */
  #findRoot(): TableReference | undefined {
    const [source] = this.#condition.sources;
    const root = this.all.find(({ occurrence }) => occurrence.place === 'first');
    const alone = this.all.filter(({ table }) => table === root?.table).length === 1;
    return source && alone && root?.table.fullName === source.table && this.isAlias(root) ? root : undefined;
  }

  /** Does no other table have its alias? */
  isAlias({ occurrence }: TableReference): boolean {
    return this.all.filter(other => other.occurrence.alias === occurrence.alias).length === 1;
  }

  /**
   * Of rows that are equal to ORDER BY, LIMIT takes those that come first where they stand, and every update may move a
   * row. So if it is not certain which rows are taken, any change of one matters; and so it does to what tells of their
   * order in other ways.
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

  /** Does the condition fix the root's key? */
  #isSingle(key: readonly string[]): boolean {
    const { formula, sources } = this.#condition;
    const [conjunction, ...others] = disjunctiveForm(formula, 1);
    const fixed = conjunction?.get(sources[0]!);
    return others.length === 0 && key.every(column => fixed?.has(column));
  }

  /** Is no row of the root joined to more than one row? */
  get joinsToOne(): boolean {
    return this.all.every(use => use === this.root || use.occurrence.within || isByKey(use));
  }

  /** What is joined to it, what is joined to that, and so on. */
  hangingFrom(use: TableReference): readonly TableReference[] {
    const hanging = new Set([use]);
    for (const { occurrence } of hanging) {
      for (const other of this.all) {
        if (joinOf(other)?.on.some(({ alias }) => alias === occurrence.alias)) {
          hanging.add(other);
        }
      }
    }
    hanging.delete(use);
    return [...hanging];
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

  /** Is it joined by a foreign key which leads to its key, and in which the database can be trusted? */
  isReferenced(use: TableReference): boolean {
    const join = joinOf(use);
    if (!join || !isByKey(use) || !this.isAlias(use)) {
      return false;
    }
    const [{ alias }] = join.on as [Join['on'][number]];
    const from = this.all.filter(({ occurrence }) => occurrence.alias === alias);
    return (
      from.length === 1 &&
      join.on.every(pair => pair.alias === alias) &&
      from[0]!.table.references.some(
        ({ to, columns }) =>
          to === use.table.fullName &&
          columns.length === join.on.length &&
          join.on.every(({ own, column }) =>
            columns.some(([left, right]) => left === column && right === own),
          ),
      )
    );
  }
}

/** Is its row that of another place, by the same key? */
function isAgain({ occurrence: { again, alias }, table }: TableReference, { uses }: SelectAnalysis): boolean {
  return (
    again !== undefined &&
    table.key?.length === 1 &&
    table.key[0] === again &&
    uses.some(
      ({ occurrence, table: outer }) => occurrence.place && occurrence.alias === alias && outer === table,
    )
  );
}

/** How it is joined, in a way that is understood. */
export function joinOf({ occurrence }: TableReference): Join | undefined {
  return occurrence.place === 'first' ? undefined : occurrence.place;
}

/** Is it joined by its whole key, so to one row at most? */
function isByKey(use: TableReference): boolean {
  const { key } = use.table;
  const own = joinOf(use)?.on.map(pair => pair.own);
  return key !== undefined && own !== undefined && key.every(column => own.includes(column));
}
