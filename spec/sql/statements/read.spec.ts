import { expect } from 'chai';
import { parseStatement } from '../../../lib/sql/parse_statement.js';

describe('statements that read', () => {
  const reads = [
    '',
    ' -- nothing\n;;',
    'select 1',
    'SELECT * FROM t WHERE a = 1 FOR UPDATE',
    'select * from t for no key update of t skip locked;',
    'select update, delete, insert, merge from t',
    `select 'insert into t', "into", $$ delete from t $$ /* update t set a = 1 */ -- into`,
    '(select 1) union (select 2)',
    'values (1), (2)',
    'table t',
    'with x as (select 1) select * from x for update',
    'with x as (select 1 for no key update), y as materialized (table z) select x.update, x.delete from x',
    'with recursive x(n) as (values (1) union all select n + 1 from x) select n from x',
    `select '1'::timestamp with time zone`,
    'show search_path',
    'fetch 10 from c',
    'move all in c',
    'close c',
    'declare c scroll cursor with hold for select 1',
    'explain insert into t values (1)',
    'explain (verbose, format json) delete from t',
    'explain analyze select 1',
    'explain (analyze, buffers) select 1',
    'explain analyze verbose with x as (select 1) select * from x',
    'explain (analyze) (select 1)',
  ];
  for (const sql of reads) {
    it(`${sql} only reads`, () => {
      expect(parseStatement(sql)).to.deep.equal({ kind: 'read', effects: undefined });
    });
  }

  const mayWrite = [
    'select 1 into t',
    'select * into temp t from s',
    'with x as (select 1) select * into y from x',
    'with x as (delete from t returning a) select * from x',
    'with x as (insert into t values (1)) select 1',
    'with x as (with y as (select 1) update t set a = 1) select 1',
    'with x as (merge into t using s on true when matched then delete) select 1',
    'with recursive x as (select 1) search depth first by a set key update t set a = 1',
    'with x as (select 1) update t set a = 1',
    'with x as (select 1) delete from t',
    'with x as (select 1) insert into t select * from x',
    'explain analyze update t set a = 1',
    'explain (analyze true) delete from t',
    'explain ("analyze") insert into t values (1)',
    'explain (analyse) delete from t where a in (select 1)',
    'explain analyze update t set a = (select 1)',
    'explain analyze create table t as select 1',
    'explain analyze execute p',
    'declare c cursor for with x as (delete from t returning a) select 1',
    'select 1; delete from t',
    'execute p',
    'call p()',
    'do $$ begin end $$',
    'merge into t using s on true when matched then delete',
    'copy t from stdin',
    'what is this',
    '1',
    '"select" 1',
    "'select' 1",
    "select 'not terminated",
  ];
  for (const sql of mayWrite) {
    it(`${sql} may write`, () => {
      expect(parseStatement(sql)).to.include({ kind: 'other', writes: true });
    });
  }

  it('several reads are an other statement that writes nothing', () => {
    expect(parseStatement('select 1; show role;')).to.include({ kind: 'other', writes: false, ddl: false });
  });

  describe('set_config', () => {
    const settings = (sql: string, parameters?: unknown[]) => {
      const statement = parseStatement(sql, parameters);
      return statement.kind === 'read' ? (statement.effects ?? 'none') : 'other';
    };

    it('the settings that set_config changes are known', () => {
      expect(
        settings(`select set_config('app.tenant', '5', true), pg_catalog.Set_Config('ROLE', 'x', false)`),
      ).to.include({
        changesRole: true,
        changesIsolation: false,
        changesSearchPath: false,
        changesSyntax: false,
      });
      expect(settings(`select set_config('app.tenant', '5', true)`)).to.deep.include({
        settings: ['app.tenant'],
      });
      expect(settings('select set_config($2, $1, false)', ['x', 'search_path'])).to.deep.include({
        settings: ['search_path'],
        changesSearchPath: true,
      });
      expect(settings(`select 'set_config'`)).to.equal('none');
    });

    it('set_config may change any setting if its name is not in the text', () => {
      const anything = {
        changesRole: true,
        changesIsolation: true,
        changesSearchPath: true,
        changesSyntax: true,
        settings: undefined,
      };
      expect(settings('select set_config(name, value, true) from t')).to.deep.equal(anything);
      expect(settings(`select set_config('ro' || 'le', 'x', true)`)).to.deep.equal(anything);
      expect(settings(`select set_config(E'rol\\145', 'x', true)`)).to.deep.equal(anything);
      expect(settings('select set_config($1, $2, true)')).to.deep.equal(anything);
      expect(settings('select "set_config"(a, b, true)')).to.deep.equal(anything);
    });
  });
});
