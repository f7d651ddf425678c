import { expect } from 'chai';
import { parseStatement } from '../../lib/sql/parse_statement.js';
import { columnQualifier, lockingSql, renumber, returningSql } from '../../lib/sql/rewrite.js';
import type { Delete, Insert, Update } from '../../lib/sql/statement.js';

function parse<T extends Insert | Update | Delete>(sql: string): T {
  return parseStatement(sql) as T;
}

describe('returningSql and columnQualifier', () => {
  const rewritten: [sql: string, expected: string][] = [
    ['update t set a = 1', 'update t set a = 1 returning x as "__cacheops"'],
    ['update t set a = 1 -- b', 'update t set a = 1 returning x as "__cacheops" -- b'],
    ['delete from t where a = 1; -- b', 'delete from t where a = 1 returning x as "__cacheops"; -- b'],
    ['delete from t returning *;', 'delete from t returning *, x as "__cacheops";'],
    [
      'update t set a = 1 returning a, b as c /* d */',
      'update t set a = 1 returning a, b as c, x as "__cacheops" /* d */',
    ],
    ['insert into t default values', 'insert into t default values returning x as "__cacheops"'],
    [
      'insert into t select 1 on conflict do nothing returning a',
      'insert into t select 1 on conflict do nothing returning a, x as "__cacheops"',
    ],
  ];
  for (const [sql, expected] of rewritten) {
    it(`an output column is added to ${sql}`, () => {
      expect(returningSql(parse(sql), 'x')).to.equal(expected);
    });
  }

  it('columns are qualified by the alias, or by the table name without its schema', () => {
    expect(columnQualifier(parse('update s."T""t" set a = 1'))).to.equal('"T""t"');
    expect(columnQualifier(parse('update s.t as "X" set a = 1'))).to.equal('"X"');
    expect(columnQualifier(parse('delete from S.T x'))).to.equal('"x"');
    expect(columnQualifier(parse('insert into t as x values (1)'))).to.equal('"x"');
  });
});

describe('the query that locks the rows of an UPDATE', () => {
  const locking = (sql: string, parameters?: unknown[]) =>
    lockingSql(parse<Update>(sql), 'x', 11, parameters);

  it('it has the table and the condition of the UPDATE', () => {
    expect(
      locking('update "s"."t" as "a" set b = 1 where "a"."c" = 2 or d -- e\n returning f; -- g'),
    ).to.deep.equal({
      sql: 'select x as "__cacheops" from "s"."t" as "a" where ("a"."c" = 2 or d) limit 11 for no key update',
      parameters: [],
    });
    expect(locking('update t set a = 1')!.sql).to.equal(
      'select x as "__cacheops" from t limit 11 for no key update',
    );
  });

  it('it has only the parameters of the condition, renumbered', () => {
    expect(
      locking(`update t set a = $1, b = $4 where c = $3 and d in ($2, $3) and '$1' <> e`, [1, 2, 3, 4]),
    ).to.deep.equal({
      sql: `select x as "__cacheops" from t where (c = $1 and d in ($2, $1) and '$1' <> e) limit 11 for no key update`,
      parameters: [3, 2],
    });
    expect(locking('update t set a = $1', [1])!.parameters).to.deep.equal([]);
  });

  it('there is none if other tables are joined', () => {
    expect(locking('update t set a = 1 from s where t.b = s.b')).to.equal(undefined);
  });

  it('parameters with two digits are renumbered', () => {
    const sql = Array.from({ length: 12 }, (_, i) => `$${12 - i}`).join(' ');
    const values = Array.from({ length: 12 }, (_, i) => i);
    expect(renumber(sql, values)).to.deep.equal({
      sql: Array.from({ length: 12 }, (_, i) => `$${i + 1}`).join(' '),
      parameters: values.toReversed(),
    });
  });
});
