import { expect } from 'chai';
import fc from 'fast-check';
import { parseStatement } from '../../../lib/sql/parse_statement.js';
import type { Other } from '../../../lib/sql/statement.js';
import { anyConstant, anyGap, anySql } from '../../changes/generated.js';

function other(sql: string): Other {
  const statement = parseStatement(sql);
  expect(statement.kind, sql).to.equal('other');
  return statement as Other;
}

describe('other statements', () => {
  describe('the names include the tables that may change', () => {
    const naming: [sql: string, ...names: string[]][] = [
      [
        'merge into Orders o using "S"."New ""Orders""" n on true when matched then delete',
        'orders',
        'S',
        'New "Orders"',
      ],
      ['with x as (update a set b = 1 returning c) insert into d select * from x', 'a', 'd'],
      ['copy orders (id) from stdin', 'orders'],
      ['update only orders set a = 1', 'orders'],
      ['do $$ begin update Orders set a = 1; end $$', 'orders'],
      ['do $x$ begin update "My ""Orders""" set a = 1; end $x$', 'My "Orders"'],
      [`do 'begin raise notice ''5" disk''; update "My Orders" set a = 1; end'`, 'My Orders'],
      [`do $$ begin execute format('update %I set a = 1', 'Orders'); end $$`, 'Orders', 'orders'],
      ['alter table orders rename to "Old"', 'orders', 'Old'],
      ['select * into "New" from old', 'New', 'old'],
      ['update a set b = 1; delete from "C"', 'a', 'C'],
      [`update ${'x'.repeat(70)} set a = 1; select 1`, 'x'.repeat(63)],
      [`do $$ update "${'x'.repeat(70)}" set a = 1 $$`, 'x'.repeat(63)],
      ['update orders set a = $$ not terminated', 'orders'],
      ['update "My Orders" set a = 1where b', 'My Orders'],
    ];
    for (const [sql, ...names] of naming) {
      it(sql.slice(0, 100), () => {
        expect([...other(sql).names]).to.include.members(names);
      });
    }

    it('the names include a table between any constants', () => {
      const name = anyConstant.filter(constant => constant.kind === 'name');
      const body = anySql.filter(text => !text.includes('$'));
      fc.assert(
        fc.property(name, anyGap, body, body, ({ sql, text }, gap, before, after) => {
          expect([...other(`merge into${gap}${sql}${gap}using x on true`).names]).to.include(text);
          expect([...other(`do $z$${before} ${sql} ${after}$z$`).names]).to.include(text);
        }),
        { numRuns: 2000 },
      );
    });
  });

  it('a statement that may change tables without naming them is opaque', () => {
    const opaque = [
      'create or replace view v as select 1',
      'create rule r as on select to t do instead select 1',
      'revoke select on t from x',
      'do $$ begin alter type x rename value y to z; end $$',
      'call p()',
      'execute p',
      'explain analyze execute p',
      `do $$ begin execute 'update or' || 'ders set a = 1'; end $$`,
      'do $$ begin call p(); end $$',
      `do language plperl $$ spi_exec_query("update or" . "ders set a = 1") $$`,
      `do $$ plpy.cursor("update or" + "ders set a = 1") $$ language 'plpython3u'`,
      `do E'begin update or\\144ers set a = 1; end'`,
      'drop table t cascade',
      'truncate only (t) cascade',
      'truncate t cascade; select 1',
      'create table t as execute p',
      'alter table t drop column a cascade',
      'drop schema s',
      'drop type x',
      'alter type x rename value a to b',
      'create extension x',
      'import foreign schema a from server b into c',
      'reassign owned by a to b',
      'something new',
      "select 'not terminated",
      'delete from t; call p()',
    ];
    const clear = [
      'merge into t using s on true when matched then delete',
      'with x as (select 1) update t set a = 1',
      'copy t from stdin',
      'update only t set a = 1',
      'do $$ begin update t set a = 1; end $$',
      'do language plpgsql $$ begin update t set a = 1; end $$',
      'create unique index concurrently i on t (a)',
      'create temp table t as select 1',
      'alter table "t" add constraint "c" foreign key ("a") references "s" ("b") on update cascade on delete cascade;',
      'refresh materialized view v',
      'prepare p as delete from t',
      'delete from t; delete from s',
      'begin; delete from t; commit',
    ];
    expect(opaque.filter(sql => !other(sql).opaque)).to.deep.equal([]);
    expect(clear.filter(sql => other(sql).opaque)).to.deep.equal([]);
  });

  it('a statement that changes no rows does not write', () => {
    const changing = [
      'merge into t',
      'copy t from stdin',
      'refresh materialized view v',
      'prepare p as select 1',
      'alter x',
    ];
    const not = [
      'lock table t',
      'notify x',
      'listen x',
      'analyze t',
      'vacuum full t',
      'comment on table t is null',
    ];
    expect(changing.filter(sql => !other(sql).writes)).to.deep.equal([]);
    expect(not.filter(sql => other(sql).writes)).to.deep.equal([]);
  });

  it('a statement that defines something is DDL', () => {
    const defining = [
      'create table t ()',
      'alter x',
      'drop x',
      'grant x to y',
      'select 1 into t',
      'select 1; drop x',
    ];
    const not = ['merge into t', 'copy t from stdin', 'call create()', 'with x as (select 1) delete from t'];
    expect(defining.filter(sql => !other(sql).ddl)).to.deep.equal([]);
    expect(not.filter(sql => other(sql).ddl)).to.deep.equal([]);
  });

  it('a statement that cannot, or may not, run in a transaction is not transactional', () => {
    const not = [
      'vacuum t',
      'create database x',
      'drop database x',
      'alter database x set tablespace y',
      'create tablespace x location y',
      'drop tablespace x',
      'alter system set x = y',
      'create index concurrently i on t (a)',
      'create unique index concurrently i on t (a)',
      'drop index concurrently i',
      'alter table t detach partition p concurrently',
      'reindex table concurrently t',
      'reindex database x',
      'create subscription s',
      'cluster',
      'call p()',
      'do $$ begin update t set a = 1; commit; end $$',
      'do $$ begin rollback; end $$',
      'do language plperl $$ spi_commit() $$',
      'select 1; vacuum t',
    ];
    const able = [
      'merge into t',
      'copy t from stdin',
      'create index i on t ("concurrently")',
      'create table "database" ()',
      'refresh materialized view concurrently v',
      'do $$ begin update t set a = 1; end $$',
      'do language plpgsql $$ begin update t set a = 1; end $$',
      `alter type x add value 'y'`,
      'select 1; delete from t',
    ];
    expect(not.filter(sql => other(sql).transactional)).to.deep.equal([]);
    expect(able.filter(sql => !other(sql).transactional)).to.deep.equal([]);
  });

  it('a text without tokens is the worst case', () => {
    expect(other(`update t set a = 'x`)).to.deep.include({
      opaque: true,
      writes: true,
      ddl: true,
      transactional: true,
      controlsTransaction: false,
    });
    expect(other(`update t set a = 1; commit; select 'x`)).to.include({ controlsTransaction: true });
  });

  it('every other text is an other statement, because parsing never throws', () => {
    const piece = fc.constantFrom(
      ...[
        'insert into ',
        'update ',
        'delete from ',
        'values ',
        'set ',
        't ',
        'a = 1 ',
        '(a) ',
        '(1) ',
        'where ',
        'returning ',
      ],
      ...[
        'on conflict ',
        'do update ',
        'do nothing ',
        'with ',
        'as ',
        'begin ',
        'commit ',
        'savepoint ',
        'truncate ',
        'only ',
      ],
      ...[
        'select ',
        'from ',
        'using ',
        'explain ',
        'analyze ',
        'do ',
        'create ',
        '; ',
        ', ',
        '. ',
        '(',
        ')',
        '[',
        ']',
        '= ',
      ],
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(piece, anySql), { maxLength: 12 }), pieces => {
        expect(parseStatement(pieces.join(''))).to.have.property('kind');
      }),
      { numRuns: 20_000 },
    );
  });
});
