import { defineEntity, p } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { cacheops, getCacheops, MemoryStore, RedisStore, type Store } from '../../../lib/index.js';
import { askDatabaseName } from '../../../lib/orm/catalog/catalog.js';
import { catalogOf } from '../../../lib/orm/protocol/virtual_tables.js';
import { freshDatabase, redisUrl } from '../../support/servers.js';
import { sourcesOf } from '../support/observe.js';

const LEDGER = '(select coalesce(sum(amount), 0)::int from ledger)';

const TABLES = `drop schema public cascade; create schema public;
  create table ledger (id int primary key, amount int not null);
  insert into ledger values (1, 1);
  create type mood as enum ('low', 'high');
  create table thing (id int primary key, n int not null, name text not null, mood mood not null, number int);
  insert into thing values (1, 1, 'one', 'low', 1), (2, 2, 'two', 'high', 2);`;

const sqlFunction = (signature: string, result: string, body: string) =>
  `create function ${signature} returns ${result} language sql stable as $f$ ${body} $f$;`;

/** DDL of one process, and an expression on `t`, a row of `thing`, that another process evaluates afterwards. */
const DEFINED: Record<string, readonly [definitions: string, expression: string]> = {
  'an overload of a function of PostgreSQL': [
    sqlFunction('power(int, text)', 'int', `select $1 + ${LEDGER}`),
    'power(t.n, t.name)',
  ],
  'an overload in several statements': [
    `select 1; ${sqlFunction('power(int, text)', 'int', `select $1 + ${LEDGER}`)} select 2`,
    'power(t.n, t.name)',
  ],
  'an overload by a block of code': [
    `do $do$ begin execute 'create function pow' || 'er(int, text) returns int language sql stable as
      $f$ select $1 + (select amount from ledger) $f$'; end $do$`,
    'power(t.n, t.name)',
  ],
  'an aggregate': [
    `${sqlFunction('add_up(int, text)', 'int', `select coalesce($1, 0) + length($2) + ${LEDGER}`)}
     create aggregate avg(text) (sfunc = add_up, stype = int);`,
    '(select avg(u.name) from thing as u)',
  ],
  'an operator': [
    `${sqlFunction('beyond(int, text)', 'int', `select $1 + ${LEDGER}`)}
     create operator + (leftarg = int, rightarg = text, function = beyond);`,
    't.n + t.name',
  ],
  'an operator of an enum': [
    `${sqlFunction('above(mood, int)', 'boolean', `select $2 < ${LEDGER}`)}
     create operator > (leftarg = mood, rightarg = int, function = above);`,
    't.mood > 1',
  ],
  'a cast': [
    `${sqlFunction('described(int)', 'text', `select ($1 + ${LEDGER})::numeric::text`)}
     create cast (int as text) with function described(int);`,
    't.n::text',
  ],
  'a domain of a name that is a keyword': [
    `${sqlFunction('allowed(int)', 'boolean', `select $1 < 10 * ${LEDGER}`)}
     create domain "integer" as int check (allowed(value));`,
    't.n::"integer"',
  ],
  'a view in place of a table': [
    `alter table thing rename to things;
     create view thing as select id, n + ${LEDGER} as n, name, mood, number from things;`,
    't.n',
  ],
  'a new view of a new view': [
    `create view summary as select ${LEDGER} as total; create view report as select total from summary;`,
    '(select r.total from report as r)',
  ],
};

function thing(expression: string) {
  return defineEntity({
    name: 'Thing',
    tableName: 'thing',
    cacheops: { ops: 'all', timeout: 60 },
    properties: {
      id: p.integer().primary(),
      name: p.string(),
      value: p
        .type('any' as never)
        .persist(false)
        .lazy()
        .formula(table => expression.replaceAll(/\bt(?=[.)\s])/g, String(table))),
    },
  });
}

const STORES: Record<string, () => Promise<() => Store>> = {
  'a memory store that both share': async () => {
    const store = new MemoryStore();
    return () => store;
  },
  Redis: async () => {
    const url = await redisUrl();
    const prefix = `${crypto.randomUUID()}:`;
    return () => new RedisStore(url, { prefix });
  },
};

