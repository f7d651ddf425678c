import { expect } from 'chai';
import { conflictSql } from '../../lib/sql/conflicting_rows.js';
import { parseStatement } from '../../lib/sql/parse_statement.js';
import type { Insert } from '../../lib/sql/statement.js';

const types = new Map([
  ['a', 'integer'],
  ['B', 'character varying(5)'],
  ['c', 'timestamp with time zone'],
]);

function conflicting(sql: string, parameters?: unknown[]) {
  const statement = parseStatement(sql);
  expect(statement.kind).to.equal('insert');
  return conflictSql(statement as Insert, types, 'x', parameters);
}

describe('the query that locks the rows which an INSERT would update', () => {
  it('the columns of the conflict are compared with values cast to their types', () => {
    expect(
      conflicting(`insert into s.t ("B", d, a) values ('x', f(), -1), (null, default, 2)
        on conflict (a, "B") do update set d = excluded.d where t.d > 1 returning d`),
    ).to.deep.equal({
      sql: `select x as "__cacheops" from s.t where ("t"."a", "t"."B") in (values ((-1)::integer, ('x')::character varying(5)), ((2)::integer, (null)::character varying(5))) for no key update`,
      parameters: [],
    });
  });

  it('the parameters of these columns are renumbered, others are dropped', () => {
    expect(
      conflicting(
        'insert into t as y (a, d) values ($1, $2), ($4, $3) on conflict (a) do update set d = $5',
        [1, 2, 3, 4, 5],
      ),
    ).to.deep.equal({
      sql: 'select x as "__cacheops" from t as y where ("y"."a") in (values (($1)::integer), (($2)::integer)) for no key update',
      parameters: [1, 4],
    });
  });

  const values = (value: string) =>
    `insert into t (a, d) values (${value}, 1) on conflict (a) do update set d = 2`;

  for (const value of [
    `'1'`,
    '1.5',
    '+1',
    '$1',
    'true',
    'null',
    `'x'::text::s."T"(1, 2)[]`,
    `E'\\x41'`,
    '/* - */ 1',
  ]) {
    it(`${value} is a constant`, () => {
      expect(conflicting(values(value), [1])!.sql).to.include(
        `(values ((${value.replace('/* - */ ', '')})::integer))`,
      );
    });
  }

  for (const value of [
    'default',
    'f()',
    '(select 1)',
    'random()',
    '1 + 1',
    'b',
    'current_date',
    `array[1]`,
    '- - 1',
    `nextval('s')`,
    'x::int',
    '1::f(select 1)::x y',
  ]) {
    it(`${value} is not a constant`, () => {
      expect(conflicting(values(value))).to.equal(undefined);
    });
  }

  const unknown = [
    'insert into t (a) values (1)',
    'insert into t (a) values (1) on conflict (a) do nothing',
    'insert into t (a) values (1) on conflict on constraint t_pkey do update set d = 1',
    'insert into t (a) values (1) on conflict (lower(a)) do update set d = 1',
    'insert into t (a) values (1) on conflict (a) where b do update set d = 1',
    'insert into t (a) values (1) on conflict ("B") do update set d = 1',
    'insert into t (a, d) values (1, 2) on conflict (d) do update set d = 1',
    'insert into t (a, d) values (1, 2), (3) on conflict (d) do update set d = 1',
    'insert into t values (1) on conflict (a) do update set d = 1',
    'insert into t (a) select 1 on conflict (a) do update set d = 1',
    'insert into t (a) overriding user value values (1) on conflict (a) do update set d = 1',
  ];
  for (const sql of unknown) {
    it(`there is no such query for ${sql}`, () => {
      expect(conflicting(sql)).to.equal(undefined);
    });
  }
});
