import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import { emptyEmbedded } from '../support/embedded.js';
import { readsOf, sourcesOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';

const cached = { ops: 'all', timeout: 60 } as const;

const Item = defineEntity({
  name: 'Item',
  cacheops: cached,
  properties: { id: p.integer().primary(), name: p.string(), owner: p.integer().nullable() },
});

const Owner = defineEntity({
  name: 'Owner',
  cacheops: cached,
  properties: { id: p.integer().primary(), name: p.string() },
});

describe('The catalog', () => {
  let started: Started;

  beforeEach(async () => {
    await emptyEmbedded();
    started = await join({ entities: [Item, Owner] });
  });

  afterEach(() => started.orm.close());

  const fork = () => started.orm.em.fork();
  const execute = (sql: string) => fork().execute(sql);
  const named = (name: string) => fork().find(Item, { name });
  const dependencies = async (read: () => Promise<unknown>) =>
    (await readsOf(started.cache, read))[0]!.dependencies;

  it('is read again after the schema generator has created the schema', async () => {
    expect(await named('a').catch(error => error.name)).to.equal('TableNotFoundException');
    await started.orm.schema.create();
    expect(await dependencies(() => named('a'))).to.deep.equal(['item(name=a)']);
    await fork().insert(Item, { id: 1, name: 'a' });
    expect(await named('a')).to.have.length(1);
    await started.cache.idle();
    await started.orm.schema.refresh();
    expect(await named('a')).to.deep.equal([]);
    await started.orm.schema.drop();
    expect(await named('a').catch(error => error.name)).to.equal('TableNotFoundException');
  });

  it('is read again for a table that another program has created', async () => {
    const database = await emptyEmbedded();
    await named('a').catch(() => undefined);
    await database.exec('create table item (id int primary key, name text, owner int)');
    expect(await named('a')).to.deep.equal([]);
    await fork().insert(Item, { id: 1, name: 'a' });
    expect(await named('a')).to.have.length(1);
    await started.cache.idle();
    await fork().nativeDelete(Item, { id: 1 });
    expect(await named('a')).to.deep.equal([]);
  });

  const CHANGES: Record<string, [before: string[], sql: string, after: string[]]> = {
    'a column compares in another way': [
      ['item(name=a)'],
      `create collation blind (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
       alter table item alter column name type text collate blind`,
      ['item'],
    ],
    'a table is read through a policy': [['item(name=a)'], 'alter table item enable row level security', []],
    'a table becomes a view': [
      ['item(name=a)'],
      'alter table item rename to items; create view item as select * from items',
      [],
    ],
  };

  for (const [what, [before, sql, after]] of Object.entries(CHANGES)) {
    it(`is read again after DDL by which ${what}`, async () => {
      await started.orm.schema.create();
      expect(await dependencies(() => named('a'))).to.deep.equal(before);
      for (const statement of sql.split(';')) {
        await execute(statement);
      }
      expect((await dependencies(() => named('a'))) ?? []).to.deep.equal(after);
      await named('a');
    });
  }

  for (const [how, run] of Object.entries<(sql: string) => Promise<unknown>>({
    '': sql => execute(sql),
    ', also those made in a transaction': sql =>
      fork().transactional(em => (em as Started['orm']['em']).execute(sql)),
    ', also those made in noInvalidation()': sql => started.cache.noInvalidation(() => execute(sql)),
  })) {
    it(`shows new foreign keys and their actions${how}`, async () => {
      await started.orm.schema.create();
      await fork().insert(Owner, { id: 1, name: 'Ann' });
      await fork().insert(Item, { id: 1, name: 'a', owner: 1 });
      await named('a');
      await started.cache.idle();
      await run(
        'alter table item add constraint owned foreign key (owner) references owner on delete cascade',
      );
      expect(await named('a')).to.have.length(1);
      await started.cache.idle();
      await fork().nativeDelete(Owner, { id: 1 });
      expect(await named('a')).to.deep.equal([]);
    });
  }

  it('is not read again for statements that do not change it', async () => {
    await started.orm.schema.create();
    await named('a');
    await started.cache.idle();
    await fork().insert(Item, { id: 1, name: 'b' });
    expect(await sourcesOf(started.cache, () => named('a'))).to.deep.equal(['cache']);
  });

  it('is read again after DDL that is rolled back', async () => {
    await started.orm.schema.create();
    await fork().insert(Item, { id: 1, name: 'a' });
    await fork()
      .transactional(async em => {
        await (em as Started['orm']['em']).execute('alter table item rename to things');
        await (em as Started['orm']['em']).execute(
          'create table item (id int primary key, name int, owner int)',
        );
        expect(await em.find(Item, {})).to.deep.equal([]);
        throw new Error('no');
      })
      .catch(error => expect(error.message).to.equal('no'));
    expect(await named('a')).to.have.length(1);
    await started.cache.idle();
    expect(await dependencies(() => named('b'))).to.deep.equal(['item(name=b)']);
    await fork().nativeUpdate(Item, { id: 1 }, { name: 'b' });
    expect(await named('a')).to.deep.equal([]);
    expect(await named('b')).to.have.length(1);
  });

  it('is read again when the removal of a foreign key is rolled back', async () => {
    await started.orm.schema.create();
    await execute(
      'alter table item add constraint owned foreign key (owner) references owner on delete cascade',
    );
    await fork().insert(Owner, { id: 1, name: 'Ann' });
    await fork().insert(Item, { id: 1, name: 'a', owner: 1 });
    const em = fork();
    await em.begin();
    await em.execute('alter table item drop constraint owned');
    await em.nativeUpdate(Item, { id: 1 }, { name: 'b' });
    await em.rollback();
    expect(await named('a')).to.have.length(1);
    await started.cache.idle();
    await fork().nativeDelete(Owner, { id: 1 });
    expect(await named('a')).to.deep.equal([]);
  });
});
