import { raw } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import fc from 'fast-check';
import { cachedAs } from '../../../lib/index.js';
import { type Entities, onRow } from './entities.js';

type Em = SqlEntityManager;

/** A read that evaluates an expression in one of many places. */
export interface Read {
  readonly place: number;
  /** whether the expression is one of the catalog's own, or one of PostgreSQL's */
  readonly own: boolean;
  /** which one */
  readonly which: number;
  readonly value: number;
}

type Perform = (
  em: Em,
  entities: Entities,
  expression: string,
  formula: string,
  value: number,
) => Promise<unknown>;

const ordered = { orderBy: { id: 1 } };
const condition = (expression: string, value: number) => ({
  [raw(alias => `(${onRow(expression, alias)})::text`)]: { $gt: String(value) },
});

const PLACES: Readonly<Record<string, Perform>> = {
  'a formula': (em, { Thing }, _, formula) =>
    em.find(Thing, {}, { ...ordered, populate: [formula] } as never),
  'the condition of a formula': (em, { Thing }, _, formula, value) =>
    em.find(Thing, { [formula]: String(value) } as never, ordered as never),
  'a raw condition': (em, { Thing }, expression, _, value) =>
    em.find(Thing, condition(expression, value) as never, ordered as never),
  'the condition of a count': (em, { Thing }, expression, _, value) =>
    em.count(Thing, condition(expression, value) as never),
  'the order of the first row': (em, { Thing }, expression) =>
    em.findOne(Thing, { id: { $gt: 0 } } as never, {
      orderBy: [{ [raw(alias => onRow(expression, alias))]: 'desc' }, { id: 1 }] as never,
    }),
  'a row by its key': (em, { Thing }, _, formula, value) =>
    em.findOne(Thing, { id: value % 4 } as never, { populate: [formula] } as never),
  'the list of a builder': (em, { Thing }, expression) =>
    em
      .createQueryBuilder(Thing, 't')
      .select(['id', raw(`${onRow(expression, '"t"')} as x`)] as never)
      .orderBy({ id: 1 } as never)
      .execute(),
  'groups of a builder': async (em, { Thing }, expression) => {
    const rows: unknown[] = await em
      .createQueryBuilder(Thing, 't')
      .select([raw(`(${onRow(expression, '"t"')})::text as x`), raw('count(*)::int as rows')] as never)
      .groupBy(raw(`(${onRow(expression, '"t"')})::text`) as never)
      .having({ [raw('count(*)')]: { $gt: 0 } } as never)
      .execute();
    return rows.map(row => JSON.stringify(row)).sort();
  },
  'a formula with declared tables': (em, { Told }, _, formula) =>
    em.find(Told, {}, { ...ordered, populate: [formula] } as never),
  'a condition with declared tables': (em, { Told }, expression, _, value) =>
    em.count(Told, condition(expression, value) as never),
  'the SQL of a type': (em, { Converted }) => em.find(Converted, {}, ordered as never),
  'a view': (em, { ThingView }, _, __, value) =>
    em.find(ThingView, { total: { $gt: value } } as never, ordered as never),
  'a virtual entity': async (em, { Virtual }) => {
    const found: any[] = await em.find(Virtual, {}, ordered as never);
    return found.map(({ id, value }) => [id, value]);
  },
  'a function of a sample': (em, { Thing }, expression, formula, value) =>
    cachedAs(
      (_self: unknown, of: Em) => of.createQueryBuilder(Thing, 't').where(condition(expression, value)),
      {
        timeout: 600,
        name: `differential ${expression} ${formula} ${value}`,
      },
    )(async (of: Em) => {
      const found: any[] = await of.find(Thing, condition(expression, value) as never, ordered as never);
      return found.map(({ id, n }) => [id, n]);
    })(em.fork()),
  things: (em, { Thing }, _, __, value) =>
    em.find(Thing, { n: { $gte: value % 3 } } as never, ordered as never),
  'the ledger': (em, { Ledger }, _, __, value) =>
    em.find(Ledger, { amount: { $gt: value } } as never, ordered as never),
  'the log': (em, { Log }) => em.count(Log, {}),
  parts: (em, { Part }) => em.find(Part, {}, ordered as never),
  'parts of things': (em, { Part }, _, __, value) =>
    em.find(
      Part,
      { thing: { n: value % 3 } } as never,
      { ...ordered, populate: ['thing'], strategy: 'joined' } as never,
    ),
};

const NAMES = Object.keys(PLACES);

export const reads: fc.Arbitrary<Read> = fc.record({
  place: fc.nat(NAMES.length - 1),
  own: fc.constantFrom(true, true, true, false),
  which: fc.nat(20),
  value: fc.nat(5),
});

/** Reads of every catalog, which show what its rules, triggers and functions have written. */
export const PLAIN_READS: readonly Read[] = ['things', 'the ledger', 'the log', 'parts'].map(place => ({
  ...{ place: NAMES.indexOf(place), own: false, which: 0, value: 0 },
}));

/** Reads one of the catalog's own expressions as a formula. */
export function formulaRead(_: unknown, which: number): Read {
  return { place: NAMES.indexOf('a formula'), own: true, which, value: 0 };
}

export function performRead(
  em: Em,
  entities: Entities,
  { place, value }: Read,
  expression: string,
  i: number,
) {
  return PLACES[NAMES[place]!]!(em, entities, expression, `f${i}`, value);
}

export function describeRead({ place, value }: Read, expression: string): string {
  return `${NAMES[place]}, value ${value}: ${expression}`;
}
