import type { EntityMetadata } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import fc from 'fast-check';
import { ImageFormat, type Row } from '../../lib/changes/row_image.js';
import { loadCatalog } from '../../lib/orm/catalog/catalog.js';
import type { Catalog, Table } from '../../lib/orm/catalog/table.js';
import { type Columns, type Condition, readCondition } from '../../lib/query/condition.js';
import type { Formula } from '../../lib/query/formula.js';
import { compile } from '../../lib/query/predicate.js';
import { projectionOf } from '../../lib/query/projection.js';
import { IMAGE_COLUMN } from '../../lib/sql/rewrite.js';
import { freshDatabase } from '../support/servers.js';
import { COLUMNS, CREATE_SAMPLE, Sample, type SampleRow, sampleRow, sampleWhere } from './samples.js';

const MAX_IN = 6;

describe('predicates', () => {
  let orm: MikroORM;
  let catalog: Catalog;
  let table: Table;
  let condition: Condition | undefined;
  let asking: Condition | undefined;
  let columns: Columns;

  before(async () => {
    orm = await MikroORM.init({ entities: [Sample], clientUrl: await freshDatabase('predicate') });
    await execute(CREATE_SAMPLE);
    catalog = await loadCatalog(execute, 'here');
    table = catalog.resolve({ schema: undefined, name: 'sample' })!;
    columns = {
      tableOf: () => table.fullName,
      kindOf: (_, column) => table.kinds.get(column),
      orderable: (_, column) => table.orderable.has(column),
      matchable: (_, column) => table.matchable.has(column),
    };
    const { find } = orm.driver;
    orm.driver.find = function (name: any, where: any, options: any) {
      const meta = orm.getMetadata().get(name) as EntityMetadata;
      condition = readCondition(meta, where, columns, MAX_IN);
      return find.call(this, name, where, options) as never;
    };
  });

  after(() => orm.close());

  it('a predicate accepts every row that satisfies the condition in the database, and only these if the condition is exact', async () => {
    let exact = 0;
    let narrowing = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(sampleRow, { minLength: 12, maxLength: 12 }),
        fc.array(sampleWhere, { minLength: 20, maxLength: 20 }),
        async (given, wheres) => {
          const rows = await stored(given);
          for (const where of wheres) {
            const found = await matching(where);
            if (!found) {
              continue; // the ORM or the database rejects it
            }
            const { formula, sources } = asking!;
            const tests = [...rows.values()][0]!.positions;
            const predicate = compile(projectionOf(formula, sources[0]!).expression, [...tests.keys()]);
            const expected = [...rows.keys()].filter(id => predicate.matches(rows.get(id)!.values));
            const isExact = isExactly(formula);
            exact += isExact ? 1 : 0;
            narrowing += expected.length < rows.size ? 1 : 0;
            const message = describeCase(where);
            expect(expected, message).to.include.members(found);
            if (isExact) {
              expect(found, message).to.include.members(expected);
            }
          }
        },
      ),
      { numRuns: 100 },
    );
    expect(exact, 'conditions that are understood').to.be.above(600);
    expect(narrowing, 'conditions that distinguish rows').to.be.above(600);
  }).timeout(600_000);

  for (const [name, { given, stored: values, ordered, patterns, array }] of Object.entries(COLUMNS)) {
    it(`exactly the listed conditions on ${name} are exact`, async () => {
      await stored(values.map(sql => ({ [name]: sql })));
      const kinds: Record<string, unknown[]> = {
        $eq: given.map($eq => ({ $eq })),
        $nin: [{ $nin: given.slice(0, 3) }],
        $gt: ordered ? given.map($gt => ({ $gt })) : [],
        $like: patterns ? [{ $like: 'a%' }] : [],
        $overlap: array ? given.map($overlap => ({ $overlap })) : [],
        null: [null, { $ne: null }],
      };
      const understood: string[] = [];
      for (const [operator, conditions] of Object.entries(kinds)) {
        for (const each of conditions) {
          if ((await matching({ [name]: each })) && isExactly(asking!.formula)) {
            understood.push(operator);
          }
        }
      }
      expect([...new Set(understood)], name).to.deep.equal(UNDERSTOOD[name]!(table));
    });
  }

  async function stored(given: readonly SampleRow[]): Promise<Map<number, Row>> {
    await execute('truncate sample');
    for (const [id, row] of given.entries()) {
      const values = [id, ...Object.values(row)].join(', ');
      await execute(`insert into sample (id, ${Object.keys(row).join(', ')}) values (${values})`);
    }
    const format = new ImageFormat(table.columns);
    const rows = await execute(`select id, ${format.expression('sample')} as "${IMAGE_COLUMN}" from sample`);
    return new Map(rows.map(row => [row.id, format.read(row[IMAGE_COLUMN]).row]));
  }

  async function matching(where: object): Promise<number[] | undefined> {
    condition = undefined;
    const found = await orm.em
      .fork()
      .find(Sample, structuredClone(where) as never, { fields: ['id'] })
      .catch(() => undefined);
    asking = condition;
    return found?.map(({ id }) => id);
  }

  function describeCase(where: object): string {
    return JSON.stringify(where, (_, value) => (typeof value === 'bigint' ? `${value}n` : value));
  }

  function execute(sql: string): Promise<any[]> {
    return orm.em.getConnection().execute(sql);
  }
});

const ORDERED = ['$eq', '$nin', '$gt', 'null'];

/** By column, the conditions that are exact. */
const UNDERSTOOD: Readonly<Record<string, (table: Table) => string[]>> = {
  ...Object.fromEntries(
    ['int', 'big', 'decimal', 'price', 'float', 'flag', 'uuid', 'date', 'time', 'instant'].map(name => [
      name,
      () => ORDERED,
    ]),
  ),
  text: () => ['$eq', '$nin', '$gt', '$like', 'null'],
  name: ({ orderable }) => ['$eq', '$nin', ...(orderable.has('name') ? ['$gt'] : []), '$like', 'null'],
  char: () => ORDERED,
  mood: () => ['$eq', '$nin', 'null'],
  tags: () => ['$overlap', 'null'],
  numbers: () => ['$overlap', 'null'],
  json: () => [],
};

function isExactly(formula: Formula): boolean {
  switch (formula.type) {
    case 'anything':
    case 'wider':
      return false;
    case 'and':
    case 'or':
      return formula.parts.every(isExactly);
    default:
      return true;
  }
}
