import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import fc from 'fast-check';
import {
  type Comparable,
  canonicalOfStored,
  comparableOf,
  isArray,
  storedExpression,
} from '../../lib/values/comparable.js';
import { canonicalOfParameter } from '../../lib/values/parameter.js';
import { freshDatabase } from '../support/servers.js';
import { KINDS, type Kind, MOODS, type ScalarKind } from './kinds.js';

/** Settings of a session, from a role, a database or a statement. */
const SESSIONS = [
  'reset all',
  `set timezone = 'Asia/Kathmandu'; set datestyle = 'German, DMY'; set extra_float_digits = -15`,
  `set timezone = 'America/St_Johns'; set datestyle = 'SQL, MDY'; set intervalstyle = 'iso_8601'; set bytea_output = 'escape'`,
  `set timezone = 'UTC'; set datestyle = 'Postgres, YMD'; set extra_float_digits = 3; set lc_numeric = 'C'`,
];

describe('canonical forms', () => {
  let orm: MikroORM;
  let local: MikroORM;
  const zone = process.env.TZ;

  before(async () => {
    const clientUrl = await freshDatabase('values');
    orm = await connect({ clientUrl });
    local = await connect({ clientUrl, forceUtcTimezone: false });
    await execute(`create type mood as enum (${MOODS.map(mood => `'${mood}'`)})`);
  });

  after(async () => {
    await orm.close();
    await local.close();
  });

  afterEach(() => {
    if (zone === undefined) {
      delete process.env.TZ;
    } else {
      process.env.TZ = zone;
    }
  });

  for (const [kind, { types, stored, parameter }] of Object.entries(KINDS) as [ScalarKind, Kind][]) {
    for (const type of types) {
      it(`values of ${type} have the same canonical form exactly if they are equal in the database`, async () => {
        let decided = 0;
        await fc.assert(
          fc.asyncProperty(
            fc.array(stored, { minLength: 1, maxLength: 6 }),
            fc.array(parameter, { minLength: 1, maxLength: 8 }),
            fc.constantFrom(...SESSIONS),
            async (values, parameters, session) => {
              const table = await storedIn(type, values);
              await execute(session);
              const rows = await read(kind, table);
              expectSameEquality(rows);
              for (const given of parameters) {
                const canonical = canonicalOfParameter(kind, given);
                const equal = canonical === undefined ? undefined : await equalTo(table, given);
                if (equal) {
                  decided++;
                  expect(equal, inspect(given, canonical)).to.deep.equal(
                    rows.filter(row => row.canonical === canonical).map(row => row.id),
                  );
                }
              }
            },
          ),
          { numRuns: 60 },
        );
        expect(decided, 'parameters that were decided about').to.be.above(30);
      });
    }
  }

  for (const [form, which] of [
    ['UTC', () => orm],
    ['local time', () => local],
  ] as const) {
    it(`a Date sent in ${form} is read by the database as its canonical form, in every time zone`, async () => {
      const recent = [
        '1975-01-01',
        '2024-07-01T01:30Z',
        '2024-10-27T00:30Z',
        '2024-10-27T01:30Z',
        '9999-12-30',
      ];
      const old = ['0099-01-02', '1890-01-01', '1916-07-04T12:00Z', '1960-06-01'];
      const table = await emptyTable('timestamptz');
      for (const name of ['Europe/Berlin', 'Africa/Monrovia', 'Asia/Kathmandu', 'America/St_Johns']) {
        process.env.TZ = name;
        for (const instant of [...recent, ...old]) {
          const date = new Date(instant);
          await execute('truncate t');
          await execute('insert into t (c) values (?)', [date], which());
          const [row] = await read('instant', table);
          const canonical = canonicalOfParameter('instant', date);
          if (canonical !== undefined || recent.includes(instant)) {
            expect(canonical, `${name} ${instant}`).to.equal(row!.canonical);
          }
        }
      }
    });
  }

  it('a text with a lone surrogate has the canonical form of the text that the database receives', async () => {
    const [row] = await read('text', await storedIn('text', ['a\ufffd']));
    expect(canonicalOfParameter('text', 'a\ud800')).to.equal(row!.canonical);
    expect(await equalTo('t', 'a\ud800')).to.deep.equal([row!.id]);
  });

  it('NULL has the canonical form null', () => {
    for (const kind of Object.keys(KINDS) as ScalarKind[]) {
      expect(canonicalOfParameter(kind, null)).to.equal(null);
      expect(canonicalOfStored(kind, null)).to.equal(null);
    }
  });

  it('a value that needs a conversion to be comparable has no canonical form', () => {
    const foreign = [
      undefined,
      {},
      [],
      new Map(),
      Symbol('a'),
      () => 1,
      new Date(Number.NaN),
      Buffer.from('a'),
    ];
    for (const kind of Object.keys(KINDS) as ScalarKind[]) {
      for (const value of foreign) {
        expect(canonicalOfParameter(kind, value), `${kind} ${String(value)}`).to.equal(undefined);
      }
    }
  });

  it('a column with its own comparison has no kind', async () => {
    await execute(
      `create collation blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false)`,
    );
    await execute('create domain short as text');
    // a user's type may have the name of another
    await execute(
      `create schema odd; create domain odd.text as text check (value <> ''); create type odd.uuid as (a int)`,
    );
    const narrowing = [
      'integer',
      'text',
      'varchar(5)',
      'char(5)',
      'numeric',
      'date',
      'timestamptz',
      'uuid',
      'boolean',
      'mood',
      'double precision',
      'time',
    ];
    const tested = ['boolean[]', 'smallint[]', 'integer[]', 'bigint[][]', 'text[]', 'varchar(5)[]', 'uuid[]'];
    const others = [
      ...['real', 'timestamp', 'timetz', 'interval', 'json', 'jsonb', 'bytea', 'money'],
      ...[
        'real[]',
        'numeric[]',
        'date[]',
        'char(5)[]',
        'mood[]',
        'text[] collate blind',
        'text collate blind',
        'char(5) collate blind',
        'short',
        'odd.text',
        'odd.uuid',
        'inet',
        'bit(3)',
        '"char"',
        'name',
        'oid',
      ],
      ...['int4range', 'tsvector', 'point', 'xml'],
    ];
    for (const type of [...narrowing, ...tested, ...others]) {
      await emptyTable(type);
      const [column] = await execute(`select t.typname as name, t.typtype as category,
        coalesce(l.collisdeterministic, true) as deterministic
        from pg_attribute a join pg_type t on t.oid = a.atttypid left join pg_collation l on l.oid = a.attcollation
        where a.attrelid = 't'::regclass and a.attname = 'c'`);
      const kind = comparableOf(column);
      expect(kind !== undefined, type).to.equal(!others.includes(type));
      expect(kind !== undefined && isArray(kind), type).to.equal(tested.includes(type));
    }
  });

  function connect(options: Options): Promise<MikroORM> {
    return MikroORM.init({
      entities: [],
      discovery: { warnWhenNoEntities: false },
      pool: { min: 1, max: 1 }, // settings belong to one session
      ...options,
    });
  }

  async function execute(sql: string, parameters: unknown[] = [], by = orm): Promise<any[]> {
    const statements = parameters.length > 0 ? [sql] : sql.split(';');
    let rows: any[] = [];
    for (const statement of statements) {
      rows = await by.em.getConnection().execute(statement, parameters);
    }
    return rows;
  }

  async function emptyTable(type: string): Promise<string> {
    await execute(`drop table if exists t; create table t (id serial, c ${type})`);
    return 't';
  }

  /** Stores the values that the database accepts. */
  async function storedIn(type: string, values: readonly string[]): Promise<string> {
    const table = await emptyTable(type);
    for (const value of values) {
      await execute(`insert into t (c) values (?)`, [value]).catch(() => undefined);
    }
    return table;
  }

  interface Row {
    readonly id: number;
    readonly canonical: string | null;
    /** ids of the rows with an equal value */
    readonly equal: readonly number[];
  }

  async function read(kind: Comparable, table: string): Promise<Row[]> {
    // in JSON, as in a row image
    const rows = await execute(`select id, json_build_array(${storedExpression(kind, 't.c')})::text as image,
      array(select id from ${table} as other where other.c = t.c order by id) as equal from ${table} as t order by id`);
    return rows.map(({ id, image, equal }) => ({
      id,
      equal,
      canonical: canonicalOfStored(kind, JSON.parse(image)[0]),
    }));
  }

  function expectSameEquality(rows: readonly Row[]): void {
    for (const row of rows) {
      const same = rows.filter(other => other.canonical === row.canonical).map(other => other.id);
      expect(same, `rows like ${row.canonical}`).to.deep.equal(row.equal);
    }
  }

  /** The ids of the rows that equal the parameter as the ORM renders it; `undefined` if the database rejects it. */
  async function equalTo(table: string, parameter: unknown): Promise<number[] | undefined> {
    const rows = await execute(`select id from ${table} as t where t.c = ? order by id`, [parameter]).catch(
      () => undefined,
    );
    return rows?.map(row => row.id);
  }

  function inspect(parameter: unknown, canonical: unknown): string {
    return `${typeof parameter} ${parameter instanceof Date ? parameter.toISOString() : String(parameter)}, which is ${canonical}`;
  }
});
