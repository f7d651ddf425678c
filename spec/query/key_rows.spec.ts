import { EntitySchema, MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import fc from 'fast-check';
import { loadCatalog } from '../../lib/orm/catalog/catalog.js';
import type { Catalog } from '../../lib/orm/catalog/table.js';
import type { Key } from '../../lib/query/key_list.js';
import {
  isReversible,
  isSortable,
  mergeInOrder,
  partitionByKey,
  placesOf,
} from '../../lib/query/key_rows.js';
import { freshDatabase } from '../support/servers.js';
import { KINDS, type Kind, type ScalarKind } from '../values/kinds.js';

interface Row {
  readonly id: number;
  readonly c: unknown;
}

const rowOf = (name: string, type: string) =>
  new EntitySchema<Row>({
    name,
    tableName: 't',
    properties: { id: { type: 'integer', primary: true }, c: { type } as never },
  });

const Row = rowOf('Row', 'any');
const Instant = rowOf('Instant', 'datetime');

const ALL = Object.entries(KINDS) as [ScalarKind, Kind][];

describe('the rows of a key list', () => {
  let orm: MikroORM;

  before(async () => {
    orm = await MikroORM.init({
      entities: [Row, Instant],
      discovery: { checkDuplicateTableNames: false },
      clientUrl: await freshDatabase('key_rows'),
    });
    await execute(`create type mood as enum ('b ', 'a', '', 'A')`);
  });

  after(() => orm.close());

  const execute = (sql: string, parameters: unknown[] = []): Promise<any[]> =>
    orm.em.getConnection().execute(sql, parameters);

  /** As the driver returns them. */
  const find = (where: object, options: object = {}, entity = Row): Promise<Row[]> =>
    orm.em.getDriver().find(entity as never, where as never, options) as never;

  async function createTable(type: string): Promise<void> {
    await execute('drop table if exists t');
    await execute(`create table t (id serial primary key, c ${type})`);
  }

  async function storeOnly(values: readonly string[]): Promise<void> {
    await execute('delete from t');
    for (const value of values) {
      await execute('insert into t (c) values (?)', [value]).catch(() => undefined);
    }
    await execute('insert into t (c) values (null)');
  }

  const byId = (rows: readonly object[]) => (rows as Row[]).toSorted((a, b) => a.id - b.id);

  for (const [kind, { types, stored, parameter }] of ALL.filter(([each]) => isReversible(each))) {
    for (const type of types) {
      it(`rows are partitioned by keys of ${type} as the database matches them`, async () => {
        await createTable(type);
        let dealt = 0;
        await fc.assert(
          fc.asyncProperty(
            fc.array(stored, { minLength: 2, maxLength: 8 }),
            fc.array(parameter, { minLength: 1, maxLength: 3 }),
            fc.context(),
            async (values, parameters, context) => {
              await storeOnly(values);
              const keys: Key[] = [];
              for (const key of [...parameters, ...values.slice(0, 4)] as Key[]) {
                if (typeof key === typeof (keys[0] ?? key) && placesOf(kind, [...keys, key])) {
                  keys.push(key);
                }
              }
              const places = placesOf(kind, keys);
              const together = places && (await find({ c: { $in: keys } }).catch(() => undefined));
              if (!together) {
                return; // two are equal, or one is rejected
              }
              context.log(JSON.stringify(together));
              const parts = partitionByKey(together, { name: 'c', kind, referred: undefined }, places);
              if (!parts) {
                return; // not all numbers are exact
              }
              for (const [i, key] of keys.entries()) {
                expect(byId(parts[i]!), String(key)).to.deep.equal(byId(await find({ c: { $in: [key] } })));
              }
              dealt += together.length;
            },
          ),
          { numRuns: 60 },
        );
        expect(dealt, 'rows dealt out').to.be.above(20);
      });
    }
  }

  for (const [kind, { types, stored }] of ALL) {
    for (const type of types) {
      const collated = type === 'text' ? 'text collate "C"' : type;
      it(`rows are merged in the order of ${collated} as the database sorts them, or not at all`, async () => {
        await createTable(collated);
        const catalog: Catalog = await loadCatalog(execute, 'here');
        const table = catalog.resolve({ schema: undefined, name: 't' })!;
        let sorted = 0;
        await fc.assert(
          fc.asyncProperty(
            fc.array(kind === 'instant' ? stored.filter(isOfOurTime) : stored, {
              minLength: 2,
              maxLength: 8,
            }),
            fc.constantFrom('asc', 'desc', 'asc nulls first', 'desc nulls last'),
            fc.nat(),
            async (values, direction, cut) => {
              await storeOnly(values);
              if (!table.orderable.has('c') || !isSortable(kind, table.types.get('c')!)) {
                return;
              }
              const rows = await find(
                {},
                { orderBy: { c: direction, id: 'desc' } },
                kind === 'instant' ? Instant : Row,
              );
              const half = cut % rows.length;
              const parts = [rows.slice(half).toReversed(), rows.slice(0, half)];
              const nulls = direction.split(' ')[2];
              const together = mergeInOrder(parts as never, [
                {
                  name: 'c',
                  kind,
                  desc: direction.startsWith('desc'),
                  nullsFirst: nulls ? nulls === 'first' : direction === 'desc',
                },
                { name: 'id', kind: 'integer', desc: true, nullsFirst: false },
              ]);
              if (together) {
                sorted++;
                expect(together).to.deep.equal(rows);
              }
            },
          ),
          { numRuns: 120 },
        );
        const isKnown = isReversible(kind) || kind === 'boolean' || /timestamptz\(/.test(type);
        if (isKnown && kind !== 'text') {
          expect(sorted, 'results in order').to.be.above(5);
        }
      });
    }
  }

  it('rows without an order are merged in the order of the keys', () => {
    const places = placesOf('integer', [3, '1', 2n])!;
    const rows = [1, 2, 3, 2].map((id, i) => ({ id, i }));
    const parts = partitionByKey(rows, { name: 'id', kind: 'integer', referred: undefined }, places)!;
    expect(mergeInOrder(parts, [])!.map(row => row.i)).to.deep.equal([2, 0, 1, 3]);
  });

  it('a key that no row has gets no rows', () => {
    const places = placesOf('text', ['', 'a', 'b'])!;
    const column = { name: 'c', kind: 'text', referred: undefined } as const;
    expect(partitionByKey([{ c: 'a' }], column, places)).to.deep.equal([[], [{ c: 'a' }], []]);
    expect(partitionByKey([], column, places)).to.deep.equal([[], [], []]);
  });

  it('rows are not partitioned if a row has no known key, or another key', () => {
    const places = placesOf('text', ['', 'a'])!;
    const column = { name: 'c', kind: 'text', referred: undefined } as const;
    for (const rows of [[{ c: 'b' }], [{}], [{ c: null }], [{ c: { id: 'a' } }], [{ c: 1 }], undefined, 7]) {
      expect(partitionByKey(rows, column, places), JSON.stringify(rows)).to.equal(undefined);
    }
  });

  it('a row may contain the related entity instead of its key', () => {
    const places = placesOf('integer', [1, 2])!;
    const rows = [{ author: { id: 2 } }, { author: 1 }, { author: { id: '1' } }];
    const parts = partitionByKey(rows, { name: 'author', kind: 'integer', referred: 'id' }, places);
    expect(parts).to.deep.equal([[rows[1], rows[2]], [rows[0]]]);
  });

  it('a list has no places if two keys are equal in different forms', () => {
    expect(placesOf('integer', [1, '1'])).to.equal(undefined);
    expect(placesOf('uuid', [KEY, KEY.toUpperCase()])).to.equal(undefined);
    expect(placesOf('decimal', ['1.5', '1.50'])).to.equal(undefined);
    expect(placesOf('integer', [1, 'x'])).to.equal(undefined);
  });
});

/** The order of earlier instants and of infinite ones is unknown. */
function isOfOurTime(value: string): boolean {
  return value.startsWith('20');
}

const KEY = 'aaaaaaaa-0000-4000-8000-000000000000';
