import type { MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import fc from 'fast-check';
import { entities } from '../../fixtures/legacy/index.js';
import { readSelect } from '../../lib/sql/select/select.js';
import type { Select } from '../../lib/sql/select/select_result.js';
import { ALL_COLUMNS } from '../../lib/values/scheme.js';
import { emptyEmbedded } from '../orm/support/embedded.js';
import { joinUncached } from '../orm/support/start.js';
import { columnsIn, occurrencesIn } from '../query/occurrences.js';
import { QUERIES, seed } from '../query/orm_queries.js';
import { question } from '../query/wheres.js';

const TABLES = ['a', 'b', 'c', 'd'];

/** The number of references to each table; the reason if it is refused. */
function occurrences(sql: string): Record<string, number> | string {
  const select = readSelect(sql);
  if ('reason' in select) {
    return select.reason;
  }
  const counts: Record<string, number> = {};
  for (const { name } of select.tables) {
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return Object.fromEntries(Object.entries(counts).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The columns read, by table; `undefined` if any or all may be read. */
function columns(sql: string): Record<string, Set<string> | undefined> {
  const select = readSelect(sql);
  const found: Record<string, Set<string> | undefined> = {};
  for (const { name, reads, where } of 'tables' in select ? select.tables : []) {
    const before = name in found ? found[name] : new Set<string>();
    const all = reads?.has(ALL_COLUMNS);
    found[name] = reads && before && !all ? new Set([...before, ...reads, ...where.keys()]) : undefined;
  }
  return found;
}

/** Every column that the database finds in the SQL is among the columns read. */
async function expectNoColumnForgotten(sql: string): Promise<void> {
  const found = columns(sql);
  for (const [table, truth] of Object.entries((await columnsIn(sql)) ?? {})) {
    const reads = found[table];
    if (table in found && reads) {
      expect([...reads], `${table} in ${sql}`).to.include.members(truth);
    }
  }
}

describe('readSelect', () => {
  const statements: string[] = [];
  let orm: MikroORM;

  before(async () => {
    const pglite = await emptyEmbedded();
    orm = await joinUncached({
      entities,
      onQuery(sql, parameters) {
        statements.push(orm.driver.getPlatform().formatQuery(sql, parameters));
        return sql;
      },
    });
    await orm.schema.create();
    await seed(orm.em.fork());
    await pglite.exec(`create table a (id int, n int, at timestamptz, t text); create table b (id int, a_id int);
      create table c (id int); create schema s; create table s.d (id int);
      create function f(integer) returns setof a language sql as 'select * from a';
      create function whole(a) returns bigint language sql as 'select count(*) from b'`);
  });

  after(() => orm.close());

  describe('table references', () => {
    for (const sql of [
      'select * from a',
      'select * from "a" as "x"',
      'select 1 from a, b',
      'select 1 from a, b as x, c as y where x.id in (1, 2)',
      'select 1 from a as x(id, other), b',
      'select 1 from "a" as "x" ("id", "other"), b',
      'select 1 from a x join b y on x.id = y.a_id left join c on true',
      'select 1 from a natural join b',
      'select 1 from a cross join b',
      'select 1 from a join b using (id)',
      'select 1 from a join b using (id), c',
      'select 1 from (a join b on true) join c on true',
      'select 1 from (a cross join b), c',
      'select 1 from ((a join b on true) cross join c)',
      'select 1 from (select * from a, b) as q, c',
      'select 1 from (select id from a) as q, (select id from b) as r',
      'select 1 from only a',
      'select 1 from only (a), b',
      'select 1 from a *',
      'select 1 from a left join lateral (select * from b where b.a_id = a.id) as q on true',
      'select 1 from s.d, "s"."d" as e',
      'select (select count(*) from b) from a',
      'select 1 from a where exists (select from b where exists (select 1 from c))',
      'select 1 from a where id in (select id from b union all select id from c)',
      'select id from a union select id from b',
      '(select id from a) union (select id from b)',
      '(select id from a) except all ((select id from b) intersect select id from c)',
      'select 1 from ((select id from a) union (select id from b)) as q',
      'select 1 from a where (id, n) in ((1, 2), (3, 4)) and n in (select n from a)',
      'select array(select id from b) from a',
      'select case when exists (select 1 from b) then 1 else (select max(id) from c) end from a',
      'select 1 from a order by (select max(id) from b) limit (select count(*) from c)',
      'select 1 from a group by id having count(*) > (select count(*) from b)',
      'select distinct on (a.id) a.id from a, b',
      'select a.id from a join b on a.id = b.a_id and b.id = any (select id from c)',
      'select 1 from a where t is distinct from (select max(t) from a)',
      'select extract(year from at) from a, b',
      `select substring(t from 1 for 2), trim(both ' ' from t), position('x' in t) from a, b`,
      'select count(*) filter (where n > 1) over (partition by a.id order by n) from a, b',
      'select row_number() over w from a window w as (partition by id), v as (order by n)',
      'with q as (select * from a), r as materialized (select * from b) select 1 from q, r, c',
      'with recursive q(n) as (select 1 union all select n + 1 from q, b where n < 3) select q.n from q, a',
      `select 'from b', "id" -- from c
       from a /* , b */`,
      `select $$ from b $$, e'\\' from b', u&'from b' from a`,
      'select 1 from a where n = any (array[1, 2]) and id = (array[1, 2])[1]',
      'select a.* from a for update',
      'select 1 from a fetch first 3 rows only',
      'select 1 from a as "from", b as "x, c"',
      'table a',
      'select 1 from a where exists (table b)',
      'select id from c union table c',
      'select 1 from (table a) as q',
      'select 1 from (values (1), (2)) as v(id), a',
      'values ((select count(*) from a))',
      'select 1 from a where id in (values (1), ((select max(id) from b)))',
      'select 1 from rows from (generate_series(1, 2)) as g, a',
      'select 1 from f(1), a',
      'select 1 from a, lateral f(1)',
      'select 1 from a, f(1) as b',
      'select a.whole from a',
      'select 1 from a tablesample system (50), b',
      'select "f"(1) from a',
      'select 1 from "f"(1), a',
      'select 1 from s.d where d.id in (select (f(1)).id)',
      'select json_agg(x) from a as x, b',
      'select coalesce((select t from a limit 1), t) from a',
      `select t collate "C" from a, b order by t collate "C", n`,
      'select n::numeric(10, 2), cast(n as decimal(10, 2)) from a, b',
      'select 1 from a where n between (select min(id) from b) and (select max(id) from c)',
      'select grouping(id) from a group by rollup (id, n), cube (t)',
      'select 1 from a where (select true from b limit 1) or not exists(select from c)',
      'select 1 from a right join (b full join c on b.id = c.id) on a.id = b.a_id, s.d',
    ]) {
      it(`every table is found, or the SELECT is refused: ${sql}`, async () => {
        const truth = await occurrencesIn(sql);
        expect(truth).to.be.an('object');
        const found = occurrences(sql);
        // a name of something else (a common table expression, a column) is refused by the catalog
        if (typeof found !== 'string' && Object.keys(found).every(name => TABLES.includes(name))) {
          expect(found).to.deep.equal(truth);
        }
        await expectNoColumnForgotten(sql);
      });
    }
  });

  describe('SQL that the ORM generates', () => {
    for (const [query, run] of Object.entries(QUERIES)) {
      it(`all tables and columns of ${query} are found`, async () => {
        statements.length = 0;
        await run(orm.em.fork());
        expect(statements).not.to.deep.equal([]);
        for (const sql of statements) {
          expect(occurrences(sql), sql).to.deep.equal(await occurrencesIn(sql));
          await expectNoColumnForgotten(sql);
        }
      });
    }

    it('generated queries are analysed', async () => {
      let known = 0;
      await fc.assert(
        fc.asyncProperty(question, async ({ entity, where, options }) => {
          statements.length = 0;
          const target = entities.find(each => each.name === entity)!;
          await orm.em
            .fork()
            .find(target as never, where as never, options as never)
            .catch(() => []);
          for (const sql of statements) {
            await expectNoColumnForgotten(sql);
            known += Object.values(columns(sql)).filter(reads => reads !== undefined).length;
          }
        }),
        { numRuns: 150 },
      );
      expect(known).to.be.greaterThan(100);
    });
  });

  describe('the result rows of a SELECT', () => {
    type Facts = Pick<Select, 'plain' | 'limited' | 'nested' | 'ordinal' | 'windowed'>;
    const PLAIN: Facts = { plain: true, limited: false, nested: false, ordinal: false, windowed: false };
    const STATEMENTS: Record<string, Partial<Facts>> = {
      'select a.id from a join b on b.a_id = a.id where a.n = 1 order by a.id': {},
      'select distinct a.id from a': { plain: false },
      'select distinct on (a.n) a.id from a': { plain: false, ordinal: true },
      'select a.n from a group by a.n': { plain: false },
      'select count(*) from a having count(*) > 1': { plain: false },
      'select a.id from a window w as (order by a.n)': { plain: false },
      'select sum(a.n) over (order by a.id) from a': { windowed: true },
      'select sum(a.n) over w from a window w as (order by a.n)': { plain: false, windowed: true },
      'select a.id from a where a.n = 1 union select b.id from b': { plain: false },
      'select a.id from a where a.n = 1 intersect select b.id from b': { plain: false },
      'select a.id from a where a.n = 1 except select b.id from b': { plain: false },
      'with q as (select b.id from b) select a.id from a': { plain: false, nested: true },
      'select a.id from a where a.id in (select b.id from b group by b.id)': { nested: true },
      'select a.id from a where a.id in (values (1), (2))': { nested: true },
      'select a.id from a where a.id in (select b.id from b limit 1)': { nested: true, ordinal: true },
      'select a.id from a limit 1': { limited: true },
      'select a.id from a offset 1': { limited: true },
      'select a.id from a fetch first 1 row only': { limited: true },
      'select array_agg(a.id) from a': { ordinal: true },
      'select a."group", a."union" from a': {},
    };
    for (const [sql, expected] of Object.entries(STATEMENTS)) {
      it(`${sql} has ${Object.keys(expected).join(', ') || 'plain'} rows`, () =>
        expect(readSelect(sql)).to.include({ ...PLAIN, ...expected }));
    }
  });

  describe('the columns of a SELECT', () => {
    const any = undefined;
    for (const [sql, reads, where] of [
      [
        'select count(*) as "count" from "a" as "x" where "x"."n" = 1 and "x"."t" = \'y\'',
        [],
        { n: 1, t: 1 },
      ],
      ['select "x"."id", x.t from "a" as "x" order by "x"."n" desc nulls last limit 3', ['id', 't', 'n'], {}],
      ['select a.id from a where (a.n = 1 or a.n = 2) and a.t is not null', ['id'], { n: 2, t: 1 }],
      ['select a.id from a where a.n between 1 and 2 and a.id * 2 > 3', ['id'], { n: 1, id: 1 }],
      ["select a.id from a group by a.n having max(a.t) > ''", ['id', 'n', 't'], {}],
      ['select a.id from a join b on b.a_id = a.n where b.id = 1', ['id', 'n'], {}],
      ['select a.id from a where exists (select 1 from b where b.a_id = a.n)', ['id', 'n'], {}],
      ['select a.id from a where a.id in (select b.id from b) and a.n = 1', ['id'], { id: 1, n: 1 }],
      ['select count(*) filter (where a.n > 1) from a', ['n'], {}],
      ['select a.id from a where a.n = 1 union select b.id from b', ['id', 'n'], {}],
      ['select a.id from (select a.n from a) as q, a', ['id', 'n'], {}],
      ['select a.id, row_number() over (partition by a.n order by a.t) from a', ['id', 'n', 't'], {}],
      ['select (select max(b.id) from b where b.a_id = a.n) from a', ['id', 'a_id'], {}],
      ['select "a".* from a', ['*'], {}],
      ['select * from a', any, {}],
      ['select distinct on (a.id) * from a', any, {}],
      ['select (select b.id) * from a, b', any, {}],
      ['select n from a', any, {}],
      ['select "n" from a where a.id = 1', any, { id: 1 }],
      ['select a.id from a order by n', any, {}],
      ['select a.id from a order by 1', ['id'], {}],
      ['select a.id as "n" from a order by "n"', any, {}],
      ['select a from a', any, {}],
      ['select row_to_json(x) from a as x', any, {}],
      ['select count(x) from a as x', any, {}],
      ['select x.id, (x.*)::text from a as x', ['*', 'id'], {}],
      ['select public.a.n from public.a', any, {}],
      ['select a.id from a join b using (id)', any, {}],
      ['select a.id from a natural join b', any, {}],
      ['with a as (select 1 as n) select b.id from b', any, {}],
      ['select nulls first from a', any, {}],
      ['select a.id, between from a', any, {}],
      ['select a.id from a where n = 1', any, {}],
      ['select a.id from a where a.n = 1 and t = 2', any, { n: 1 }],
    ] as const) {
      it(`the columns of ${sql} are ${reads ? reads.join(', ') || 'none' : 'any'}`, () => {
        const select = readSelect(sql) as Select;
        expect(select.tables[0]!.reads).to.deep.equal(reads && new Set(reads));
        expect(Object.fromEntries(select.tables[0]!.where)).to.deep.equal(where);
      });
    }
  });

  describe('refused SQL', () => {
    for (const [sql, reason] of [
      ['select now() from a', 'a call of now()'],
      ['select * from a where at > current_date', 'current_date, which is not the same at every time'],
      ['select CURRENT_TIMESTAMP from a', 'current_timestamp, which is not the same at every time'],
      ['select * from a where at < localtimestamp', 'localtimestamp, which is not the same at every time'],
      ['select current_user from a', 'current_user, which is not the same at every time'],
      ['select random() from a', 'a call of random()'],
      ['select system_user from a', 'system_user, which is not the same at every time'],
      ['select (x).n from a as x', 'a field of an expression, which may be a function'],
      ['select x.i from a as x(i, j)', 'a call of x()'],
      ['select pg_catalog.random() from a', 'a call of random()'],
      ['select "random"() from a', 'a call of random()'],
      ['select random /* of course */ () from a', 'a call of random()'],
      [`select nextval('s') from a`, 'a call of nextval()'],
      [`select current_setting('tenant') from a`, 'a call of current_setting()'],
      ['select f(id) from a', 'a call of f()'],
      ['select Lower(f(t)) from a', 'a call of f()'],
      ['select 1 from a where id in (f(1))', 'a call of f()'],
      ['select 1 from a order by random()', 'a call of random()'],
      ['select 1 from generate_series(1, 2), a', 'a FROM item that is not a table'],
      ['select 1 from a tablesample system (50)', 'tablesample, which is not the same at every time'],
      ['select 1 from a; select 2', 'several statements'],
      ['with q as (delete from a returning id) select * from q', 'delete in a query'],
      ['select * into b from a', 'into in a query'],
      ['select (1) from a)', 'SQL that cannot be parsed'],
      ['select (1 from a)', 'a FROM that is not understood'],
      ['select 1 from user', 'a FROM item that is not a table'],
      ['select 1 from (table tag) as q', 'a FROM item that is not a table'],
      ['select a.t is distinct from user from a', 'user, which is not the same at every time'],
      ['select a.id from a for key share', 'a lock in a query'],
      ['delete from a', 'a statement that is not a query'],
      [`select 'a from b`, 'SQL that cannot be parsed'],
    ] as const) {
      it(`${sql} is refused: ${reason}`, () => expect(readSelect(sql)).to.deep.equal({ reason }));
    }
  });

  it('a column name is not mistaken for a function', () => {
    expect(occurrences('select a.current_date, "now" from a where "random" in (1)')).to.deep.equal({ a: 1 });
  });
});
