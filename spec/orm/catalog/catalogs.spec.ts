import { defineEntity, p } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import { freshDatabase } from '../../support/servers.js';

const cached = { ops: 'all', timeout: 60 } as const;
const properties = { id: p.integer().primary(), code: p.string() };
const Item = defineEntity({ name: 'Item', cacheops: cached, properties });
const Note = defineEntity({
  name: 'Note',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    item: () => p.manyToOne(Item).joinColumn('item'),
    text: p.string().default(''),
  },
});
const Letter = defineEntity({
  name: 'Letter',
  cacheops: cached,
  properties: { id: p.integer().primary(), text: p.string() },
});

/** Two processes share a store. One of them migrates; the other continues with its old catalog. */
describe('Processes with different definitions of a table', () => {
  let old: MikroORM;
  let young: MikroORM;

  beforeEach(async () => {
    const clientUrl = await freshDatabase('catalogs');
    const store = new MemoryStore();
    const start = () =>
      MikroORM.init({
        clientUrl,
        entities: [Item, Note, Letter],
        metadataProvider: ReflectMetadataProvider,
        extensions: [cacheops({ store })],
      });
    old = await start();
    young = await start();
    await old.em.execute('create table item (id int primary key, code numeric, gone int default 0)');
    await old.em.execute('insert into item values (1, 1.5), (2, 7)');
    // both read the catalog
    await find(old, '1.5');
    await find(young, '1.5');
  });

  afterEach(async () => {
    await getCacheops(old).idle();
    await getCacheops(young).idle();
    await old.close();
    await young.close();
  });

  const find = async (orm: MikroORM, code: string) =>
    (await orm.em.fork().find(Item, { code }, { orderBy: { id: 1 } })).map(({ id }) => id);
  const idle = async () => {
    await getCacheops(old).idle();
    await getCacheops(young).idle();
  };

  it('see what the others write, even if values compare differently', async () => {
    await young.em.execute(`alter table item alter column code type text using code::text || '0'`); // 1.50
    for (const [reader, writer] of [
      [old, young],
      [young, old],
    ] as const) {
      expect(await find(reader, '1.50')).to.deep.equal([1]);
      await idle();
      expect(await find(reader, '1.50')).to.deep.equal([1]);
      await writer.em.execute(`update item set code = '1.500' where id = 1`);
      expect(await find(reader, '1.50')).to.deep.equal([]);
      await idle();
      await writer.em.execute(`update item set code = '1.50' where id = 1`);
      expect(await find(reader, '1.50')).to.deep.equal([1]);
    }
  });

  it('see rows that begin to match the other conditions of a query', async () => {
    await young.em.execute(`alter table item alter column code type text`);
    const above2 = async (orm: MikroORM) => orm.em.fork().count(Item, { code: { $gt: '2' } });
    for (const [reader, writer] of [
      [old, young],
      [young, old],
    ] as const) {
      expect(await above2(reader)).to.equal(1);
      await idle();
      // as text, it comes before 2
      await writer.em.execute(`update item set code = '10' where id = 2`);
      expect(await above2(reader)).to.equal(0);
      await idle();
      await writer.em.execute(`update item set code = '7' where id = 2`);
      expect(await above2(reader)).to.equal(1);
    }
  });

  it('read the catalog again when they write', async () => {
    await young.em.execute(`alter table item alter column code type text`);
    const above2 = async () => old.em.fork().count(Item, { code: { $gt: '2' } });
    expect(await above2()).to.equal(1);
    await idle();
    // as numbers, both are above it
    await old.em.execute(`update item set code = '10' where id = 2`);
    expect(await above2()).to.equal(0);
    await idle();
    await old.em.execute(`update item set code = '7' where id = 2`);
    expect(await above2()).to.equal(1);
  });

  it('do not keep results by joined rows whose columns compare differently now', async () => {
    await young.em.execute('create table note (id int primary key, item int references item, text text)');
    await old.em.execute(`update item set code = '10' where id = 2; insert into note values (1, 1)`);
    const below2 = async () => old.em.fork().count(Note, { item: { code: { $lt: '2' } } });
    expect(await below2()).to.equal(1);
    await young.em.execute('alter table item alter column code type text');
    expect(await below2()).to.equal(1);
    await idle();
    // as text, 10 comes before 2
    await young.em.execute('insert into note values (2, 2)');
    expect(await below2()).to.equal(2);
  });

  it('see the writes to a table that is newer than the catalog of the writer', async () => {
    await young.em.execute('create table note (id int primary key, item int, text text)');
    await young.em.execute(`insert into note values (1, 1, 'first')`);
    const texts = async () => (await young.em.fork().find(Note, { id: 1 })).map(({ text }) => text);
    for (let i = 0; i < 2; i++) {
      expect(await texts()).to.deep.equal(['first']);
      await idle();
    }
    await old.em.execute(
      `with changed as (update note set text = 'second' returning 1) select * from changed`,
    );
    expect(await texts()).to.deep.equal(['second']);
  });

  for (const [how, sql] of Object.entries({
    'MERGE, together with a known table': `merge into letter using item on letter.id = item.id
       when matched then update set text = 'second'`,
    'a DO block': `do $$ begin execute 'update ' || 'letter' || $q$ set text = 'second' $q$; end $$`,
  })) {
    it(`see the writes to a table that is newer than the catalog of the writer, by ${how}`, async () => {
      await old.em.fork().find(Item, { id: 1 });
      await young.em.execute('create table letter (id int primary key, text text)');
      await young.em.execute(`insert into letter values (1, 'first')`);
      const texts = async () => (await young.em.fork().find(Letter, { id: 1 })).map(({ text }) => text);
      for (let i = 0; i < 2; i++) {
        expect(await texts()).to.deep.equal(['first']);
        await idle();
      }
      await old.em.execute(sql);
      expect(await texts()).to.deep.equal(['second']);
    });
  }

  it('can write after a column was dropped: at most one statement fails', async () => {
    await old.em.fork().nativeUpdate(Item, { id: 1 }, { code: '3' });
    await old.em.execute('select 1');
    await young.em.execute('alter table item rename column code to label');
    await young.em.execute('alter table item add column code numeric');
    await young.em.execute('alter table item drop column label');
    await young.em.execute('alter table item drop column code');
    const insert = () => old.em.fork().execute('insert into item (id) values (9)');
    await insert().catch(error => expect(error.name).to.equal('InvalidFieldNameException'));
    await old.em.fork().execute('delete from item where id = 9');
    await insert();
    expect(await old.em.fork().execute('select id from item where id = 9')).to.have.length(1);
  });

  const DEFINITIONS: Record<string, readonly string[]> = {
    'rows that go with others': [
      'create table note (id int primary key, item int references item on delete cascade, text text)',
    ],
    'rows that refer to nothing any more': [
      'create table note (id int primary key, item int references item on delete set null, text text)',
    ],
    'rows that a trigger changes': [
      'create table note (id int primary key, item int, text text)',
      `create function clean() returns trigger language plpgsql as
        $$ begin delete from note where item = old.id; return null; end $$`,
      'create trigger cleaning after delete on item for each row execute function clean()',
    ],
    'rows of an inheritance child': ['create table note (item int, text text) inherits (item)'],
  };
  for (const [what, definition] of Object.entries(DEFINITIONS)) {
    for (const how of ['in one statement', 'in a transaction']) {
      it(`drop ${what}, which they do not know yet, ${how}`, async () => {
        for (const sql of definition) {
          await young.em.execute(sql);
        }
        await young.em.execute('insert into note (id, item) values (1, 1), (3, 2)');
        const notes = async () => (await young.em.fork().find(Note, { item: 1 })).map(({ id }) => id);
        expect(await notes()).to.deep.equal([1]);
        await idle();
        expect(await notes()).to.deep.equal([1]);
        const remove = (em: typeof old.em) => em.nativeDelete(Item, { id: 1 });
        await (how === 'in one statement' ? remove(old.em.fork()) : old.em.fork().transactional(remove));
        expect(await notes()).to.deep.equal([]);
      });
    }
  }
});
