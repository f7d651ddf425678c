import { isUnstable, OPERATORS, OPERATORS_OF_KEYWORDS } from '../../sql/keywords.js';
import { CLOCK, callOf } from '../../sql/select/evaluation.js';
import type { ColumnName, Select } from '../../sql/select/select_result.js';
import type { Catalog } from '../catalog/table.js';
import type { TableReference } from './table_reference.js';

/**
 * Why the result of a query may change while its tables stay the same: it may call a function, operator or cast that is
 * user-defined, or not known to depend on its arguments only.
 *
 * Every name is looked up. A name after an alias and a dot must be a column, because `t.total` may be `total(t)`. A
 * built-in name must have no user-defined namesake.
 *
 * @param references those of the query
 */
export function evaluationObstacle(
  { evaluation, qualified, tables }: Select,
  references: readonly TableReference[],
  catalog: Catalog,
): string | undefined {
  const { functions, operators, settledOperators, castsImplicitly, casts, castable, sortsByOwn } =
    catalog.defined;
  if (sortsByOwn) {
    return 'an operator class that is defined in this database';
  }
  for (const { table, occurrence } of references) {
    if (!table.settled) {
      return `${table.name}, which has a type with functions of its own`;
    }
    const composed = evaluation.composed.filter(({ alias }) => alias === occurrence.alias);
    const compared = occurrence.outsideList && [
      ...occurrence.outsideList,
      ...occurrence.where.keys(),
      ...composed.map(({ column }) => column),
    ];
    if (table.zoned && !compared?.every(column => table.kinds.has(column))) {
      return CLOCK;
    }
  }
  for (const name of [...evaluation.calls, ...evaluation.keywords]) {
    if (functions.has(name)) {
      return `${callOf(name)}, which is defined in this database`;
    }
  }
  for (const symbol of evaluation.operators) {
    if (!OPERATORS.has(symbol) && !settledOperators.has(symbol)) {
      return `the operator ${symbol}`;
    }
  }
  for (const symbol of operators) {
    if (evaluation.operators.has(symbol) || OPERATORS_OF_KEYWORDS.has(symbol)) {
      return `the operator ${symbol}, which is defined in this database`;
    }
  }
  if (castsImplicitly || (evaluation.casts && (casts || catalog.isShadowed))) {
    return 'a cast that is defined in this database';
  }
  for (const type of evaluation.types) {
    if (!castable.has(type)) {
      return `a cast to ${type}`;
    }
  }
  return fieldObstacle() ?? wordObstacle();

  function fieldObstacle(): string | undefined {
    for (const [alias, names] of qualified) {
      const named = references.filter(({ occurrence }) => occurrence.alias === alias);
      const isDerived = named.length === 0 || mayBeDerived(alias);
      for (const name of names) {
        const isColumn = named.every(({ table }) => table.types.has(name));
        if (!isColumn || (isDerived && (functions.has(name) || isUnstable(name)))) {
          return `${alias}.${name}, which may be a function`;
        }
      }
    }
    const are = ({ alias, column }: ColumnName, isOf: (type: string) => boolean) => {
      const named = references.filter(({ occurrence }) => occurrence.alias === alias);
      return (
        named.length > 0 &&
        !mayBeDerived(alias) &&
        named.every(({ table }) => isOf(table.types.get(column) ?? ''))
      );
    };
    const isTimed = evaluation.timed.every(column => are(column, type => TIME.test(type)));
    const isText = evaluation.clocked.every(column => are(column, type => TEXT.test(type)));
    const isOfDay = evaluation.ofDay || references.some(({ table }) => table.ofDay);
    const inZone = evaluation.inZone.some(each => each === 'any' || !are(each, type => MOMENT.test(type)));
    return isTimed && isText && !(isOfDay && inZone) ? undefined : CLOCK;
  }

  function mayBeDerived(alias: string): boolean {
    return evaluation.hasWith || evaluation.derived.has(alias);
  }

  function wordObstacle(): string | undefined {
    const known = (word: string) =>
      evaluation.given.has(word) ||
      tables.some(({ alias, name }) => alias === word || name === word) ||
      references.some(({ table }) => table.types.has(word));
    const unknown = [...evaluation.bare].find(word => !known(word));
    return unknown && `${unknown}, which is neither a column nor a keyword that is known`;
  }
}

/** Types whose values were never parsed from a text that may mean the present, such as `'now'`. */
const TIME = /^(?:date|timestamp|time|interval|integer|bigint|numeric|double precision)(?![\w.])/;
/** Of these, the types that are no time of day. */
const MOMENT = /^(?:date|timestamp)(?![\w.])/;
/** Types whose values stay texts. */
const TEXT = /^(?:text|character varying|character|jsonb?|uuid)(?![\w.])/;
