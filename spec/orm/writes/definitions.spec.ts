import { defineEntity, type EntityManager, p } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import { freshDatabase } from '../../support/servers.js';
import { sourcesOf } from '../support/observe.js';

const cached = { ops: 'all', timeout: 60 } as const;
const ids = { id: p.integer().primary() };

const Item = defineEntity({
  name: 'Item',
  cacheops: cached,
  properties: { ...ids, code: p.string().nullable(), mood: p.string().nullable(), n: p.integer().nullable() },
});
const Twice = defineEntity({
  name: 'Twice',
  tableName: 'item',
  cacheops: { ...cached, tables: ['item'] },
  properties: { ...ids, twice: p.integer().formula(alias => `twice(${alias}.n)`) },
});
const Outer = defineEntity({
  name: 'Outer',
  tableName: 'outer_view',
  cacheops: { ...cached, tables: ['item'] },
  properties: { ...ids, code: p.string().nullable() },
});
const OfNone = defineEntity({
  name: 'OfNone',
  cacheops: { ...cached, tables: ['item'] },
  properties: { ...ids, code: p.string() },
});

const DDL = `
  create type mood as enum ('sad', 'glad');
  create table item (id int primary key, code text, mood mood, n int);
  create table child () inherits (item);
  create table part (id int, code text, mood mood, n int); insert into part values (9, 'p', 'sad', 9);
  alter table part alter column id set not null;
  create table spare (id int primary key, code text, mood mood, n int);
  insert into item values (1, 'a', 'sad', 1); insert into child values (2, 'b', 'glad', 2);
  create schema attic; create table attic.item (like item including all);
  insert into attic.item values (7, 'old', 'sad', 7);
  create table attic.tail () inherits (attic.item);
  create function twice(int) returns int language sql immutable as 'select $1 * 2';
  create view inner_view as select id, code from item where id < 100;
  create view outer_view as select id, code from inner_view;
  create view one as select 1 as id, 'x'::text as code; create view of_none as select id, code from one;
  create procedure redefine() language plpgsql as
    $$ begin alter type mood rename value 'sad' to 'blue'; end $$;
  create function redefining() returns int language plpgsql as
    $$ begin alter type mood rename value 'sad' to 'blue'; return 1; end $$;
  create function forward() returns int language sql as 'select redefining()';
  create function retype() returns trigger language plpgsql as
    $$ begin alter type mood rename value 'sad' to 'blue'; return new; end $$;
  create table hook (id int primary key);
  create trigger retype before insert on hook for each row execute function retype();`;

const READS: Record<string, (em: EntityManager) => Promise<unknown>> = {
  items: em => em.find(Item, {}, { orderBy: { id: 1 } }),
  twice: em => em.find(Twice, {}, { orderBy: { id: 1 } }),
  none: em => em.find(OfNone, {}),
  outer: em => em.find(Outer, {}, { orderBy: { id: 1 } }),
};
const ALL = Object.keys(READS);

/** The queries whose results each statement changes. */
const DEFINITIONS: Record<string, string | readonly string[]> = {
  "alter type mood rename value 'sad' to 'blue'": 'items',
  "do $$ begin alter type mood rename value 'sad' to 'blue'; end $$": 'items',
  "do $$ begin alter /* not a table */ type mood rename value 'sad' to 'blue'; end $$": 'items',
  'call redefine()': 'items',
  'select redefining()': 'items',
  'select forward()': 'items',
  'insert into hook values (1)': 'items',
  "create or replace function twice(int) returns int language sql immutable as 'select $1 * 3'": 'twice',
  "do $$ begin create or replace function twice(int) returns int language sql immutable as 'select $1 * 3'; end $$":
    'twice',
  "create or replace view inner_view as select id, 'x'::text as code from spare": 'outer',
  'create or replace view inner_view as select id, upper(code) as code from item': 'outer',
  'create or replace view outer_view as select id, upper(code) as code from inner_view': 'outer',
  'drop view outer_view; create view outer_view as select id, upper(code) as code from inner_view': 'outer',
  'alter view inner_view rename to former; drop view outer_view; create view outer_view as select 3 as id, null::text as code':
    'outer',
  'do $$ begin create or replace view inner_view as select id, upper(code) as code from item; end $$':
    'outer',
  'drop view outer_view, inner_view; alter table item alter column code type text using upper(code)': [
    'items',
    'outer',
  ],
  'alter table item drop column n; alter table item add column n int default 5': ['items', 'twice'],
  'alter table item rename column n to m': ['items', 'twice'],
  'alter table item rename to former; alter table spare rename to item': ['items', 'twice'],
  'alter table item set schema public; alter schema public rename to former; alter schema attic rename to public':
    ['items'],
  "create or replace view one as select 2 as id, 'y'::text as code": 'none',
  'alter table child no inherit item': ['items', 'twice', 'outer'],
  'alter table part inherit item': ['items', 'twice', 'outer'],
  'drop table child': ['items', 'twice', 'outer'],
  'drop table if exists child cascade': ['items', 'twice', 'outer'],
};

