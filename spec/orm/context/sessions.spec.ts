import { defineEntity, p } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { cachedAs } from '../../../lib/index.js';
import { emptyEmbedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import { join, joinUncached, type Started } from '../support/start.js';

const cached = { ops: 'all', timeout: 60 } as const;
const properties = { id: p.integer().primary(), tenant: p.integer(), at: p.datetime(), size: p.double() };
const Open = defineEntity({ name: 'Open', cacheops: cached, properties });
const Guarded = defineEntity({ name: 'Guarded', cacheops: cached, properties });
const entities = [Open, Guarded];

const PECULIAR = 'a session with settings of its own';

type Em = EntityManager;

describe('Sessions', () => {
  let started: Started;
  let uncached: MikroORM;

  beforeEach(async () => {
    const database = await emptyEmbedded();
    await database.exec(`create table open (id int primary key, tenant int, at timestamptz, size double precision);
      insert into open values (1, 1, '2024-01-01 00:00Z', 0.1), (2, 2, '2024-01-01 20:00Z', 1.0 / 3);
      create table guarded as table open; alter table guarded enable row level security;
      drop role if exists reader; create role reader; grant usage on schema public to reader; grant select, update on open, guarded to reader;
      create policy p on guarded using (tenant = current_setting('app.tenant', true)::int);
      create schema other; create table other.open as table open; update other.open set tenant = 7`);
    started = await join({ entities });
    uncached = await joinUncached({ entities });
  });

  afterEach(async () => {
    await uncached.close();
    await started.orm.close();
    await emptyEmbedded();
  });

  it('with custom settings have separate keys', async () => {
    const keys: string[] = [];
    started.cache.events.on('read', ({ key }) => keys.push(key!));
    const contexts: (Record<string, string> | undefined)[] = [
      undefined,
      { 'app.tenant': '1' },
      { 'app.tenant': '2' },
      { 'app.user': '1' },
    ];
    for (const variables of contexts) {
      const em = started.orm.em.fork();
      if (variables) {
        em.setSessionContext({ variables });
      }
      expect(await em.find(Open, {})).to.have.length(2);
    }
    expect(new Set(keys).size).to.equal(4);
  });

  it('with custom settings that cannot be described are answered by the database', async () => {
    class Tenant {
      toString(): string {
        return '1';
      }
    }
    for (let i = 0; i < 2; i++) {
      const em = started.orm.em.fork();
      em.setSessionContext({ variables: { 'app.tenant': new Tenant() as never } });
      for (const read of [() => em.find(Open, {}), () => em.find(Open, { id: { $in: [1, 2] } })]) {
        expect(await sourcesOf(started.cache, read)).to.deep.equal(['options that have no key']);
      }
    }
  });

  it('with custom settings in the session context are answered by the cache', async () => {
    const read = (tenant: string) => {
      const em = started.orm.em.fork();
      em.setSessionContext({ variables: { 'app.tenant': tenant, 'app.user': "it's" } });
      return em.find(Open, {});
    };
    for (const tenant of ['1', '2']) {
      expect(await sourcesOf(started.cache, () => read(tenant))).to.deep.equal(['miss']);
      expect(await sourcesOf(started.cache, () => read(tenant))).to.deep.equal(['cache']);
    }
  });

  it('never share results that row-level security filters', async () => {
    for (const tenant of ['1', '2', '1', '2']) {
      const em = started.orm.em.fork();
      em.setSessionContext({ role: 'reader', variables: { 'app.tenant': tenant } });
      expect((await em.find(Guarded, {})).map(row => row.tenant)).to.deep.equal([Number(tenant)]);
      expect(await em.count(Guarded)).to.equal(1);
    }
    const superuser = () => started.orm.em.fork().find(Guarded, {});
    expect(await superuser()).to.have.length(2);
    expect(await sourcesOf(started.cache, superuser)).to.deep.equal(['row-level security on guarded']);
  });

  it('with another role neither read from the cache nor fill it', async () => {
    const read = () => {
      const em = started.orm.em.fork();
      em.setSessionContext({ role: 'reader', variables: {} });
      return em.find(Open, {});
    };
    expect(await sourcesOf(started.cache, () => started.orm.em.fork().find(Open, {}))).to.deep.equal([
      'miss',
    ]);
    for (let i = 0; i < 2; i++) {
      expect(await sourcesOf(started.cache, read)).to.deep.equal(['a session context with a role']);
    }
  });

  const SETTINGS = [
    'set local role reader',
    'set local search_path = other',
    `set local timezone = 'Asia/Tokyo'`,
    `set local time zone 'Asia/Tokyo'`,
    'set local extra_float_digits = -10',
    `select set_config('timezone', 'Asia/Tokyo', true)`,
    'set local transform_null_equals = on',
    'set local standard_conforming_strings = off',
  ];

  for (const setting of SETTINGS) {
    it(`with settings that change results neither read from the cache nor fill it: ${setting}`, async () => {
      const read = (em: Em) =>
        em.find(Open, { at: { $gte: '2024-01-01 12:00' as never } }, { orderBy: { id: 1 } });
      const ask = async (orm: MikroORM) =>
        orm.em.fork().transactional(async em => {
          await (em as Em).execute(setting);
          return JSON.stringify(await read(em as Em));
        });
      const usual = async (orm: MikroORM) => JSON.stringify(await read(orm.em.fork()));
      const [peculiar, plain] = [await ask(uncached), await usual(uncached)];
      for (const _ of ['filled', 'cached']) {
        expect(await ask(started.orm)).to.equal(peculiar);
        await started.cache.idle();
        expect(await usual(started.orm)).to.equal(plain);
        await started.cache.idle();
      }
      expect(await sourcesOf(started.cache, () => ask(started.orm))).to.deep.equal([PECULIAR]);
    });
  }

  it('that were changed for good neither fill the cache nor let it answer', async () => {
    const read = () => started.orm.em.fork().find(Open, { at: { $gte: '2024-01-01 12:00' as never } });
    await read();
    await started.cache.idle();
    expect(await sourcesOf(started.cache, read)).to.deep.equal(['cache']);
    await started.orm.em.execute(`set timezone = 'Asia/Tokyo'`);
    for (let i = 0; i < 3; i++) {
      expect(await sourcesOf(started.cache, read)).to.deep.equal([PECULIAR]);
      expect(await read()).to.have.length(1);
    }
    await started.orm.em.execute('reset timezone');
    expect(await sourcesOf(started.cache, read)).to.deep.equal(['cache']);
  });

  describe('after a statement that may have changed any setting', () => {
    const read = () => started.orm.em.fork().find(Open, { at: { $gte: '2024-01-01 12:00' as never } });
    const twice = async () => {
      await read();
      await started.cache.idle();
      return sourcesOf(started.cache, read);
    };
    const cases: Record<string, readonly [statement: string, source: string]> = {
      nothing: ['do $$ begin execute $x$ select 1 $x$; end $$', 'cache'],
      'settings of its transaction': [`do $$ begin set local timezone = 'Asia/Tokyo'; end $$`, 'cache'],
      'a setting to its old value': [`do $$ begin set timezone = default; end $$`, 'cache'],
      'settings that change no result': [
        `do $$ begin set work_mem = '8MB'; set app.tenant = '9'; end $$`,
        'cache',
      ],
      'settings that change results': [`do $$ begin set timezone = 'Asia/Tokyo'; end $$`, PECULIAR],
      'the search path': [`do $$ begin set search_path = other, public; end $$`, PECULIAR],
      'the role': [`do $$ begin set role reader; end $$`, PECULIAR],
      'the meaning of a name by a temporary table': [
        `do $$ begin execute 'create temporary table open as table other.open'; end $$`,
        PECULIAR,
      ],
    };
    for (const [what, [statement, source]] of Object.entries(cases)) {
      it(`results are ${source === 'cache' ? 'stored again' : 'not stored'} if it changes ${what}`, async () => {
        await started.orm.em.fork().count(Open);
        await started.orm.em.fork().execute(statement);
        expect(await twice()).to.deep.equal([source]);
        for (const undo of ['reset all', 'reset role', 'drop table if exists pg_temp.open']) {
          await started.orm.em.fork().execute(undo);
        }
      });
    }

    it('results are stored again once another statement resets the settings', async () => {
      await started.orm.em.fork().execute(`set timezone = 'Asia/Tokyo'`);
      expect(await twice()).to.deep.equal([PECULIAR]);
      await started.orm.em.fork().execute('reset timezone');
      expect(await twice()).to.deep.equal(['cache']);
    });

    it('results are stored again if its transaction fails', async () => {
      await started.orm.em
        .fork()
        .transactional(async em => {
          await (em as Em).execute('do $$ begin execute $x$ select 1 / 0 $x$; end $$');
        })
        .catch(() => undefined);
      expect(await twice()).to.deep.equal(['cache']);
    });
  });

  for (const scope of ['session', 'local']) {
    it(`share no results of functions that read custom settings (${scope})`, async () => {
      const tenant = cachedAs(Open, { name: 'tenant' })(async (em: Em): Promise<string> => {
        const [row] = await em.execute(`select current_setting('app.tenant', true) as tenant`);
        return row!.tenant;
      });
      for (const expected of ['1', '2', '1', '2']) {
        await started.orm.em.fork().transactional(async em => {
          await em.execute(`set ${scope} app.tenant = '${expected}'`);
          expect(await tenant(em)).to.equal(expected);
        });
        await started.cache.idle();
        if (scope === 'session') {
          expect(await tenant(started.orm.em.fork())).to.equal(expected);
          await started.cache.idle();
        }
      }
    });
  }

  it('let no function answer from the cache while custom settings are set for good', async () => {
    const tenant = cachedAs(Open, { name: 'tenant of the session' })(
      async (em: Em): Promise<string | null> => {
        const [row] = await em.execute(`select current_setting('app.tenant', true) as tenant`);
        return row!.tenant;
      },
    );
    const ask = async () => {
      const found = await tenant(started.orm.em.fork());
      await started.cache.idle();
      return found;
    };
    const before = await ask();
    expect(before).not.to.equal('7');
    await started.orm.em.fork().execute(`set app.tenant = '7'`);
    expect(await ask()).to.equal('7');
    const read = () => started.orm.em.fork().find(Open, {});
    await read();
    await started.cache.idle();
    expect(await sourcesOf(started.cache, read)).to.deep.equal(['cache']);
  });

  it('with a temporary table that hides another do not fill the cache', async () => {
    const read = () => started.orm.em.fork().find(Open, {});
    await started.orm.em.execute('create temporary table open as select * from public.open where id = 1');
    expect(await read()).to.have.length(1);
    await started.cache.idle();
    await started.orm.em.execute('drop table pg_temp.open');
    expect(await read()).to.have.length(2);
  });

  for (const setting of [
    'set local statement_timeout = 10000',
    `set local application_name = 'spec'`,
    'set local enable_seqscan = off',
    `set local app.tenant = '7'`,
  ]) {
    it(`with settings that change no result use the cache: ${setting}`, async () => {
      const read = () => started.orm.em.fork().find(Open, {});
      await read();
      await started.cache.idle();
      const again = () =>
        started.orm.em.fork().transactional(async em => {
          await (em as Em).execute(setting);
          await em.find(Open, {});
        });
      expect(await sourcesOf(started.cache, again)).to.deep.equal(['cache']);
    });
  }
});
