import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { inPgCatalog } from '../../../lib/orm/catalog/pg_catalog.js';
import { embedded, emptyEmbedded } from '../support/embedded.js';
import { join, type Started } from '../support/start.js';
import { expectNoticed, type Step } from '../support/write_path.js';

const Item = defineEntity({
  name: 'Item',
  tableName: 'item',
  schema: 'public',
  cacheops: { ops: 'all', timeout: 60 },
  properties: { id: p.integer().primary(), n: p.integer() },
});

/** Namesakes of all tables and views of PostgreSQL, of some types, and of functions, which fail when they are called. */
const NAMESAKES = `
  create schema impostor;
  do $$ declare r record; begin
    for r in select relname from pg_class where relnamespace = 'pg_catalog'::regnamespace and relkind in ('r', 'v') loop
      execute format('create table impostor.%I ()', r.relname);
    end loop;
    for r in select proname, pg_get_function_identity_arguments(oid) as arguments, format_type(prorettype, null) as result
      from pg_proc where pronamespace = 'pg_catalog'::regnamespace and prokind = 'f' and not proretset
        and proallargtypes is null and not exists (
          select from unnest(array_append(proargtypes::oid[], prorettype)) as used (oid) join pg_type t on t.oid = used.oid
          where t.typtype = 'p')
        and proname in ('current_database', 'current_schemas', 'current_setting', 'format_type', 'getdatabaseencoding',
          'has_any_column_privilege', 'has_function_privilege', 'has_schema_privilege', 'has_table_privilege', 'lower',
          'now', 'pg_advisory_unlock_shared', 'pg_conf_load_time', 'pg_current_snapshot', 'pg_current_xact_id',
          'pg_get_expr', 'pg_get_viewdef', 'pg_my_temp_schema', 'pg_snapshot_xmax', 'pg_try_advisory_lock_shared',
          'pg_try_advisory_xact_lock_shared', 'pg_xact_status', 'split_part', 'statement_timestamp', 'to_regprocedure')
    loop
      execute format('create function impostor.%I(%s) returns %s language plpgsql as %L',
        r.proname, r.arguments, r.result, 'begin raise exception ''a namesake was called''; end');
    end loop;
  end $$;
  create type impostor.oid as enum ('x'); create type impostor.regclass as enum ('x');
  create type impostor.regtype as enum ('x'); create type impostor.xid8 as enum ('x');
  set search_path = impostor, pg_catalog, public;`;

describe('Namesakes of PostgreSQL’s own objects in a schema before pg_catalog', () => {
  let started: Started;

  beforeEach(async () => {
    const database = await emptyEmbedded();
    await database.exec(
      'create table item (id int primary key, n int); insert into item values (1, 1), (2, 2)',
    );
    await database.exec(NAMESAKES);
    started = await join({ entities: [Item] });
  });

  afterEach(async () => {
    await started.orm.close();
    await (await embedded()).exec('reset all; drop schema impostor cascade');
  });

  const one: Step = em => em.find(Item, { id: 1 });
  const other: Step = em => em.find(Item, { id: 2 });

  const WRITES: Record<string, Step> = {
    'an update': em => em.nativeUpdate(Item, { id: 1 }, { n: 5 }),
    'a transaction': em => em.transactional(inner => inner.nativeDelete(Item, { id: 1 })),
    'a statement outside of a transaction': em =>
      em.execute('do $$ begin update public.item set n = n + 5; commit; end $$'),
  };
  for (const [what, write] of Object.entries(WRITES)) {
    it(`do not capture the extension's own statements: ${what} is noticed`, async () => {
      const keeps = what.startsWith('a statement') ? [] : [other];
      await expectNoticed(started, { write, changes: one, keeps });
    });
  }

  it('are excluded by a qualification that leaves texts, names and qualified names as they are', () => {
    const sql = `select max(oid), "max(", 'max(', 'pg_proc'::regclass from pg_proc where a.b(1) and x in (select pg_catalog.now())`;
    const qualified = inPgCatalog(sql);
    expect(qualified).to.equal(
      `select pg_catalog.max(oid), "max(", 'max(', 'pg_catalog.pg_proc'::pg_catalog.regclass from pg_catalog.pg_proc ` +
        'where a.b(1) and x in (select pg_catalog.now())',
    );
    expect(inPgCatalog(qualified)).to.equal(qualified);
  });
});
