import { defineEntity, p } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { CompiledQuery } from 'kysely';
import { type Cacheops, cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import { anyChange } from '../../../lib/orm/protocol/writer.js';
import { freshDatabase } from '../../support/servers.js';
import { until } from '../../support/until.js';
import { sourcesOf } from '../support/observe.js';

const Badge = defineEntity({
  name: 'Badge',
  // longer than the jumps of the clock
  cacheops: { ops: 'all', timeout: 10_000_000 },
  properties: { id: p.integer().primary(), name: p.string() },
});

/** The lock that the procedure waits for, between two of its transactions. */
const GATE = 99;

const DDL = `
  create table badge (id int primary key, name text);
  insert into badge values (1, 'red'), (2, 'green');
  create procedure repaint() language plpgsql as $$ begin
    update badge set name = 'crimson' where id = 1;
    commit;
    perform pg_advisory_xact_lock(${GATE});
    update badge set name = 'lime' where id = 2;
  end $$`;

describe('A statement outside of a transaction of ours', () => {
  let orm: MikroORM;
  let other: MikroORM;
  let cache: Cacheops;
  let store: MemoryStore;
  let now: number;
  let table: string;

  beforeEach(async () => {
    const options = { clientUrl: await freshDatabase('advisory_locks'), pool: { min: 1, max: 4 } };
    other = await MikroORM.init({ ...options, entities: [], discovery: { warnWhenNoEntities: false } });
    await other.em.execute(DDL);
    now = 1;
    store = new MemoryStore({ now: () => now });
    orm = await MikroORM.init({ ...options, entities: [Badge], extensions: [cacheops({ store })] });
    cache = getCacheops(orm);
    await names();
    const mark = store.mark.bind(store);
    store.mark = (writer, changes) => {
      table = changes.find(change => change.table.endsWith('.badge'))?.table ?? table;
      return mark(writer, changes);
    };
    await orm.em.execute(`update badge set name = name`);
    await names();
    await cache.idle();
    expect(await sources()).to.deep.equal(['cache']);
  });

  afterEach(async () => {
    await orm.close(true);
    await other.close(true);
  });

  const names = async () =>
    (await orm.em.fork().find(Badge, {}, { orderBy: { id: 1 } })).map(({ name }) => name);
  const sources = async () => {
    const found = await sourcesOf(cache, names);
    await cache.idle();
    return found;
  };

  /** Runs a function while the procedure has committed its first half and waits before the second. */
  async function halfway(run: () => Promise<void>): Promise<void> {
    const gate = other.em.fork();
    await gate.begin();
    await gate.execute(`select pg_advisory_xact_lock(${GATE})`);
    const called = orm.em.fork().execute('call repaint()');
    await until(async () => {
      const [row] = await other.em.fork().execute(`select name from badge where id = 1`);
      return row!.name === 'crimson';
    });
    try {
      await run();
    } finally {
      await gate.commit();
      await called;
    }
  }

  it('prevents readers from storing results as long as it runs', async () => {
    await halfway(async () => {
      for (const later of [0, 2000, 0, 100_000, 0]) {
        now += later;
        expect(await sources()).to.deep.equal(['miss']);
        expect(await names()).to.deep.equal(['crimson', 'green']);
      }
    });
    expect(await names()).to.deep.equal(['crimson', 'lime']);
    await cache.idle();
    await sources(); // the catalog is read again, because the procedure may have run DDL
    expect(await sources()).to.deep.equal(['cache']);
  });

  it('prevents readers from storing results even if the store loses its mark meanwhile', async () => {
    await halfway(async () => {
      await store.clear();
      for (let i = 0; i < 4; i++) {
        now += 100_000;
        expect(await sources()).to.deep.equal(['miss']);
      }
    });
    expect(await names()).to.deep.equal(['crimson', 'lime']);
    await cache.idle();
    await names();
    await cache.idle();
    expect(await sources()).to.deep.equal(['cache']);
  });

  it('prevents nothing once the database has stopped executing it, even if its process has died', async () => {
    await store.mark({ id: 'dead', xid: 'lock 12345' }, [anyChange(table)]);
    expect(await sources()).to.deep.equal(['miss']);
    expect(await sources()).to.deep.equal(['miss']);
    now += 2000;
    expect(await sources()).to.deep.equal(['miss']);
    expect(await sources()).to.deep.equal(['cache']);
  });

  it('leaves no lock behind', async () => {
    await halfway(async () => {});
    const locks = await other.em.execute(`select from pg_locks where locktype = 'advisory'`);
    expect(locks).to.deep.equal([]);
  });

  it('may begin a transaction, which invalidates when it commits', async () => {
    const client = orm.em.getConnection().getClient();
    await client.connection().execute(async connection => {
      const execute = (text: string) => connection.executeQuery(CompiledQuery.raw(text));
      await execute(`begin; update badge set name = 'crimson' where id = 1`);
      for (let i = 0; i < 2; i++) {
        expect(await names()).to.deep.equal(['red', 'green']);
        await cache.idle();
      }
      await execute('commit');
    });
    expect(await names()).to.deep.equal(['crimson', 'green']);
  });

  it('may end a transaction of ours, which has marked before', async () => {
    const marks: string[] = [];
    const mark = store.mark.bind(store);
    store.mark = async (writer, changes) => {
      const [row] = await other.em.fork().execute(`select name from badge where id = 1`);
      marks.push(row!.name);
      await mark(writer, changes);
    };
    await orm.em.fork().transactional(async em => {
      await (em as typeof orm.em).execute(`update badge set name = 'crimson' where id = 1`);
      await (em as typeof orm.em).execute('select 1; commit');
    });
    expect(marks[0]).to.equal('red');
    expect(await names()).to.deep.equal(['crimson', 'green']);
  });

  it('is found by the present table of that name, not by that of the catalog', async () => {
    await other.em.execute(`drop table badge; create table badge (id int primary key, name text)`);
    const writer = other.em.fork();
    await writer.begin();
    await writer.execute(`insert into badge values (1, 'blue')`);
    await store.clear();
    for (let i = 0; i < 3; i++) {
      expect(await sources()).to.deep.equal(['miss']);
    }
    await writer.commit();
    expect(await names()).to.deep.equal(['blue']);
    await cache.idle();
    await sources(); // the catalog is read again, because its stamp was cleared
    expect(await sources()).to.deep.equal(['cache']);
  });
});