describe('DDL drops the results that it changes:', () => {
  let orm: MikroORM;
  let other: MikroORM;
  let url: string;

  const start = (store: MemoryStore) =>
    MikroORM.init({
      clientUrl: url,
      entities: [Item, Twice, Outer, OfNone],
      discovery: { checkDuplicateTableNames: false },
      extensions: [cacheops({ store })],
    });

  beforeEach(async () => {
    url = await freshDatabase('definitions');
    const store = new MemoryStore();
    orm = await start(store);
    other = await start(store);
    await orm.em.getConnection().executeDump(DDL);
    await idle();
  });

  afterEach(async () => {
    await idle();
    await orm.close();
    await other.close();
  });

  const idle = () => Promise.all([orm, other].map(each => getCacheops(each).idle()));
  const answer = async (each: MikroORM, read: string) => {
    try {
      return JSON.stringify(await READS[read]!(each.em.fork()));
    } catch (error) {
      return (error as Error).name;
    }
  };

  async function expectNoticed(statement: string, writer: MikroORM, changed: readonly string[]) {
    const before = new Map<string, string>();
    for (const read of ALL) {
      before.set(read, await answer(orm, read));
      await answer(other, read);
      await idle();
      for (const each of [orm, other]) {
        expect(await sourcesOf(getCacheops(each), () => answer(each, read)), read).to.deep.equal(['cache']);
      }
    }
    for (const part of statement.split(/;(?=[^$]*$)/).filter(Boolean)) {
      await writer.em.fork().execute(part);
    }
    for (const read of ALL) {
      const truth = await getCacheops(orm).disabled(() => answer(orm, read));
      if (changed.includes(read)) {
        expect(truth, `${read} was to change`).not.to.equal(before.get(read));
      }
      for (const each of [orm, other]) {
        expect(await answer(each, read), `${read} in ${each === orm ? 'one' : 'another'} process`).to.equal(
          truth,
        );
      }
    }
  }

  for (const [statement, changed] of Object.entries(DEFINITIONS)) {
    it(`${statement}, in the same process`, () => expectNoticed(statement, orm, [changed].flat()));
    it(`${statement}, in another process`, () => expectNoticed(statement, other, [changed].flat()));
  }

  for (const revoke of [
    'revoke select on item from current_user',
    'do $$ begin revoke select on item from current_user; end $$',
  ]) {
    it(`${revoke}, by an owner`, async () => {
      const owner = new URL(url).pathname.slice(1);
      await orm.em
        .getConnection()
        .executeDump(`create role "${owner}" login; alter table item owner to "${owner}"`);
      const superuser = orm;
      const store = new MemoryStore();
      const former = url;
      await other.close();
      url = Object.assign(new URL(former), { username: owner }).href;
      orm = await start(store);
      other = await start(store);
      try {
        const items = (each: MikroORM) => answer(each, 'items');
        for (const each of [orm, other]) {
          await items(each);
          await idle();
          expect(await sourcesOf(getCacheops(each), () => items(each))).to.deep.equal(['cache']);
        }
        await orm.em.fork().execute(revoke);
        for (const each of [orm, other]) {
          expect(await items(each)).to.equal('DriverException');
        }
      } finally {
        await superuser.em
          .getConnection()
          .executeDump(
            `reassign owned by "${owner}" to current_user; drop owned by "${owner}"; drop role "${owner}"`,
          );
        await superuser.close();
      }
    });
  }
});
