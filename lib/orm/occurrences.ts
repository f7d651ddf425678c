import type { Condition } from '../query/condition.js';
import type { Occurrence } from '../query/dependencies.js';
import { disjunctiveForm, type Source } from '../query/formula.js';
import type { OrderTerm } from '../query/guard.js';
import type { PartnerKey } from '../query/partner.js';
import type { Join } from '../query/select.js';
import { type View, viewOf } from '../query/view.js';
import { tellsAll } from '../values/comparable.js';
import type { Table } from './catalog.js';
import { isAskable } from './partner_rows.js';
import type { Reading, Use } from './reading.js';

/** A guard that can be made of a result, once it is there. */
export type GuardPlan =
  | { readonly type: 'window'; readonly occurrence: number; readonly order: readonly OrderTerm[] }
  | {
      readonly type: 'contained';
      readonly occurrence: number;
      /** the pairs of columns by which the rows are joined to the root's */
      readonly on: Join['on'];
      readonly table: Table;
      readonly filters: boolean;
      readonly deciding: readonly string[];
    }
  | {
      /** the rows of the root themselves */
      readonly type: 'rows';
      readonly occurrence: number;
      readonly table: Table;
      readonly deciding: readonly string[];
      readonly order: readonly OrderTerm[];
    };

export interface Occurrences {
  readonly all: readonly Occurrence[];
  readonly guards: readonly GuardPlan[];
}

/**
 * The occurrences of tables that a query's dependencies are made of: what the SQL says of them, and the condition.
 *
 * @param hasRows does the result consist of rows of the root, and not of their number?
 */
export function occurrencesOf(reading: Reading, condition: Condition, hasRows: boolean): Occurrences {
  return new OccurrenceFinder(reading, condition, hasRows).find();
}

/** An occurrence of which it is certain where in the text it stands. */
interface Certain {
  readonly use: Use;
  readonly index: number;
}

class OccurrenceFinder {
  readonly #reading: Reading;
  readonly #condition: Condition;
  readonly #hasRows: boolean;
  readonly #root: Use | undefined;
  /** Is it left to where rows stand which of them are in the result? */
  readonly #arbitrary: boolean;
  readonly #all: Occurrence[] = [];
  readonly #guards: GuardPlan[] = [];
  readonly #certain: Certain[] = [];
  readonly #views = new Map<Use, View | undefined>();

  constructor(reading: Reading, condition: Condition, hasRows: boolean) {
    this.#reading = { ...reading, uses: reading.uses.filter(use => !isAgain(use, reading)) };
    this.#condition = condition;
    this.#hasRows = hasRows;
    this.#root = this.#findRoot();
    this.#arbitrary = reading.uses.length > 0 && !this.#isDetermined();
  }

  find(): Occurrences {
    const byTable = Map.groupBy(this.#reading.uses, ({ table }) => table);
    for (const [table, uses] of byTable) {
      const sources = this.#sourcesOf(table);
      if (sources.length > 1 && sources.length === uses.length && !this.#isRepeated(table)) {
        // which source is which of them is not known, but each is one of them
        const reads = this.#readsOf(uses);
        this.#all.push(...sources.map(source => ({ table: table.fullName, source, reads })));
      } else {
        for (const use of uses) {
          this.#add(use);
        }
      }
    }
    this.#addPartners();
    return { all: this.#all, guards: this.#guards };
  }

  #sourcesOf({ fullName }: Table): readonly Source[] {
    return this.#condition.sources.filter(({ table }) => table === fullName);
  }

  #isRepeated({ fullName }: Table): boolean {
    return this.#condition.repeated.has(fullName);
  }

