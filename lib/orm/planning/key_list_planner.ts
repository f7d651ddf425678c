import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { LRUCache } from 'lru-cache';
import { type Key, type KeyList, withKeys } from '../../query/key_list.js';
import { isReversible, isSortable, type KeyColumn, type RowOrder } from '../../query/key_rows.js';
import { serialiseQuery } from '../../query/serialise.js';
import type { Table } from '../catalog/table.js';
import type { NotCacheable, Planned, ReadCall } from './plan.js';
import { IRRELEVANT } from './relevant_options.js';
import { scalarOf } from './result_bounds.js';
import type { SelectAnalysis } from './select_analysis.js';

/** A find that may be made with another condition. */
export interface ListCall extends ReadCall {
  readonly runWith: (where: unknown) => Promise<unknown>;
}

/** The plans of a find by a list of keys. */
export interface KeyPlans {
  /** one for each key, in the order of the list */
  readonly plans: readonly Planned[];
  readonly family: Family;
}

/** What finds that differ in their keys only have in common. */
export interface Family {
  readonly column: KeyColumn;
  /** its ORDER BY; empty: it has none */
  readonly order: readonly RowOrder[];
  /** a row had an unknown key: these finds are not split again */
  isWhole: boolean;
}

interface Known {
  readonly id: number;
  /** `undefined`: the result is not the sum of the results of its keys */
  family: Family | undefined;
}

export interface KeyPlannerParts {
  readonly tableOf: (call: ReadCall) => Table | undefined;
  /** all that decides about its plan besides condition and options */
  readonly describe: (call: ReadCall) => string;
  readonly plan: (call: ReadCall) => Planned | NotCacheable | Promise<Planned | NotCacheable>;
}

/** The planner itself keeps most of these plans, too. */
const MAX_PLANS = 10_000;
const MAX_FAMILIES = 1000;

/**
 * Splits a find by a list of keys into plans of the same find by one key each.
 *
 * The find is serialised once for all of its keys, because once for each key would take longer than the rest of a hit.
 */
export class KeyPlanner {
  readonly #parts: KeyPlannerParts;
  readonly #families = new LRUCache<string, Known>({ max: MAX_FAMILIES });
  readonly #plans = new LRUCache<string, Planned>({ max: MAX_PLANS });
  #lastId = 0;

  constructor(parts: KeyPlannerParts) {
    this.#parts = parts;
  }

  /** @returns `undefined` if it must be planned as a whole */
  plan(call: ListCall, list: KeyList): KeyPlans | undefined | Promise<KeyPlans | undefined> {
    const text = serialiseQuery(withKeys(call.where, list, []), call.options, IRRELEVANT);
    if (text === undefined) {
      return undefined;
    }
    const name = `${this.#parts.describe(call)} ${list.path.join('.')} ${text}`;
    const known = this.#families.get(name);
    if (!known) {
      return this.#learn(call, list, name);
    }
    return known.family && !known.family.isWhole
      ? this.#planAll(call, list, known.id, known.family)
      : undefined;
  }

  /** Analyses the find by its first key. */
  async #learn(call: ListCall, list: KeyList, name: string): Promise<KeyPlans | undefined> {
    const first = await this.#parts.plan(partOf(call, list, list.keys[0]!));
    if (!first.cacheable) {
      return undefined; // another key may be cacheable
    }
    const mayBeSplit = first.analysis && !first.changesOptions;
    const family = mayBeSplit ? this.#familyOf(call, list, first.analysis) : undefined;
    const known: Known = { id: ++this.#lastId, family };
    this.#families.set(name, known);
    return family && this.#planAll(call, list, known.id, family);
  }

  #planAll(
    call: ListCall,
    list: KeyList,
    id: number,
    family: Family,
  ): KeyPlans | undefined | Promise<KeyPlans | undefined> {
    const plans: Planned[] = [];
    const missing: number[] = [];
    for (const [i, key] of list.keys.entries()) {
      const plan = this.#plans.get(nameOf(id, key));
      if (plan) {
        plans[i] = plan;
      } else {
        missing.push(i);
      }
    }
    return missing.length === 0
      ? { plans, family }
      : this.#planMissing(call, list, id, { plans, family }, missing);
  }

  async #planMissing(
    call: ListCall,
    list: KeyList,
    id: number,
    { plans, family }: KeyPlans,
    missing: readonly number[],
  ): Promise<KeyPlans | undefined> {
    const all = [...plans];
    for (const i of missing) {
      const key = list.keys[i]!;
      const plan = await this.#parts.plan(partOf(call, list, key));
      if (!plan.cacheable || !plan.analysis) {
        return undefined;
      }
      this.#plans.set(nameOf(id, key), plan);
      all[i] = plan;
    }
    return { plans: all, family };
  }

  #familyOf(call: ListCall, { prop }: KeyList, analysis: SelectAnalysis): Family | undefined {
    const table = this.#parts.tableOf(call);
    const column = table && columnOf(prop, table);
    const order = column && isSumOfParts(analysis) ? orderOf(call.meta, table, analysis) : undefined;
    return order && { column: column!, order, isWhole: false };
  }
}

function nameOf(id: number, key: Key): string {
  return `${id} ${typeof key} ${key}`;
}

function partOf(call: ListCall, list: KeyList, key: Key): ReadCall {
  const where = withKeys(call.where, list, [key]);
  return { ...call, where, run: () => call.runWith(where) };
}

/** Does each row belong to one of the keys, whatever the other keys are? */
function isSumOfParts({ select, unanalysable }: SelectAnalysis): boolean {
  if (!select || unanalysable) {
    return false;
  }
  return select.plain && !select.limited && !select.ordinal && !select.windowed;
}

function columnOf(prop: EntityProperty, table: Table): KeyColumn | undefined {
  const [column] = prop.kind === 'scalar' ? prop.fieldNames : prop.joinColumns;
  const kind = table.kinds.get(column!);
  const target = prop.kind === 'scalar' ? undefined : prop.targetMeta;
  if (!kind || !isReversible(kind) || prop.customType?.convertToJSValueSQL) {
    return undefined;
  }
  const referred = target && scalarOf(target, prop.referencedColumnNames[0]!);
  return { name: prop.name, kind, referred: referred?.name };
}

/** Its ORDER BY, if the order is total; otherwise `undefined`. */
function orderOf(
  meta: EntityMetadata,
  table: Table,
  { select, references }: SelectAnalysis,
): RowOrder[] | undefined {
  const { order, orderKnown } = select!;
  if (order.length === 0) {
    return orderKnown ? [] : undefined;
  }
  const root = references.find(({ occurrence }) => occurrence.place === 'first');
  const isTotal = table.key?.every(column => order.some(term => term.column === column));
  if (!orderKnown || root?.table !== table || !isTotal) {
    return undefined;
  }
  const terms: RowOrder[] = [];
  for (const { alias, column, desc, nullsFirst } of order) {
    const kind = table.kinds.get(column);
    const prop = scalarOf(meta, column);
    const isKnown = alias === root.occurrence.alias && prop && kind && table.orderable.has(column);
    if (!isKnown || !isSortable(kind, table.types.get(column)!)) {
      return undefined;
    }
    terms.push({ name: prop.name, kind, desc, nullsFirst });
  }
  return terms;
}
