import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { loadCatalog } from '../../../lib/orm/catalog/catalog.js';
import type { Catalog } from '../../../lib/orm/catalog/table.js';
import { isKnownToFail, joinedRowLookup } from '../../../lib/orm/reads/joined_row_lookup.js';
import type { Expression } from '../../../lib/query/projection.js';
import type { JoinedRow } from '../../../lib/query/watch.js';
import { encodeValues } from '../../../lib/values/encode.js';
import { freshDatabase } from '../../support/servers.js';

describe('the lookup of joined rows', () => {
  let orm: MikroORM;
  let catalog: Catalog;
  let statements: string[];

  before(async () => {
    orm = await MikroORM.init({
      clientUrl: await freshDatabase('asked'),
      entities: [],
      discovery: { warnWhenNoEntities: false },
    });
    await execute(`create table odd ("i?d" int primary key, "a??b" text, "c" numeric(10, 2), "d" jsonb);
      insert into odd values (1, 'x', 1, '{"e":"f"}'), (2, 'y', 2.5, '{"e":"g"}'), (3, 'x', null, null);
      create table text (id uuid, lang text, n int, primary key (id, lang));
      insert into text values ('${UUID}', 'de,at', 1), ('${UUID}', 'en', 2)`);
    catalog = await loadCatalog(execute, 'here');
  });

  beforeEach(() => {
    statements = [];
  });

  after(() => orm.close(true));

  const UUID = '6b1e3c6e-0f53-4b86-9d7d-6f1c2b9a3d10';

  const execute = (sql: string) => orm.em.getConnection().execute(sql);

  const lookUp = (known = catalog) =>
    joinedRowLookup(known, (sql, parameters) => {
      statements.push(sql);
      return orm.em.getConnection().execute(sql, [...parameters]);
    });

  function joinedRow(
    name: string,
    key: readonly string[],
    expression: Expression,
    isMany = false,
  ): JoinedRow {
    const table = catalog.named(name)[0]!.fullName;
    return {
      occurrence: 0,
      table,
      on: key.map(column => [`its_${column}`, column] as const),
      isMany,
      expression,
    };
  }

  const equal = (column: string, value: string | null): Expression => ({
    type: 'in',
    column,
    values: [value],
  });

  async function failing(row: JoinedRow, keys: readonly string[], known = catalog): Promise<string[]> {
    const found = await lookUp(known)(new Map([[row, new Set(keys)]]));
    expect([...found.keys()]).to.deep.equal([row]);
    expect(keys.filter(key => isKnownToFail(found, row, key))).to.have.members([...found.get(row)!]);
    return [...found.get(row)!];
  }

  it('gives the keys of existing rows that do not satisfy the condition', async () => {
    expect(await failing(joinedRow('odd', ['i?d'], equal('a??b', 'x')), ['1', '2', '4'])).to.deep.equal([
      '2',
    ]);
    expect(await failing(joinedRow('odd', ['i?d'], equal('a??b', 'x')), ['1', '3'])).to.deep.equal([]);
    expect(await failing(joinedRow('odd', ['i?d'], equal('c', '2.5')), ['2', '1', '3'])).to.have.members([
      '1',
      '3',
    ]);
    expect(await failing(joinedRow('odd', ['i?d'], equal('i?d', '1')), ['1', '2', '3'])).to.have.members([
      '2',
      '3',
    ]);
  });

  it('compares whole keys, in their order', async () => {
    const [de, en, none] = ['de,at', 'en', 'fr'].map(lang => encodeValues([UUID, lang]));
    const row = joinedRow('text', ['id', 'lang'], equal('n', '1'));
    expect(await failing(row, [de!, en!, none!])).to.deep.equal([en]);
    const turned = joinedRow('text', ['lang', 'id'], equal('n', '2'));
    expect(await failing(turned, [encodeValues(['de,at', UUID]), encodeValues(['en', UUID])])).to.deep.equal([
      encodeValues(['de,at', UUID]),
    ]);
  });

  it('gives the keys of which no row satisfies the condition, if there may be several', async () => {
    const many = (on: string, expression: Expression) => joinedRow('text', [on], expression, true);
    expect(await failing(many('lang', equal('n', '1')), ['en', 'fr'])).to.have.members(['en', 'fr']);
    expect(await failing(many('lang', equal('n', '2')), ['en', 'fr'])).to.deep.equal(['fr']);
    expect(await failing(many('id', equal('n', '1')), [UUID])).to.deep.equal([]);
    expect(await failing(many('id', equal('n', '7')), [UUID])).to.deep.equal([UUID]);
  });

  it('tells nothing if more rows are found than are worth reading', async () => {
    const many = joinedRow('text', ['lang'], equal('n', '7'), true);
    await execute(`insert into text select gen_random_uuid(), 'many', 1 from generate_series(1, 1000)`);
    expect(await failing(many, ['many', 'none'])).to.have.members(['many', 'none']);
    await execute(`insert into text values (gen_random_uuid(), 'many', 1)`);
    expect(await failing(many, ['many', 'none'])).to.deep.equal([]);
  });

  it('takes one statement for each joined row', async () => {
    const rows = ['x', 'y'].map(value => joinedRow('odd', ['i?d'], equal('a??b', value)));
    const found = await lookUp()(new Map(rows.map(row => [row, new Set(['1', '2'])])));
    expect(rows.map(row => [...found.get(row)!])).to.deep.equal([['2'], ['1']]);
    expect(statements).to.have.length(2);
    expect(isKnownToFail(new Map(), rows[0]!, '2')).to.equal(false);
  });

  it('tells nothing about tables and columns that the catalog does not know, and does not ask', async () => {
    const row = joinedRow('odd', ['i?d'], equal('a??b', 'x'));
    expect(await failing({ ...row, table: 'gone' }, ['2'])).to.deep.equal([]);
    expect(await failing(joinedRow('odd', ['i?d'], equal('gone', 'x')), ['2'])).to.deep.equal([]);
    expect(statements).to.deep.equal([]);
  });

  it('tells nothing about rows of columns whose types have changed since the catalog was read', async () => {
    const row = joinedRow('odd', ['i?d'], equal('c', '7'));
    expect(await failing(row, ['1', '2'])).to.have.members(['1', '2']);
    await execute('alter table odd alter column c type numeric(12, 4)');
    expect(await failing(row, ['1', '2'])).to.have.members(['1', '2']);
    await execute('alter table odd alter column c type text');
    expect(await failing(row, ['1', '2'])).to.deep.equal([]);
    expect(await failing(joinedRow('odd', ['i?d'], equal('a??b', 'x')), ['1', '2'])).to.deep.equal(['2']);
    await execute('alter table odd alter column c type numeric(10, 2) using c::numeric');
  });
});