for (const [where, open] of Object.entries(STORES)) {
  describe(`A process that only reads while another process runs DDL, over ${where}`, () => {
    let clientUrl: string;
    let stores: Store[];
    let newStore: () => Store;
    let definer: MikroORM;
    const opened: MikroORM[] = [];

    before(async () => {
      clientUrl = await freshDatabase('defined');
    });

    beforeEach(async () => {
      const open1 = await open();
      stores = [];
      newStore = () => {
        const store = open1();
        stores.push(store);
        return store;
      };
      definer = await start('t.n');
      await definer.em.execute(TABLES);
    });

    afterEach(async () => {
      for (const orm of opened.splice(0)) {
        await orm.close();
      }
      await Promise.all(stores.map(store => store.close()));
    });

    async function start(expression: string, isCached = true) {
      const orm = await MikroORM.init({
        clientUrl,
        entities: [thing(expression)],
        metadataProvider: ReflectMetadataProvider,
        extensions: isCached ? [cacheops({ store: newStore() })] : [],
      });
      opened.push(orm);
      return orm;
    }

    /** A process that has read the catalog, and stores results. */
    async function startReader(expression: string) {
      const orm = await start(expression);
      await names(orm);
      await getCacheops(orm).idle();
      expect(await sourcesOf(getCacheops(orm), () => names(orm))).to.deep.equal(['cache']);
      return orm;
    }

    const names = (orm: MikroORM) => orm.em.fork().find('Thing' as never, {});

    async function values(orm: MikroORM): Promise<unknown> {
      try {
        const options = { populate: ['value'], orderBy: { id: 1 } } as never;
        const found = await orm.em.fork().find('Thing' as never, {}, options);
        return found.map(row => (row as { value?: unknown }).value);
      } catch (error) {
        return (error as { code?: string }).code; // a check that fails
      }
    }

    async function expectFresh(reader: MikroORM, plain: MikroORM) {
      const truths = new Set<string>();
      for (const amount of [0, 5, 0, 40]) {
        await definer.em.fork().execute('update ledger set amount = ?', [amount]);
        await getCacheops(definer).idle();
        const truth = await values(plain);
        truths.add(JSON.stringify(truth));
        for (let i = 0; i < 2; i++) {
          expect(await values(reader), `at ${amount}`).to.deep.equal(truth);
          await getCacheops(reader).idle();
        }
      }
      expect(truths.size).to.be.greaterThan(1);
    }

    for (const [what, [definitions, expression]] of Object.entries(DEFINED)) {
      it(`reads fresh results after each later write: ${what}`, async () => {
        const reader = await startReader(expression);
        const plain = await start(expression, false);
        await definer.em.execute(definitions);
        await expectFresh(reader, plain);
      });
    }

    const OVERLOAD = DEFINED['an overload of a function of PostgreSQL']!;

    it('reads fresh results if the DDL is committed long after it was executed', async () => {
      const reader = await startReader(OVERLOAD[1]);
      const plain = await start(OVERLOAD[1], false);
      const em = definer.em.fork();
      await em.begin();
      await em.execute(OVERLOAD[0]);
      // in the committed catalog the function does not exist
      expect(await values(reader)).to.equal('42883');
      await names(reader);
      await em.commit();
      await expectFresh(reader, plain);
    });

    it('reads fresh results if it has read the catalog while the DDL was not committed', async () => {
      const plain = await start(OVERLOAD[1], false);
      const em = definer.em.fork();
      await em.begin();
      await em.execute(OVERLOAD[0]);
      const reader = await startReader(OVERLOAD[1]);
      await em.commit();
      await expectFresh(reader, plain);
    });

    it('reads fresh results if its own process has rolled DDL back', async () => {
      await definer.em.execute(OVERLOAD[0]);
      const reader = await startReader(OVERLOAD[1]);
      const plain = await start(OVERLOAD[1], false);
      const em = reader.em.fork();
      await em.begin();
      await em.execute('drop function power(int, text)');
      await em.execute('insert into ledger values (2, 0)');
      await values(reader);
      await em.rollback();
      await expectFresh(reader, plain);
    });

    it('reads fresh results if the DDL is prepared, and its mark is lost before it is committed', async () => {
      const plain = await start(OVERLOAD[1], false);
      const em = definer.em.fork();
      await em.begin();
      await em.execute(OVERLOAD[0]);
      await em.execute(`prepare transaction 'defined'`);
      await em.commit(); // its connection goes back to the pool
      await stores[0]!.clear();
      const reader = await start(OVERLOAD[1]);
      await names(reader);
      await getCacheops(reader).idle();
      await names(reader);
      await definer.em.execute(`commit prepared 'defined'`);
      await expectFresh(reader, plain);
    });

    it('reads fresh results if values of a column have become equal', async () => {
      const reader = await startReader('t.n');
      const plain = await start('t.n', false);
      const idsOf = async (orm: MikroORM, name: string) =>
        (await orm.em.fork().find('Thing' as never, { name } as never)).map(
          row => (row as { id: number }).id,
        );
      await definer.em.execute(`
        create collation careless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
        alter table thing alter column name type text collate careless`);
      for (const [now, ids] of [
        ['OTHER', []],
        ['ONE', [1]],
      ] as const) {
        await idsOf(reader, 'one');
        await getCacheops(reader).idle();
        await definer.em.execute(`update thing set name = '${now}' where id = 1`);
        await getCacheops(definer).idle();
        expect(await idsOf(plain, 'one')).to.deep.equal(ids);
        expect(await idsOf(reader, 'one')).to.deep.equal(ids);
        await getCacheops(reader).idle();
      }
    });

    it('reads fresh results if invalidation is suppressed for the DDL', async () => {
      const reader = await startReader(OVERLOAD[1]);
      const plain = await start(OVERLOAD[1], false);
      await getCacheops(definer).noInvalidation(() => definer.em.execute(OVERLOAD[0]));
      await expectFresh(reader, plain);
    });

    it('reads fresh results if everything is invalidated after the DDL', async () => {
      const reader = await startReader(OVERLOAD[1]);
      const plain = await start(OVERLOAD[1], false);
      await definer.em.execute(OVERLOAD[0]);
      await getCacheops(definer).invalidateAll();
      await expectFresh(reader, plain);
    });

    it('reads fresh results if the store is emptied after the DDL', async () => {
      const reader = await startReader(OVERLOAD[1]);
      const plain = await start(OVERLOAD[1], false);
      await definer.em.execute(OVERLOAD[0]);
      await stores[0]!.clear();
      await expectFresh(reader, plain);
    });

    it('reads the catalog again if its stamp is gone, and stores results after that', async () => {
      const reader = await startReader('t.n');
      const name = await askDatabaseName(sql => definer.em.execute(sql), undefined);
      await stores[0]!.drop([catalogOf(name)]);
      await values(reader);
      await getCacheops(reader).idle();
      await values(reader);
      await getCacheops(reader).idle();
      expect(await sourcesOf(getCacheops(reader), () => values(reader))).to.deep.equal(['cache']);
    });

    it('stores results again after DDL', async () => {
      const reader = await startReader('t.n');
      await definer.em.execute('create function unrelated() returns int language sql as $$ select 1 $$');
      for (let i = 0; i < 2; i++) {
        await values(reader);
        await getCacheops(reader).idle();
      }
      expect(await sourcesOf(getCacheops(reader), () => values(reader))).to.deep.equal(['cache']);
    });

    it('stores results after everything was invalidated, without reading the catalog again', async () => {
      const reader = await startReader('t.n');
      await getCacheops(definer).invalidateAll();
      await values(reader);
      await getCacheops(reader).idle();
      expect(await sourcesOf(getCacheops(reader), () => values(reader))).to.deep.equal(['cache']);
    });

    it('stores results again after DDL that was rolled back', async () => {
      const reader = await startReader('t.n');
      const em = definer.em.fork();
      await em.begin();
      await em.execute(OVERLOAD[0]);
      await em.rollback();
      await values(reader);
      await getCacheops(reader).idle();
      expect(await sourcesOf(getCacheops(reader), () => values(reader))).to.deep.equal(['cache']);
    });
  });
}
