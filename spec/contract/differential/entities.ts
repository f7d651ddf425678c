import { defineEntity, p, Type } from '@mikro-orm/core';
import { type Names, stored } from './names.js';

const cached = { ops: 'all', timeout: 600 } as const;

/** The entities over a catalog. */
export interface Entities {
  readonly Thing: any;
  /** the same rows, with the tables declared that functions read */
  readonly Told: any;
  /** the same rows, with a column that is read through an expression */
  readonly Converted: any;
  readonly Ledger: any;
  readonly Part: any;
  readonly Log: any;
  readonly ThingView: any;
  readonly Virtual: any;
}

/**
 * @param expressions one formula each, `f0`, `f1` …
 * @param schema of the tables; left out: by the search path
 */
export function entitiesOf(names: Names, expressions: readonly string[], schema?: string): Entities {
  const { thing, ledger, part, log, n, label } = names;
  const at = { ...(schema && { schema }) };
  const declared = { ...cached, tables: [ledger, part, log].map(stored) };
  const formulas = Object.fromEntries(
    expressions.map((expression, i) => [
      `f${i}`,
      p
        .type('any' as never)
        .persist(false)
        .lazy()
        .formula(table => onRow(expression, String(table))),
    ]),
  );
  const columns = () => ({
    id: p.integer().primary(),
    n: p.integer().fieldName(stored(n)),
    label: p.string().fieldName(stored(label)),
    price: p.decimal().nullable(),
    mood: p.string().nullable(),
    data: p.json().nullable(),
    at: p.datetime().nullable(),
  });
  const Thing = defineEntity({
    ...{ name: 'Thing', tableName: stored(thing), ...at, cacheops: cached },
    properties: { ...columns(), ...formulas },
  });
  const Told = defineEntity({
    ...{ name: 'Told', tableName: stored(thing), ...at, cacheops: declared },
    properties: { ...columns(), ...formulas },
  });
  class Expression extends Type<unknown, unknown> {
    override convertToJSValueSQL(key: string): string {
      const dot = key.lastIndexOf('.');
      return dot < 0 || !expressions[0] ? key : onRow(expressions[0], key.slice(0, dot));
    }
    override getColumnType(): string {
      return 'text';
    }
  }
  return {
    Thing,
    Told,
    Converted: defineEntity({
      ...{ name: 'Converted', tableName: stored(thing), ...at, cacheops: cached },
      properties: {
        id: p.integer().primary(),
        label: p.type(new Expression()).fieldName(stored(label)).$type<unknown>(),
      },
    }),
    Ledger: defineEntity({
      ...{ name: 'Ledger', tableName: stored(ledger), ...at, cacheops: cached },
      properties: { id: p.integer().primary(), amount: p.integer(), what: p.string().nullable() },
    }),
    Part: defineEntity({
      ...{ name: 'Part', tableName: stored(part), ...at, cacheops: cached },
      properties: {
        id: p.integer().primary(),
        thing: () => p.manyToOne(Thing).fieldName('thing').nullable(),
        n: p.integer().nullable(),
      },
    }),
    Log: defineEntity({
      ...{ name: 'Log', tableName: stored(log), ...at, cacheops: cached },
      properties: { id: p.integer().primary().autoincrement(), what: p.integer().nullable() },
    }),
    ThingView: defineEntity({
      ...{ name: 'ThingView', tableName: 'thing_view', ...at },
      cacheops: { ...cached, tables: [thing, ledger].map(stored) },
      properties: { id: p.integer().primary(), n: p.integer(), total: p.integer() },
    }),
    Virtual: defineEntity({
      name: 'Virtual',
      cacheops: { ...cached, tables: [ledger, part, log].map(stored) },
      expression: `select t.id, (${onRow(expressions.at(-1) ?? '1', 't')})::text as value from app.${thing} as t`,
      properties: { id: p.integer(), value: p.string().nullable() },
    }),
  };
}

/** The expression on the row that this alias stands for. */
export function onRow(expression: string, alias: string): string {
  return expression.replaceAll('{t}', alias);
}
