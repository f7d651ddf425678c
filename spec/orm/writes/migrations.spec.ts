import { defineEntity, type EntityManager, p } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { Migration, Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { Seeder, SeedManager } from '@mikro-orm/seeder';
import { expect } from 'chai';
import { cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import { freshDatabase } from '../../support/servers.js';
import { sourcesOf } from '../support/observe.js';

const cached = { ops: 'all', timeout: 60 } as const;
const Item = defineEntity({
  name: 'Item',
  cacheops: cached,
  properties: { id: p.integer().primary(), code: p.string().nullable() },
});
const Bystander = defineEntity({
  name: 'Bystander',
  cacheops: cached,
  properties: { id: p.integer().primary(), name: p.string() },
});

class Renumber extends Migration {
  override up() {
    this.addSql(`update "item" set "code" = '00' || "code";`);
  }
  override down() {
    this.addSql(`update "item" set "code" = substr("code", 3);`);
  }
}

class Retype extends Migration {
  override async up() {
    this.addSql(`alter table "item" alter column "code" type varchar(2) using left("code", 2);`);
    await this.execute(`insert into "item" values (8, 'm')`);
  }
  override down() {
    this.addSql(`alter table "item" alter column "code" type text;`);
    this.addSql(`delete from "item" where "id" = 8;`);
  }
}

/** Changes several tables before it fails. */
class Failing extends Migration {
  override up() {
    this.addSql(`delete from "item";`);
    this.addSql(`alter table "item" add column "more" int;`);
    this.addSql(`select 1 / 0;`);
  }
}

/** The same without a transaction. */
class FailingHalfway extends Failing {
  override isTransactional() {
    return false;
  }
}

class Items extends Seeder {
  async run(em: EntityManager): Promise<void> {
    em.create(Item, { id: 9, code: 'seeded' });
    await em.insert(Item, { id: 10, code: 'planted' });
  }
}

describe('A deployment is noticed in all processes:', () => {
  let orm: MikroORM;
  let other: MikroORM;

  const start = (clientUrl: string, store: MemoryStore, migrations: (typeof Renumber)[] = []) =>
    MikroORM.init({
      clientUrl,
      entities: [Item, Bystander],
      metadataProvider: ReflectMetadataProvider,
      migrations: { migrationsList: migrations, snapshot: false, silent: true },
      extensions: [cacheops({ store }), Migrator, SeedManager],
    });

  async function open(...migrations: (typeof Renumber)[]): Promise<void> {
    const clientUrl = await freshDatabase('migrations');
    const store = new MemoryStore();
    orm = await start(clientUrl, store, migrations);
    other = await start(clientUrl, store);
    await orm.schema.create();
    await orm.em.execute(`insert into item values (1, 'a'), (2, 'b')`);
    await orm.em.execute(`insert into bystander values (1, 'x')`);
  }

  afterEach(async () => {
    await idle();
    await orm.close();
    await other.close();
  });

  const idle = () => Promise.all([orm, other].map(each => getCacheops(each).idle()));
  const items = (each: MikroORM) => async () =>
    (await each.em.fork().find(Item, {}, { orderBy: { id: 1 } })).map(({ id, code }) => `${id}${code}`);
  const coded = (each: MikroORM) => async () => each.em.fork().count(Item, { code: 'a' });
  const bystanders = (each: MikroORM) => async () => each.em.fork().count(Bystander);

  /** @param touchesAll the schema generator changes every table */
  async function expectNoticed(
    work: () => Promise<unknown>,
    expected: string[],
    touchesAll = false,
  ): Promise<void> {
    for (const each of [orm, other]) {
      for (const read of [items(each), coded(each), bystanders(each)]) {
        await read();
        await idle();
        expect(await sourcesOf(getCacheops(each), read)).to.deep.equal(['cache']);
      }
    }
    await work();
    for (const each of [other, orm]) {
      for (const read of [items(each), coded(each)] as (() => Promise<unknown>)[]) {
        expect(await read()).to.deep.equal(await getCacheops(each).disabled(read));
      }
      expect(await items(each)()).to.deep.equal(expected);
      await idle();
      expect(await sourcesOf(getCacheops(each), items(each))).to.deep.equal(['cache']);
      if (!touchesAll) {
        expect(await sourcesOf(getCacheops(each), bystanders(each)), 'bystanders').to.deep.equal(['cache']);
      }
    }
  }

  it('a migration that changes rows, and its revert', async () => {
    await open(Renumber);
    await expectNoticed(() => orm.migrator.up(), ['100a', '200b']);
    await expectNoticed(() => orm.migrator.down(), ['1a', '2b']);
  });

  it('a migration that changes a column, and its revert', async () => {
    await open(Retype);
    await expectNoticed(() => orm.migrator.up(), ['1a', '2b', '8m']);
    await expectNoticed(
      () => orm.em.execute(`update item set code = 'aa' where id = 1`),
      ['1aa', '2b', '8m'],
    );
    await expectNoticed(() => orm.migrator.down(), ['1aa', '2b']);
    await expectNoticed(() => other.em.execute(`update item set code = 'a' where id = 1`), ['1a', '2b']);
  });

  it('a migration that fails, and is rolled back', async () => {
    await open(Failing);
    await expectNoticed(
      () => orm.migrator.up().catch(error => expect(error.message).to.include('zero')),
      ['1a', '2b'],
    );
    await expectNoticed(() => other.em.execute(`update item set code = 'c' where id = 1`), ['1c', '2b']);
  });

  it('a migration that fails halfway, without a transaction', async () => {
    await open(FailingHalfway);
    await expectNoticed(() => orm.migrator.up().catch(error => expect(error.message).to.include('zero')), []);
  });

  it('a seeder', async () => {
    await open();
    await expectNoticed(() => orm.seeder.seed(Items), ['1a', '2b', '9seeded', '10planted']);
  });

  it('the schema generator', async () => {
    await open();
    await expectNoticed(() => orm.schema.clear(), [], true);
    await orm.em.execute(`insert into item values (1, 'a')`);
    await expectNoticed(() => orm.schema.refresh(), [], true);
    await orm.em.execute('alter table item add column extra int');
    await expectNoticed(() => orm.schema.update(), []);
    await orm.schema.drop();
    for (const each of [orm, other]) {
      expect(await items(each)().catch(error => error.name)).to.equal('TableNotFoundException');
    }
    await orm.schema.create();
    for (const each of [orm, other]) {
      expect(await items(each)()).to.deep.equal([]);
    }
  });
});
