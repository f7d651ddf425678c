import { defineEntity, type EntityManager, IsolationLevel, p } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import { freshDatabase } from '../../support/servers.js';
import { sourcesOf } from '../support/observe.js';

const cached = { ops: 'all', timeout: 60 } as const;
const properties = { id: p.integer().primary(), n: p.integer() };
const Audit = defineEntity({ name: 'Audit', cacheops: cached, properties });
const Chained = defineEntity({ name: 'Chained', cacheops: cached, properties });
const Bystander = defineEntity({ name: 'Bystander', cacheops: cached, properties });

const TABLES = `
  create table audit (id int primary key, n int); insert into audit values (1, 0);
  create table chained (id int primary key, n int); insert into chained values (1, 0);
  create table bystander (id int primary key, n int);
  create table plain (id int primary key, n int default 1); insert into plain values (1);
  create materialized view numbers as select id from plain;
  create function chain() returns trigger language plpgsql as
    $$ begin update chained set n = n + 1; return null; end $$;
  create trigger chain after update on audit for each statement execute function chain();
  create function make() returns int language plpgsql as $$ begin create table made (); return 1; end $$;
  create procedure make_all() language plpgsql as $$ begin create table made (); end $$;
  create function make_by_trigger() returns trigger language plpgsql as
    $$ begin create table made (); return new; end $$;
  create table hook (id int primary key);
  create trigger hook before insert on hook for each row execute function make_by_trigger();
  create function noted() returns event_trigger language plpgsql as
    $$ begin update audit set n = n + 1; end $$;`;

const triggerAt = (event: string) => `create event trigger noted on ${event} execute function noted();`;

const AT_END = {
  COMMENT: 'comment on table plain is null',
  GRANT: 'grant select on plain to public',
  'CREATE TABLE': 'create table more ()',
  'CREATE TABLE AS': 'create table more as select 1 as n',
  'SELECT INTO': 'select 1 as n into more',
  'ALTER TABLE': 'alter table plain add column more int',
  'CREATE INDEX': 'create index on plain (n)',
  'CREATE INDEX CONCURRENTLY': 'create index concurrently on plain (n)',
  'REFRESH MATERIALIZED VIEW': 'refresh materialized view numbers',
  'a block of code': 'do $$ begin comment on table plain is null; end $$',
  'a block of code that executes': `do $$ begin execute 'comment on table plain is null'; end $$`,
  'several statements': 'select 1; comment on table plain is null',
  'a function': 'select make()',
  'a procedure': 'call make_all()',
  'a trigger': 'insert into hook values (1)',
};

const CASES: Record<string, readonly [event: string, statement: string]> = {
  ...Object.fromEntries(
    Object.entries(AT_END).map(([name, sql]) => [`ddl_command_end after ${name}`, ['ddl_command_end', sql]]),
  ),
  'ddl_command_start before COMMENT': ['ddl_command_start', 'comment on table plain is null'],
  'sql_drop after DROP TABLE': ['sql_drop', 'drop table hook'],
  'sql_drop after ALTER TABLE': ['sql_drop', 'alter table plain drop column n'],
  'table_rewrite in ALTER TABLE': ['table_rewrite', 'alter table plain alter column n type bigint'],
};

describe('Writes of an event trigger are noticed, even by processes that do not know it:', () => {
  let orm: MikroORM;
  let other: MikroORM;

  beforeEach(async () => {
    const clientUrl = await freshDatabase('events');
    const store = new MemoryStore();
    const start = () =>
      MikroORM.init({
        clientUrl,
        entities: [Audit, Chained, Bystander],
        extensions: [cacheops({ store })],
      });
    [orm, other] = [await start(), await start()];
    await orm.em.getConnection().executeDump(TABLES);
  });

  afterEach(async () => {
    await idle();
    await orm.close();
    await other.close();
  });

  const idle = () => Promise.all([orm, other].map(each => getCacheops(each).idle()));
  const audit = (each: MikroORM) => async () => (await each.em.fork().findOneOrFail(Audit, 1)).n;
  const chained = (each: MikroORM) => async () => (await each.em.fork().findOneOrFail(Chained, 1)).n;
  const bystanders = (each: MikroORM) => async () => each.em.fork().count(Bystander);
  const warm = async () => {
    for (const each of [orm, other]) {
      for (const read of [audit(each), chained(each), bystanders(each)]) {
        await read();
        await idle();
        expect(await sourcesOf(getCacheops(each), read)).to.deep.equal(['cache']);
      }
    }
  };
  const expectFired = async (): Promise<number> => {
    const fired = await getCacheops(orm).disabled(audit(orm));
    expect(fired).to.be.greaterThan(0);
    for (const each of [orm, other]) {
      expect([await audit(each)(), await chained(each)()]).to.deep.equal([fired, fired]);
    }
    return fired;
  };
  /** Without the cache, as another program does. */
  const behind = (sql: string) =>
    MikroORM.init({
      clientUrl: orm.config.get('clientUrl')!,
      entities: [],
      discovery: { warnWhenNoEntities: false },
    }).then(async plain => {
      await plain.em.getConnection().executeDump(sql);
      await plain.close();
    });

  for (const [name, [event, statement]] of Object.entries(CASES)) {
    it(name, async () => {
      await behind(triggerAt(event));
      await warm();
      await orm.em.fork().execute(statement);
      await expectFired();
    });

    it(`${name}, by a new trigger of another program`, async () => {
      await warm();
      await behind(triggerAt(event));
      await orm.em.fork().execute(statement);
      await expectFired();
    });
  }

  it('a transaction, by a new trigger', async () => {
    await warm();
    await behind(triggerAt('ddl_command_end'));
    await orm.em.fork().transactional(async (em: EntityManager) => {
      await (em as typeof orm.em).execute('comment on table plain is null');
    });
    await expectFired();
  });

  it('a transaction with an older snapshot, by a new trigger', async () => {
    await warm();
    await orm.em.fork().transactional(
      async em => {
        await em.execute('select 1 from plain');
        await behind(triggerAt('ddl_command_end'));
        await em.execute('comment on table plain is null');
      },
      { isolationLevel: IsolationLevel.REPEATABLE_READ },
    );
    await expectFired();
  });

  it('other tables stay cached', async () => {
    await behind(triggerAt('ddl_command_end'));
    await warm();
    await orm.em.fork().execute('comment on table plain is null');
    await idle();
    expect(await sourcesOf(getCacheops(orm), bystanders(orm))).to.deep.equal(['cache']);
    expect(await expectFired()).to.equal(1);
  });
});
