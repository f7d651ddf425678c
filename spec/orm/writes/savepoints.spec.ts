import { defineEntity, p } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import fc from 'fast-check';
import { type Cacheops, cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import { freshDatabase } from '../../support/servers.js';
import { sourcesOf } from '../support/observe.js';

const Item = defineEntity({
  name: 'Item',
  cacheops: { ops: 'all', timeout: 60 },
  properties: { id: p.integer().primary(), n: p.integer() },
});

type Em = MikroORM['em'];

const ROWS = [1, 2, 3];

describe('Committed changes are noticed, whatever happens to savepoints:', () => {
  let orm: MikroORM;
  let cache: Cacheops;

  let clientUrl: string;

  const start = (max: number) =>
    MikroORM.init({
      clientUrl,
      entities: [Item],
      metadataProvider: ReflectMetadataProvider,
      pool: { max },
      extensions: [cacheops({ store: new MemoryStore() })],
    });

  before(async () => {
    clientUrl = await freshDatabase('savepoints');
    orm = await start(5);
    cache = getCacheops(orm);
    await orm.em.execute('create table item (id int primary key, n int)');
  });

  after(() => orm.close());

  beforeEach(async () => {
    await orm.em.execute('truncate item');
    await orm.em.execute(`insert into item select id, 0 from unnest(array[${ROWS}]) as id`);
  });

  const read = async () => {
    const found: number[] = [];
    for (const id of ROWS) {
      found.push((await orm.em.fork().findOneOrFail(Item, id)).n);
    }
    await cache.idle();
    return found;
  };
  const set = (em: Em, id: number, n: number) => em.nativeUpdate(Item, { id }, { n });

  async function expectTruth(): Promise<void> {
    expect(await read()).to.deep.equal(await cache.disabled(read));
  }

  async function expectNoticed(write: (em: Em) => Promise<unknown>): Promise<void> {
    await read();
    await read();
    expect(new Set(await sourcesOf(cache, read))).to.deep.equal(new Set(['cache']));
    const before = await cache.disabled(read);
    await write(orm.em.fork());
    expect(await cache.disabled(read), 'what the write was to change').not.to.deep.equal(before);
    await expectTruth();
  }

  /** Other readers fill the cache until just before COMMIT, also after earlier invalidations. */
  const inTransaction = (write: (em: Em) => Promise<unknown>) => () =>
    expectNoticed(em =>
      em.transactional(async inner => {
        await write(inner as Em);
        await read();
      }),
    );

  it(
    'several statements in one text set a savepoint with the name of another',
    inTransaction(async em => {
      await em.execute('savepoint a');
      await set(em, 1, 1);
      await em.execute('savepoint a; select 1');
      await set(em, 2, 2);
      await em.execute('rollback to savepoint a');
    }),
  );

  it(
    'such statements run in noInvalidation()',
    inTransaction(async em => {
      await em.execute('savepoint a');
      await set(em, 1, 1);
      await cache.noInvalidation(() => em.execute('savepoint a; update item set n = 3 where id = 3'));
      await em.execute('rollback to savepoint a');
    }),
  );

  it(
    'such statements fail',
    inTransaction(async em => {
      await em.execute('savepoint a');
      await set(em, 1, 1);
      await em.execute('savepoint a; select 1 / 0').catch(error => expect(error.message).to.include('zero'));
      await em.execute('rollback to savepoint a');
    }),
  );

  it(
    'a long name is truncated as PostgreSQL truncates it',
    inTransaction(async em => {
      const name = 'x'.repeat(63);
      await em.execute(`savepoint "${name}"`);
      await set(em, 1, 1);
      await em.execute(`savepoint "${name}y"`);
      await em.execute(`rollback to savepoint "${name}"`);
    }),
  );

  it('a long name is truncated in transactions of kysely', () =>
    expectNoticed(async em => {
      const name = 'x'.repeat(63);
      const trx = await em.getKysely().startTransaction().execute();
      const first = await trx.savepoint(name).execute();
      await first
        .updateTable('item' as never)
        .set({ n: 1 } as never)
        .execute();
      const second = await first.savepoint(`${name}y` as string).execute();
      await second.rollbackToSavepoint(name as never).execute();
      await read();
      await trx.commit().execute();
    }));

  it('several statements end a transaction and begin another one', () =>
    expectNoticed(async em => {
      await em.begin();
      await set(em, 1, 1);
      await em.execute('commit; begin');
      await set(em, 2, 2);
      await read();
      await em.commit();
    }));

  it('several statements in noInvalidation() end a transaction', () =>
    expectNoticed(async em => {
      await em.begin();
      await set(em, 1, 1);
      await cache.noInvalidation(() => em.execute('commit; select 1'));
      await expectTruth();
      await em.rollback();
    }));

  it('several statements end a transaction that several statements have begun', async () => {
    const single = await start(1);
    try {
      const reading = async () => (await single.em.fork().findOneOrFail(Item, 1)).n;
      await reading();
      await getCacheops(single).idle();
      await single.em.execute('begin; select 1');
      await single.em.execute('commit; select 1');
      await set(single.em.fork(), 1, 1);
      expect(await reading()).to.equal(1);
    } finally {
      await single.close();
    }
  });

  it('several statements in a transaction need no other connection', async () => {
    const single = await start(1);
    try {
      const reading = async () => (await single.em.fork().findOneOrFail(Item, 1)).n;
      await reading();
      await single.em.fork().transactional(async em => {
        await em.execute('update item set n = 7 where id = 1; savepoint a');
      });
      expect(await reading()).to.equal(7);
    } finally {
      await single.close();
    }
  });

  it('several statements end a transaction, and the next statement is outside of any', () =>
    expectNoticed(async em => {
      await em.begin();
      await em.execute('commit; select 1');
      await set(em, 1, 1);
      await expectTruth();
      await em.rollback();
    }));

  it('any sequence of transaction control statements', async () => {
    const name = fc.constantFrom('a', 'A', '"a"', '"A"');
    const control = name.chain(at =>
      fc.constantFrom(`savepoint ${at}`, `rollback to ${at}`, `release savepoint ${at}`),
    );
    const step = fc.oneof(
      control,
      control.map(sql => `${sql}; select 1`),
      fc.tuple(control, control).map(statements => statements.join('; ')),
      { weight: 3, arbitrary: fc.constantFrom(...ROWS) },
    );
    let n = 0;
    let committed = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 12 }), async steps => {
        await read();
        await read();
        const em = orm.em.fork();
        await em.begin();
        try {
          // so that most of the following statements find a savepoint of their name
          for (const each of ['savepoint a', 'savepoint "A"', ...steps]) {
            await (typeof each === 'string' ? em.execute(each) : set(em, each, ++n));
          }
          await read();
          await em.commit();
          committed++;
        } catch {
          await em.rollback();
        }
        await expectTruth();
      }),
      { numRuns: 300 },
    );
    expect(committed).to.be.greaterThan(15);
  });
});
