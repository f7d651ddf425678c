import { defineEntity, MikroORM, type Options, p, raw } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { type Cacheops, cachedAs, cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import { freshDatabase } from '../../support/servers.js';
import { until } from '../../support/until.js';
import { sourcesOf } from '../support/observe.js';

const Event = defineEntity({
  name: 'Event',
  cacheops: { ops: 'all', timeout: 60 },
  properties: {
    id: p.integer().primary(),
    at: p.string().columnType('timestamptz'),
    local: p.datetime().columnType('timestamp'),
    span: p.string().columnType('interval'),
    size: p.double(),
    name: p.text().nullable(),
    bytes: p.blob().lazy(),
    day: p.string().formula(({ at }) => `(${at})::date::text`),
    hex: p.string().formula(({ bytes }) => `(${bytes})::text`),
  },
});

type Em = MikroORM['em'];

const ROWS = `drop table if exists event; create table event (id int primary key, at timestamptz, local timestamp,
    span interval, size double precision, bytes bytea, name text collate "C");
  insert into event values (1, '2024-01-01 00:00Z', '2024-03-31 02:30', '1 day 2 hours', 0.1, '\\x00ff'),
    (2, '2024-01-01 20:00Z', '2024-02-01 00:00', '1 month', 1.0 / 3, '\\x61')`;
const OTHER = `create schema if not exists other; drop table if exists other.event; create table other.event as table event;
  update other.event set size = 7`;

const READS: Record<string, (em: Em) => Promise<unknown>> = {
  rows: em => em.find(Event, {}, { orderBy: { id: 1 } }),
  'a condition without a zone': em =>
    em.find(Event, { at: { $gte: '2024-01-01 12:00' } }, { fields: ['id'] }),
  'a condition on a formula': em => em.count(Event, { day: '2024-01-02' }),
  'groups by day': em =>
    em
      .createQueryBuilder(Event, 'e')
      .select([raw('e.at::date::text as day'), raw('count(*) as n')])
      .groupBy(raw('e.at::date'))
      .orderBy({ [raw('1')]: 'asc' })
      .execute('all'),
};

describe('Settings that no statement sets', () => {
  let url: string;
  let store: MemoryStore;
  const opened: MikroORM[] = [];

  before(async () => {
    url = await freshDatabase('settings');
  });

  beforeEach(async () => {
    store = new MemoryStore();
    const { orm, cache } = await open({});
    await orm.em.getConnection().executeDump(`${ROWS}; ${OTHER}`);
    // lifts the quarantines of a new store
    await orm.em.fork().find(Event, {});
    await cache.invalidateAll();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map(orm => orm.close(true)));
  });

  async function open(options: Partial<Options>, cached = true): Promise<{ orm: MikroORM; cache: Cacheops }> {
    const orm = await MikroORM.init({
      clientUrl: url,
      entities: [Event],
      ...options,
      ...(cached && { extensions: [cacheops({ store })] }),
    });
    opened.push(orm);
    return { orm, cache: cached ? getCacheops(orm) : (undefined as never) };
  }

  const connecting = (options: string): Partial<Options> => ({ driverOptions: { options } });

  /** Each returns what an ORM without a cache returns, in any order of reads. */
  async function expectApart(all: readonly Partial<Options>[], reads = READS): Promise<void> {
    const pairs = [];
    for (const options of all) {
      pairs.push({ cached: await open(options), plain: await open(options, false) });
    }
    for (const [what, read] of Object.entries(reads)) {
      for (const round of ['filled', 'cached']) {
        for (const [i, { cached, plain }] of pairs.entries()) {
          const expected = JSON.stringify(await read(plain.orm.em.fork()));
          const sources = await sourcesOf(cached.cache, async () => {
            expect(JSON.stringify(await read(cached.orm.em.fork())), `${what}, ${i}, ${round}`).to.equal(
              expected,
            );
          });
          expect(sources, `${what}, ${i}, ${round}`).to.have.length(1);
          if (round === 'cached') {
            expect(sources, `${what}, ${i}`).to.deep.equal(['cache']);
          }
        }
      }
    }
  }

  const OPTIONS = [
    '-c timezone=Asia/Tokyo',
    '-c datestyle=SQL,DMY',
    '-c intervalstyle=iso_8601',
    '-c bytea_output=escape',
    '-c extra_float_digits=-10',
    '-c search_path=other,public',
    '-c timezone=Asia/Tokyo -c datestyle=German',
  ];

  for (const options of OPTIONS) {
    it(`belong to the key if options of the connection set them: ${options}`, async () => {
      await expectApart([{}, connecting(options), {}]);
    });
  }

  it('belong to the key if ALTER ROLE or ALTER DATABASE sets them', async () => {
    const name = new URL(url).pathname.slice(1);
    const { orm } = await open({}, false);
    const one = await open({});
    const read = async (em: Em) => JSON.stringify(await READS['a condition on a formula']!(em));
    const before = await read(one.orm.em.fork());
    await one.cache.idle();
    for (const [setting, reset] of [
      [`alter database "${name}" set timezone = 'Asia/Tokyo'`, `alter database "${name}" reset all`],
      [
        `alter role current_user in database "${name}" set timezone = 'Asia/Tokyo'`,
        `alter role current_user in database "${name}" reset all`,
      ],
    ] as const) {
      await orm.em.execute(setting);
      const [other, plain] = [await open({}), await open({}, false)];
      const expected = await read(plain.orm.em.fork());
      expect(expected).not.to.equal(before);
      for (const _ of ['filled', 'cached']) {
        expect(await read(other.orm.em.fork())).to.equal(expected);
        await other.cache.idle();
        expect(await read(one.orm.em.fork())).to.equal(before);
        await one.cache.idle();
      }
      await orm.em.execute(reset);
    }
  });

  it('belong to the key if a hook of the pool sets them', async () => {
    const onCreateConnection: Options['onCreateConnection'] = async connection => {
      await (connection as any).executeQuery({
        sql: `set timezone = 'Asia/Tokyo'`,
        parameters: [],
        query: { kind: 'RawNode' },
        queryId: {},
      });
    };
    const onPoolCreated = (pool: any) => {
      pool.on('connect', (client: any) => client.query(`set timezone = 'America/New_York'`));
    };
    await expectApart([{}, { onCreateConnection }, { driverOptions: { onPoolCreated } as never }]);
  });

  it('belong to the key if they are the time zone of the process', async () => {
    const before = process.env.TZ;
    const orms = {
      UTC: await open({ forceUtcTimezone: false }),
      'Asia/Tokyo': await open({ forceUtcTimezone: false }),
    };
    const plain = await open({ forceUtcTimezone: false }, false);
    try {
      for (const _ of ['filled', 'cached']) {
        for (const [zone, { orm, cache }] of Object.entries(orms)) {
          process.env.TZ = zone;
          for (const find of [
            (em: Em) => em.find(Event, {}, { orderBy: { id: 1 }, fields: ['local'] }),
            (em: Em) =>
              em.createQueryBuilder(Event).select(['id', 'local']).orderBy({ id: 1 }).getResultList(),
          ]) {
            const expected = JSON.stringify(await find(plain.orm.em.fork()));
            expect(JSON.stringify(await find(orm.em.fork())), zone).to.equal(expected);
            await cache.idle();
          }
        }
      }
    } finally {
      process.env.TZ = before;
      if (before === undefined) {
        delete process.env.TZ;
      }
    }
  });

  it('belong to the key if they are the type parsers of the process', async () => {
    const onPoolCreated = (parser: (text: string) => unknown) => (pool: any) => {
      pool.options.types.setTypeParser(701, parser);
    };
    const multiplied = (factor: number) => (text: string) => Number(text) * factor;
    const parsers = [
      (text: string) => Number(text) + 1,
      (text: string) => Number(text) + 2,
      multiplied(2),
      multiplied(3),
    ];
    await expectApart([
      {},
      ...parsers.map(parser => ({ driverOptions: { onPoolCreated: onPoolCreated(parser) } as never })),
    ]);
  });

  it('are shared between processes for type parsers whose source text shows everything, otherwise a warning is logged', async () => {
    const warnings: string[] = [];
    const factor = Math.random();
    const sources = async (parser: (text: string) => unknown) => {
      const found: string[] = [];
      for (let i = 0; i < 2; i++) {
        const { orm, cache } = await open({
          logger: text => warnings.push(text),
          colors: false,
          debug: ['info'],
          driverOptions: {
            onPoolCreated: (pool: any) => pool.options.types.setTypeParser(701, parser),
          } as never,
        });
        found.push(...(await sourcesOf(cache, () => orm.em.fork().find(Event, {}))));
      }
      return found;
    };
    expect(await sources(text => Number(text) + 1)).to.deep.equal(['miss', 'cache']);
    const logged = () => warnings.filter(text => text.includes('cacheops:'));
    expect(logged()).to.deep.equal([]);
    await sources(text => Number(text) * factor);
    expect(logged()).to.have.length(2);
    expect(logged()[0]).to.include(
      'cacheops: the parser of type 701 may use values that its source text does not show',
    );
  });

  it('belong to the key of functions too, also custom settings', async () => {
    const name = new URL(url).pathname.slice(1);
    const { orm } = await open({}, false);
    await orm.em.execute(`alter database "${name}" set app.tenant = 'all'`);
    const asked = cachedAs(Event, { name: 'asked', timeout: 60 })(async (em: Em): Promise<string> => {
      const rows = await em.execute(
        `select at::text, current_setting('app.tenant', true) as tenant from event order by id`,
      );
      return JSON.stringify(rows);
    });
    const pairs = [];
    for (const options of [
      {},
      connecting('-c timezone=Asia/Tokyo'),
      connecting('-c app.tenant=one'),
      connecting('-c app.tenant=two'),
    ]) {
      pairs.push({ cached: await open(options), plain: await open(options, false) });
    }
    const values = new Set<string>();
    for (const _ of ['filled', 'cached']) {
      for (const { cached, plain } of pairs) {
        const expected = JSON.stringify(
          await plain.orm.em.execute(
            `select at::text, current_setting('app.tenant', true) as tenant from event order by id`,
          ),
        );
        expect(await asked(cached.orm.em.fork())).to.equal(expected);
        await cached.cache.idle();
        values.add(expected);
      }
    }
    expect(values.size).to.equal(4);
    await orm.em.execute(`alter database "${name}" reset app.tenant`);
  });

  it('of PostgreSQL extensions belong to the key of queries with declared tables', async () => {
    const { orm: plain } = await open({}, false);
    await plain.em.execute('create extension if not exists pg_trgm');
    await plain.em.execute(`update event set name = 'word' where id = 1`);
    const alike = (em: Em) =>
      em.find(Event, { [raw(`name % 'words'`)]: [] }, { fields: ['id'], cacheops: { tables: ['event'] } });
    const strict = '-c pg_trgm.similarity_threshold=0.9';
    await expectApart([{}, connecting(strict)], { alike });
    const { orm, cache } = await open({});
    const count = async (em: Em) => (await alike(em)).length;
    for (const _ of ['filled', 'cached']) {
      await orm.em.fork().transactional(async em => {
        expect(await count(em)).to.equal(1);
        await em.execute('set local pg_trgm.similarity_threshold = 0.9');
        expect(await count(em)).to.equal(0);
      });
      await cache.idle();
      expect(await count(orm.em.fork())).to.equal(1);
      await cache.idle();
    }
  });

  it('that change no result are not in the key', async () => {
    const one = await open({});
    await one.orm.em.fork().find(Event, {});
    await one.cache.idle();
    for (const options of [
      '-c application_name=x -c work_mem=1MB',
      '-c statement_timeout=9000 -c enable_seqscan=off -c jit=off',
      '-c synchronous_commit=off -c log_statement=all',
    ]) {
      const { orm, cache } = await open(connecting(options));
      expect(await sourcesOf(cache, () => orm.em.fork().find(Event, {})), options).to.deep.equal(['cache']);
    }
  });

  it('are those of the newest connection; an older connection stores nothing', async () => {
    const name = new URL(url).pathname.slice(1);
    const { orm, cache } = await open({ pool: { min: 0, max: 2 } });
    const read = (em: Em) => em.find(Event, { at: { $gte: '2024-01-01 12:00' } }, { fields: ['id'] });
    const count = async () => (await read(orm.em.fork())).length;
    expect(await count()).to.equal(1);
    await cache.idle();
    await orm.em.execute(`alter database "${name}" set timezone = 'America/New_York'`);
    // a second connection, while the first is held
    await orm.em.fork().transactional(async held => {
      await held.execute('select 1');
      await orm.em.fork().transactional(async em => {
        expect((await read(em)).length).to.equal(1);
        await cache.idle();
        expect(await sourcesOf(cache, () => read(em))).to.deep.equal(['cache']);
        expect(await sourcesOf(cache, () => read(held))).to.deep.equal([
          'a session with settings of its own',
        ]);
      });
    });
    await orm.em.execute(`alter database "${name}" reset timezone`);
  });

  it('that change type parsers prevent page bounds', async () => {
    const onPoolCreated = (pool: any) => {
      pool.options.types.setTypeParser(25, (text: string) => text.toLowerCase());
    };
    const reader = await open({ driverOptions: { onPoolCreated } as never });
    const writer = await open({});
    await writer.orm.em.fork().execute(`update event set name = 'B' where id = 1`);
    const last = async (orm: MikroORM) => {
      const where = { name: { $ne: null } };
      const page = await orm.em
        .fork()
        .find(Event, where, { orderBy: { name: -1 }, limit: 1, fields: ['name'] });
      return page.map(({ name }) => name);
    };
    expect(await last(reader.orm)).to.deep.equal(['b']);
    await reader.cache.idle();
    await writer.orm.em.fork().nativeUpdate(Event, { id: 2 }, { name: 'a' });
    expect(await last(reader.orm)).to.deep.equal(['a']);
  });

  it('decide which table a write changes', async () => {
    const reader = await open({});
    const writer = await open(connecting('-c search_path=other,public'));
    const read = (em: Em, schema: string) => em.count(Event, { size: 7 }, { schema });
    const count = (schema: string) => read(reader.orm.em.fork(), schema);
    expect([await count('other'), await count('public')]).to.deep.equal([2, 0]);
    await reader.cache.idle();
    await writer.orm.em.fork().execute('update event set size = 8');
    expect([await count('other'), await count('public')]).to.deep.equal([0, 0]);
  });

  it('decide how a statement is analysed', async () => {
    const reader = await open({});
    const writer = await open(connecting('-c standard_conforming_strings=off'));
    const read = () => reader.orm.em.fork().count(Event, { size: 7 });
    expect(await read()).to.equal(0);
    await reader.cache.idle();
    await writer.orm.em.fork().execute(`select '\\''; update event set size = 7 --'`);
    expect(await read()).to.equal(2);
  });

  describe('that PostgreSQL reports', () => {
    const byDay = (em: Em) => em.count(Event, { day: '2024-01-02' });

    it('are read again after a reload of the configuration: the first query notices it', async () => {
      const owner = await open({}, false);
      const { orm, cache } = await open({});
      const other = await open({});
      const sources = (of: typeof other, read = byDay) => sourcesOf(of.cache, () => read(of.orm.em.fork()));
      expect(await byDay(orm.em.fork())).to.equal(0);
      try {
        for (const { zone, expected } of [
          { zone: 'Asia/Tokyo', expected: 1 },
          { zone: 'UTC', expected: 0 },
        ]) {
          await sources(other);
          await owner.orm.em.execute(`alter system set timezone = '${zone}'`);
          await owner.orm.em.execute('select pg_reload_conf()');
          const plain = () => owner.orm.em.fork().count(Event, { day: '2024-01-02' });
          await until(async () => (await plain()) === expected);
          // any query of the process
          await orm.em.fork().execute('select 1');
          for (const _ of ['filled', 'cached']) {
            expect(await byDay(orm.em.fork()), zone).to.equal(expected);
            await cache.idle();
          }
          expect(await sources({ orm, cache }), zone).to.deep.equal(['cache']);
          // the query that notices it is not stored
          const size = (em: Em) => em.count(Event, { day: '2024-01-02', size: { $gt: Math.random() - 1 } });
          expect(await sources(other, size)).to.deep.equal(['miss']);
          expect(await byDay(other.orm.em.fork()), zone).to.equal(expected);
        }
      } finally {
        await owner.orm.em.execute('alter system reset timezone');
        await owner.orm.em.execute('select pg_reload_conf()');
      }
    });

    it('are read again if another client of a pooler leaves them: the first query notices it', async () => {
      const clients: any[] = [];
      const onPoolCreated = (pool: any) => pool.on('connect', (client: any) => clients.push(client));
      const { orm, cache } = await open({
        driverOptions: { onPoolCreated } as never,
        pool: { min: 0, max: 1 },
      });
      const read = () => byDay(orm.em.fork());
      for (const [zone, expected] of [
        ['UTC', 0],
        ['Asia/Tokyo', 1],
        ['UTC', 0],
      ] as const) {
        // over the same session, but not through the ORM
        await clients[0]?.query(`set timezone = '${zone}'`);
        await orm.em.fork().execute('select 1');
        for (const _ of ['filled', 'cached']) {
          expect(await read(), zone).to.equal(expected);
          await cache.idle();
        }
      }
    });

    it('cost no statement if a statement of the application changes them', async () => {
      const statements: string[] = [];
      const { orm, cache } = await open({
        debug: ['cacheops'] as never,
        logger: text => statements.push(text),
        pool: { min: 0, max: 1 },
      });
      await byDay(orm.em.fork());
      await cache.idle();
      statements.length = 0;
      await orm.em.fork().transactional(async em => {
        await em.execute(`set local timezone = 'Asia/Tokyo'`);
        expect(await byDay(em)).to.equal(1);
      });
      // PostgreSQL reports `is_superuser` then, which it does not list
      await orm.em.fork().transactional(em => em.execute('set local role pg_monitor'));
      expect(await sourcesOf(cache, () => byDay(orm.em.fork()))).to.deep.equal(['cache']);
      expect(statements.filter(text => text.includes('pg_settings'))).to.deep.equal([]);
    });
  });

  it('that a hook may change at each acquisition of a connection prevent caching', async () => {
    const zones = ['UTC', 'Asia/Tokyo'];
    const onReserveConnection: Options['onReserveConnection'] = async connection => {
      const sql = `set timezone = '${zones.at(-1)}'`;
      await (connection as any).executeQuery({
        sql,
        parameters: [],
        query: { kind: 'RawNode' },
        queryId: {},
      });
    };
    const { orm } = await open({ onReserveConnection });
    const count = () => orm.em.fork().count(Event, { day: '2024-01-02' });
    expect(await count()).to.equal(1);
    zones.pop();
    expect(await count()).to.equal(0);
  });
});
