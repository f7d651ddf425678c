import { defineEntity, p } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { emptyEmbedded } from '../support/embedded.js';
import { expectIsolated, type Variant } from '../support/isolated.js';
import { sourcesOf } from '../support/observe.js';
import { join, joinUncached, type Started } from '../support/start.js';

const cached = { ops: 'all', timeout: 60 } as const;

/** In every schema. */
const Item = defineEntity({
  name: 'Item',
  schema: '*',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    kind: () => p.manyToOne(Kind),
    secret: () => p.manyToOne(Secret).nullable(),
    labels: () => p.manyToMany(Label).owner(),
  },
});

/** In the schema of the call. */
const Label = defineEntity({
  name: 'Label',
  schema: '*',
  cacheops: cached,
  properties: { id: p.integer().primary(), name: p.string() },
});

/** In one schema. */
const Kind = defineEntity({
  name: 'Kind',
  schema: 'common',
  cacheops: cached,
  properties: { id: p.integer().primary(), name: p.string() },
});

/** In the schema of the configuration, or of the EntityManager. */
const Note = defineEntity({
  name: 'Note',
  cacheops: cached,
  properties: { id: p.integer().primary(), text: p.string(), secret: () => p.manyToOne(Hidden).nullable() },
});

const Secret = defineEntity({
  name: 'Secret',
  schema: '*',
  cacheops: null,
  properties: { id: p.integer().primary(), code: p.string() },
});

const Hidden = defineEntity({
  name: 'Hidden',
  cacheops: null,
  properties: { id: p.integer().primary(), code: p.string() },
});

const entities = [Item, Label, Kind, Note, Secret, Hidden];

