import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { emptyEmbedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';

const cached = { ops: 'all', timeout: 60 } as const;
const Tag = defineEntity({
  name: 'Tag',
  cacheops: cached,
  properties: { id: p.integer().primary(), name: p.string() },
});
const Log = defineEntity({
  name: 'Log',
  cacheops: cached,
  properties: { id: p.integer().primary(), text: p.string() },
});
const Counter = defineEntity({
  name: 'Counter',
  cacheops: cached,
  properties: { id: p.integer().primary(), value: p.integer() },
});
const Invoice = defineEntity({
  name: 'Invoice',
  cacheops: cached,
  properties: { id: p.integer().primary(), number: p.integer().nullable(), note: p.string().nullable() },
});

const DDL = `
  create table tag (id int primary key, name text unique);
  create table log (id serial primary key, text text);
  create table counter (id int primary key, value int);
  create function next_number() returns int language sql as 'update counter set value = value + 1 where id = 1 returning value';
  create table invoice (id int primary key, number int default next_number(), note text);
  create function logged() returns trigger language plpgsql as 'begin insert into log (text) values (new.name); return new; end';
  create constraint trigger logged after update on tag deferrable initially deferred for each row execute function logged();
  create schema other; create table other.tag (id int primary key, name text);
  create view named as select * from tag where id > 0;
  insert into tag values (1, 'red'), (2, 'green'); insert into other.tag values (1, 'other');
  insert into counter values (1, 0)`;

const tag =
  (name: string): Step =>
  em =>
    em.find(Tag, { name });
const reddened = { changes: [tag('red'), tag('crimson')] };
const execute =
  (...statements: string[]): Step =>
  async em => {
    for (const statement of statements) {
      await em.execute(statement);
    }
  };

const PATHS: Record<string, WritePath> = {
  'in a query': {
    write: execute(`with x as (update tag set name = 'crimson' where id = 1 returning *) select * from x`),
    ...reddened,
  },
  'in a query of an INSERT': {
    write: execute(
      `with x as (update tag set name = 'crimson' where id = 1 returning *) insert into log (text) select name from x`,
    ),
    changes: [tag('red'), tag('crimson'), em => em.count(Log)],
  },
  'behind comments': {
    write: execute(`/* select /* 1 */ */ -- select\n update tag set name = 'crimson' where id = 1`),
    ...reddened,
  },
  'behind an empty statement': {
    write: execute(`; ;update tag set name = 'crimson' where id = 1;`),
    ...reddened,
  },
  'with strings that look like its end': {
    write: execute(`update tag set name = E'cri\\'; --mson' where name = $a$red$a$ and id = 1`),
    changes: [tag('red'), tag(`cri'; --mson`)],
    keeps: [tag('green')],
  },
  'of a name in escapes': {
    write: execute(`update U&"\\0074ag" set name = 'crimson' where id = 1`),
    ...reddened,
  },
  'of a name in escapes of its own': {
    write: execute(`update U&"!0074ag" uescape '!' set name = 'crimson' where id = 1`),
    ...reddened,
  },
  'through a view': { write: execute(`update named set name = 'crimson' where id = 1`), ...reddened },
  'in EXPLAIN ANALYZE': {
    write: execute(`explain (analyze) update tag set name = 'crimson' where id = 1`),
    ...reddened,
  },
  'MERGE that deletes and inserts': {
    write: execute(`merge into tag using (values (1), (3)) v (id) on v.id = tag.id
      when matched then delete when not matched then insert values (v.id, 'new')`),
    changes: [tag('red'), tag('new')],
  },
  'ON CONFLICT with a condition': {
    write: execute(
      `insert into tag values (1, 'crimson'), (2, 'lime') on conflict (id) do update set name = excluded.name where tag.id = 1`,
    ),
    changes: [tag('red'), tag('crimson')],
    keeps: [tag('green'), tag('lime')],
  },
  'by another search path': {
    write: execute(
      'set search_path to other, public',
      `update tag set name = 'away'`,
      'set search_path to public',
      `update tag set name = 'crimson' where id = 1`,
    ),
    ...reddened,
  },
  'of a table that hides behind a temporary one': {
    write: async em => {
      await em.execute('create temp table tag (id int, name text)');
      await em.execute(`update public.tag set name = 'crimson' where id = 1`);
      await em.execute('drop table pg_temp.tag');
    },
    ...reddened,
  },
  'at COMMIT, by a trigger that is deferred': {
    write: execute(`update tag set name = 'crimson' where id = 1`),
    changes: [em => em.find(Log, { text: 'crimson' }), em => em.count(Log)],
  },
  'by a default': {
    write: em => em.insert(Invoice, { id: 1 } as never),
    changes: [em => em.find(Counter, {}), em => em.find(Counter, { value: 1 })],
  },
  'by a default that an UPDATE asks for': {
    write: async em => {
      await em.execute('insert into invoice values (1, 7)');
      await em.execute('update invoice set number = default');
    },
    changes: [em => em.find(Counter, { value: 1 })],
  },
  'by a view that calls': {
    write: async em => {
      await em.execute('create view numbers as select next_number() as number');
      await em.find(Counter, { value: 1 });
      await em.execute('select * from numbers');
    },
    changes: [em => em.find(Counter, { value: 1 })],
  },
  'by a function in the notation of columns': {
    write: async em => {
      await em.execute(
        `create function redden(t tag) returns int language sql as 'update tag set name = ''crimson'' where id = 1 returning 1'`,
      );
      await tag('red')(em.fork());
      await tag('crimson')(em.fork());
      await em.execute('select t.redden from tag as t limit 1');
    },
    ...reddened,
  },
  'by ON COMMIT and a temporary table': {
    write: async em => {
      await em.transactional(async inner => {
        await (inner as typeof em).execute(
          `create temp table news on commit drop as select 1 as id, 'crimson' as name`,
        );
        await (inner as typeof em).execute('update tag set name = n.name from news n where n.id = tag.id');
      });
    },
    ...reddened,
  },
  'by EXECUTE': {
    write: execute(
      `prepare p (text) as update tag set name = $1 where id = 1`,
      `execute p ('crimson')`,
      'deallocate all',
    ),
    ...reddened,
  },
};

describe('A write that does not look like one is noticed:', () => {
  let started: Started;

  beforeEach(async () => {
    await (await emptyEmbedded()).exec(DDL);
    started = await join({ entities: [Tag, Log, Counter, Invoice] });
  });

  afterEach(() => started.orm.close());

  for (const [what, path] of Object.entries(PATHS)) {
    it(what, () => expectNoticed(started, path));
  }

  it('rows of a temporary table are not cached', async () => {
    const count = () => started.orm.em.fork().count(Tag);
    const execute = (sql: string) => started.orm.em.fork().execute(sql);
    await count();
    await started.cache.idle();
    expect(await sourcesOf(started.cache, count)).to.deep.equal(['cache']);
    for (const [make, end] of [
      ['create temp table tag (id int, name text)', 'discard temp'],
      ['create table pg_temp.tag as select 1 as id', 'drop table pg_temp.tag'],
      [`do 'begin create temporary table tag (id int); end'`, 'discard all'],
    ] as const) {
      await execute(make);
      for (let i = 0; i < 2; i++) {
        expect(await sourcesOf(started.cache, count))
          .to.have.lengthOf(1)
          .and.not.include('cache');
        await started.cache.idle();
      }
      await execute(end);
      // the settings of the session are read again
      for (let i = 0; i < 2; i++) {
        expect(await count()).to.equal(2);
        await started.cache.idle();
      }
      expect(await sourcesOf(started.cache, count)).to.deep.equal(['cache']);
    }
  });
});