  /** Is it certain that what the formula says of its table, if anything, it says of this place? */
  #isCertain({ table }: Use): boolean {
    return (
      this.#sourcesOf(table).length <= 1 &&
      this.#reading.uses.filter(other => other.table === table).length === 1
    );
  }

  #viewOf(use: Use): View | undefined {
    if (!this.#views.has(use)) {
      const [source] = this.#isCertain(use) ? this.#sourcesOf(use.table) : [];
      this.#views.set(use, source && viewOf(this.#condition.formula, source));
    }
    return this.#views.get(use);
  }

  /** Does the formula ask something of its rows that NULL does not satisfy? */
  #isAsked(use: Use): boolean {
    const view = this.#viewOf(use);
    return view !== undefined && view.expression.type !== 'always';
  }

  #add(use: Use): void {
    const exact = this.#viewOf(use)?.exact;
    const occurrence = this.#all.length;
    const referenced = this.#isReferenced(use);
    const guard = use === this.#root ? this.#ofRoot(use, exact) : this.#containedOf(use, exact, referenced);
    if (guard) {
      const { columns, ...plan } = guard;
      this.#guards.push({ ...plan, occurrence } as GuardPlan);
    }
    if (this.#isCertain(use)) {
      this.#certain.push({ use, index: occurrence });
    }
    this.#all.push({
      table: use.table.fullName,
      source: this.#isCertain(use) ? this.#sourcesOf(use.table)[0] : undefined,
      reads: this.#readsOf([use], exact),
      referenced,
      ...(guard && { guarded: guard.columns }),
    });
  }

  /** Of two tables that are joined by the key of one, that one's rows are the partners of the other's. */
  #addPartners(): void {
    if (!this.#reading.select?.plain) {
      return;
    }
    for (const one of this.#certain) {
      const { within } = one.use.said;
      const join = joinOf(one.use) ?? within;
      const [alias, ...others] = new Set(join?.on.map(pair => pair.alias));
      const other = this.#certain.find(({ use }) => use.said.alias === alias);
      if (!other || others.length > 0 || !this.#isAlias(one.use) || !this.#isAlias(other.use)) {
        continue;
      }
      const { on } = join!;
      // NOT IN looks for rows outside of whom nothing is found inside
      if (!within || other.use.said.within) {
        this.#addPartner(
          other,
          one,
          on.map(({ own, column }) => [column, own]),
        );
      }
      this.#addPartner(
        one,
        other,
        on.map(({ own, column }) => [own, column]),
      );
    }
  }

  #addPartner(row: Certain, partner: Certain, columns: PartnerKey): void {
    const { key, kinds, readable } = partner.use.table;
    const on = key?.map(column => columns.find(([, own]) => own === column));
    const isFound = ([own, column]: PartnerKey[number]) =>
      isAskable(kinds.get(column)) && row.use.table.kinds.get(own) === kinds.get(column);
    if (!this.#isAsked(partner.use) || !readable || !on?.every(pair => pair !== undefined && isFound(pair))) {
      return;
    }
    const pairs = on as PartnerKey;
    this.#guard(
      row.index,
      pairs.map(([own]) => own),
    );
    this.#guard(
      partner.index,
      pairs.map(([, column]) => column),
    );
    const { partners = [] } = this.#all[row.index]!;
    this.#all[row.index] = {
      ...this.#all[row.index]!,
      partners: [...partners, { occurrence: partner.index, on: pairs }],
    };
  }

  #guard(index: number, columns: readonly string[]): void {
    const occurrence = this.#all[index]!;
    this.#all[index] = { ...occurrence, guarded: [...(occurrence.guarded ?? []), ...columns] };
  }

  /**
   * Every column that the text mentions. Left out is one whose mentions are all in conditions that the formula has
   * exactly: then whether a row satisfies them, before and after, says all that there is to say of it.
   */
  #readsOf(uses: readonly Use[], exact?: ReadonlyMap<string, number>): string[] | undefined {
    const reads = new Set<string>();
    for (const { said } of uses) {
      if (!said.reads || this.#arbitrary) {
        return undefined;
      }
      for (const column of said.reads) {
        reads.add(column);
      }
      for (const [column, mentions] of said.where) {
        if (exact?.get(column) !== mentions) {
          reads.add(column);
        }
      }
    }
    // what is no column may be a function of the whole row, or what the system keeps about it (`xmin`)
    const { types } = uses[0]!.table;
    return [...reads].every(column => types.has(column)) ? [...reads] : undefined;
  }

  /** The table that the result's rows are of, if it is certain which it is in the text. */
  #findRoot(): Use | undefined {
    const [source] = this.#condition.sources;
    const root = this.#reading.uses.find(({ said }) => said.place === 'first');
    const alone = this.#reading.uses.filter(({ table }) => table === root?.table).length === 1;
    return source && alone && root?.table.fullName === source.table && this.#isAlias(root) ? root : undefined;
  }

  /** Does no other table have its alias? */
  #isAlias({ said }: Use): boolean {
    return this.#reading.uses.filter(other => other.said.alias === said.alias).length === 1;
  }

  /**
   * Of rows that are equal to ORDER BY, LIMIT takes those that come first where they stand, and every update may move a
   * row. So if it is not certain which rows are taken, any change of one matters; and so it does to what tells of their
   * order in other ways.
   */
  #isDetermined(): boolean {
    const { select } = this.#reading;
    if (!select || select.ordinal) {
      return false;
    }
    if (!select.limited) {
      return true;
    }
    const key = this.#root?.table.key;
    if (!key || !select.plain || !this.#joinsToOne()) {
      return false;
    }
    const { alias } = this.#root!.said;
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
  #joinsToOne(): boolean {
    return this.#reading.uses.every(use => use === this.#root || use.said.within || isByKey(use));
  }

  #ofRoot(root: Use, exact: ReadonlyMap<string, number> | undefined) {
    const window = this.#windowOf(root);
    const deciding = this.#isSifted(root, exact) ? this.#decidingOf(root, exact) : undefined;
    const { key } = root.table;
    const { select } = this.#reading;
    const isPage = select?.limited && (this.#arbitrary || !this.#joinsToOne());
    if (!deciding || !key || !this.#hasRows || !select?.plain || isPage) {
      return window;
    }
    return {
      type: 'rows' as const,
      table: root.table,
      deciding,
      order: window?.order ?? [],
      columns: [...key, ...deciding, ...(window?.columns ?? [])],
    };
  }

  /** Does anything decide about which rows of the root are in the result, beside what their own predicate tells? */
  #isSifted(root: Use, exact: ReadonlyMap<string, number> | undefined): boolean {
    return (
      [...root.said.where].some(([column, mentions]) => exact?.get(column) !== mentions) ||
      this.#reading.uses.some(
        use => use !== root && (joinOf(use)?.kind !== 'left' || use.said.where.size > 0),
      )
    );
  }

  /**
   * All columns of it that are not just selected, and of which the formula does not say all. While they are what they
   * are, a row does what it did. `undefined` if that cannot be told.
   */
  #decidingOf({ said, table }: Use, exact: ReadonlyMap<string, number> | undefined): string[] | undefined {
    if (!said.besides) {
      return undefined;
    }
    const inexact = [...said.where].flatMap(([column, mentions]) =>
      exact?.get(column) === mentions ? [] : [column],
    );
    const columns = [...new Set([...said.besides, ...inexact])];
    const isKnown = (column: string) => {
      const kind = table.kinds.get(column);
      return kind !== undefined && tellsAll(kind, table.types.get(column)!);
    };
    return columns.length <= MAX_DECIDING && columns.every(isKnown) ? columns : undefined;
  }

  /**
   * What sorts behind the last of as many rows as LIMIT allows, changes nothing: it is not among them, whatever it is
   * joined to. That holds if each row of the root makes one row of the result at most.
   */
  #windowOf(
    root: Use,
  ): { type: 'window'; order: readonly OrderTerm[]; columns: readonly string[] } | undefined {
    const { select } = this.#reading;
    if (!this.#hasRows || !select?.limited || !select.plain || !this.#joinsToOne()) {
      return undefined;
    }
    const { kinds, orderable } = root.table;
    const end = select.order.findIndex(
      ({ alias, column }) => alias !== root.said.alias || !orderable.has(column),
    );
    const order = select.order
      .slice(0, end < 0 ? undefined : end)
      .map(({ column, desc, nullsFirst }) => ({ column, kind: kinds.get(column)!, desc, nullsFirst }));
    return order.length > 0
      ? { type: 'window', order, columns: order.map(({ column }) => column) }
      : undefined;
  }

  /**
   * A row that none of the root's rows in the result refers to is not in the result either. It could bring in rows of
   * the root that are not there yet, if the query asks something of it: then its coming to satisfy that counts as well.
   */
  #containedOf(use: Use, exact: ReadonlyMap<string, number> | undefined, referenced: boolean) {
    const { select } = this.#reading;
    const join = joinOf(use);
    if (!this.#hasRows || !select?.plain || !join || !this.#root || !this.#isAlias(use)) {
      return undefined;
    }
    if (join.on.some(({ alias }) => alias !== this.#root!.said.alias)) {
      return undefined;
    }
    if (!this.#decidesAlone(use)) {
      return this.#manyOf(use, join, exact);
    }
    const understood = [...use.said.where].every(([column, mentions]) => exact?.get(column) === mentions);
    const filters = use.said.where.size > 0 || exact !== undefined;
    const isOne = referenced && (understood || !filters);
    // of rows that refer to the root, one may come to refer to another row of it
    const isMany = join.kind === 'left' && !filters && this.#refersToKey(join);
    return isOne || isMany
      ? {
          type: 'contained' as const,
          on: join.on,
          table: use.table,
          filters,
          deciding: [],
          columns: join.on.map(({ own }) => own),
        }
      : this.#manyOf(use, join, exact);
  }

  /**
   * Of rows that refer to the root, and must be there. One that goes does not bring in the row that it refers to, then:
   * NULL in its place would not do.
   */
  #manyOf(use: Use, join: Join, exact: ReadonlyMap<string, number> | undefined) {
    const { select } = this.#reading;
    const deciding = this.#decidingOf(use, exact);
    return deciding && !select!.limited && this.#refersToKey(join) && this.#isNeeded(use)
      ? {
          type: 'contained' as const,
          on: join.on,
          table: use.table,
          filters: true,
          deciding,
          columns: [...join.on.map(({ own }) => own), ...deciding],
        }
      : undefined;
  }

  #isNeeded(use: Use): boolean {
    return (
      joinOf(use)?.kind === 'inner' ||
      this.#isAsked(use) ||
      this.#hangingFrom(use).some(each => this.#isAsked(each))
    );
  }

  /** What is joined to it, what is joined to that, and so on. */
  #hangingFrom(use: Use): readonly Use[] {
    const hanging = new Set([use]);
    for (const { said } of hanging) {
      for (const other of this.#reading.uses) {
        if (joinOf(other)?.on.some(({ alias }) => alias === said.alias)) {
          hanging.add(other);
        }
      }
    }
    hanging.delete(use);
    return [...hanging];
  }

  /**
   * What is joined to it must not decide which rows of the root are in the result, nor, with a LIMIT, may its values or
   * theirs: then a row that is not contained could bring in another one by the row that it leads to.
   */
  #decidesAlone(use: Use): boolean {
    const { uses, select } = this.#reading;
    if (select!.nested || uses.some(({ said }) => !said.place)) {
      return false; // subqueries may look at it
    }
    const hanging = this.#hangingFrom(use);
    const orders =
      !select!.orderKnown ||
      select!.order.some(({ alias }) => [use, ...hanging].some(({ said }) => said.alias === alias));
    return (
      !(select!.limited && orders) &&
      hanging.every(other => joinOf(other)!.kind === 'left' && other.said.where.size === 0)
    );
  }

  #refersToKey(join: Join): boolean {
    const key = this.#root!.table.key;
    return (
      key !== undefined &&
      key.length === join.on.length &&
      join.on.every(({ column }) => key.includes(column))
    );
  }

  /** Is it joined by a foreign key which leads to its key, and in which the database can be trusted? */
  #isReferenced(use: Use): boolean {
    const join = joinOf(use);
    if (!join || !isByKey(use) || !this.#isAlias(use)) {
      return false;
    }
    const [{ alias }] = join.on as [Join['on'][number]];
    const from = this.#reading.uses.filter(({ said }) => said.alias === alias);
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
function isAgain({ said: { again, alias }, table }: Use, { uses }: Reading): boolean {
  return (
    again !== undefined &&
    table.key?.length === 1 &&
    table.key[0] === again &&
    uses.some(({ said, table: outer }) => said.place && said.alias === alias && outer === table)
  );
}

/** A step has all of them, before and after. */
const MAX_DECIDING = 8;

function joinOf({ said }: Use): Join | undefined {
  return said.place === 'first' ? undefined : said.place;
}

/** Is it joined by its whole key, so to one row at most? */
function isByKey(use: Use): boolean {
  const { key } = use.table;
  const own = joinOf(use)?.on.map(pair => pair.own);
  return key !== undefined && own !== undefined && key.every(column => own.includes(column));
}