describe('Results of tables with one name in several schemas', () => {
  let started: Started;
  let uncached: MikroORM;

  beforeEach(async () => {
    const database = await emptyEmbedded();
    await database.exec('create schema common; create table common.kind (id int primary key, name text)');
    await database.exec(`insert into common.kind values (1, 'k'), (2, 'l')`);
    for (const [n, schema] of ['public', 'one', 'two'].entries()) {
      await database.exec(`create schema if not exists ${schema};
        set search_path = ${schema};
        create table secret (id int primary key, code text); create table hidden (id int primary key, code text);
        create table label (id int primary key, name text);
        create table item (id int primary key, name text, kind_id int references common.kind, secret_id int references secret);
        create table item_labels (item_id int references item, label_id int references label, primary key (item_id, label_id));
        create table note (id int primary key, text text, secret_id int references hidden);
        insert into secret values (1, 's'); insert into hidden values (1, 'h');
        insert into label values (1, '${schema}'), (2, 'x');
        insert into item values (1, '${schema}', 1, 1), (2, 'x', 2, null);
        insert into item_labels values (1, 1), (${1 + (n % 2)}, 2);
        insert into note values (1, '${schema}', 1);
        reset search_path`);
    }
    started = await join({ entities });
    uncached = await joinUncached({ entities });
  });

  afterEach(async () => {
    await uncached.close();
    await started.orm.close();
  });

  const inFork =
    (schema: string | undefined, read: (em: EntityManager) => Promise<unknown>): Variant =>
    async orm => {
      const em = orm.em.fork(schema === undefined ? {} : { schema });
      return { em, result: await read(em) };
    };

  it('are separate for EntityManagers with different schemas', async () => {
    for (const read of [
      em => em.find(Note, {}),
      em => em.findOne(Item, { name: { $ne: 'x' } }),
      em => em.find(Item, {}, { populate: ['kind', 'labels'] }),
      em => em.find(Item, {}, { populate: ['kind', 'labels'], strategy: 'joined' }),
      em => em.find(Item, { labels: { name: { $ne: 'x' } } }),
      em => em.count(Item, { kind: { name: 'k' }, name: { $ne: 'y' } }),
    ] satisfies ((em: EntityManager) => Promise<unknown>)[]) {
      await expectIsolated({ ...started, uncached }, { one: inFork('one', read), two: inFork('two', read) });
    }
  });

  it('are separate for calls with different schemas', async () => {
    const variant = (schema: string | undefined): Variant =>
      inFork(undefined, em => em.find(Note, {}, schema === undefined ? {} : { schema }));
    await expectIsolated(
      { ...started, uncached },
      { default: variant(undefined), one: variant('one'), two: variant('two') },
    );
  });

  it('are dropped by writes to their schema only', async () => {
    const names = (schema: string) => started.orm.em.fork({ schema }).find(Item, { name: { $ne: 'x' } });
    await names('one');
    await names('two');
    await started.cache.idle();
    const em = started.orm.em.fork({ schema: 'one' });
    (await em.findOneOrFail(Item, 2)).name = 'y';
    await em.flush();
    expect(await sourcesOf(started.cache, () => names('two'))).to.deep.equal(['cache']);
    expect((await names('one')).map(({ name }) => name)).to.have.members(['one', 'y']);
  });

  it('are kept after a write to another row', async () => {
    const one = () => started.orm.em.fork({ schema: 'one' }).find(Item, { name: 'one' });
    await one();
    await started.cache.idle();
    await started.orm.em.fork({ schema: 'one' }).nativeUpdate(Item, { id: 2 }, { name: 'z' });
    expect(await sourcesOf(started.cache, one)).to.deep.equal(['cache']);
    await started.orm.em.fork({ schema: 'one' }).nativeUpdate(Item, { id: 1 }, { name: 'z' });
    expect(await sourcesOf(started.cache, one)).to.deep.equal(['miss']);
  });

  it('are dropped by a flush only in the schema of its EntityManager', async () => {
    const texts = (schema: string) => started.orm.em.fork({ schema }).find(Note, {});
    for (const schema of ['one', 'public']) {
      await texts(schema);
    }
    await started.cache.idle();
    const em = started.orm.em.fork({ schema: 'one' });
    (await em.findOneOrFail(Note, 1)).text = 'changed';
    await em.flush();
    expect((await texts('one')).map(({ text }) => text)).to.deep.equal(['changed']);
    expect(await sourcesOf(started.cache, () => texts('public'))).to.deep.equal(['cache']);
  });

  for (const entity of [Note, Item]) {
    it(`are dropped in all schemas by manual invalidation of an entity: ${entity.name}`, async () => {
      const read = (schema: string) => started.orm.em.fork({ schema }).find(entity as typeof Note, {});
      for (const invalidate of [
        async () => {
          const em = started.orm.em.fork({ schema: 'one' });
          await started.cache.invalidateObject(
            await em.findOneOrFail(entity as typeof Note, 1, { cacheops: false }),
          );
        },
        () => started.cache.invalidateModel(entity),
      ]) {
        await read('one');
        await started.cache.idle();
        await invalidate();
        expect(await sourcesOf(started.cache, () => read('one'))).to.deep.equal(['miss']);
        await started.cache.idle();
      }
    });
  }

  it('are dropped for all EntityManagers if they share the table', async () => {
    const kinds = (schema: string) =>
      started.orm.em.fork({ schema }).find(Item, { kind: { name: 'k' } }, { populate: ['kind'] });
    await kinds('one');
    await kinds('two');
    await started.cache.idle();
    await started.orm.em.fork({ schema: 'one' }).nativeUpdate(Kind, { id: 2 }, { name: 'k' });
    expect(await kinds('one')).to.have.length(2);
    expect(await kinds('two')).to.have.length(2);
  });

  it('are not cached if the profile forbids it, whatever the schema', async () => {
    for (const schema of ['one', 'two', undefined]) {
      const em = () => started.orm.em.fork(schema ? { schema } : { schema: 'public' });
      for (const read of [
        () => em().find(Item, {}, { populate: ['secret'], strategy: 'joined' }),
        () => em().find(Item, { secret: { code: 's' } }),
        () => em().find(Note, {}, { populate: ['secret'], strategy: 'joined' }),
        () => em().find(Note, { secret: { code: 'h' } }),
      ]) {
        await read();
        await started.cache.idle();
        expect(await sourcesOf(started.cache, read), schema).not.to.include('cache');
      }
    }
  });
});
