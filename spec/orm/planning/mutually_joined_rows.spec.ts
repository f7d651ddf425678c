import { defineEntity, p } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { type Cacheops, cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import type { TableChange, Writer } from '../../../lib/store/store.js';
import { freshDatabase } from '../../support/servers.js';

const Thing = defineEntity({
  name: 'Thing',
  cacheops: { timeout: 60 },
  properties: {
    id: p.integer().primary(),
    kind: p.integer(),
    detail: () => p.oneToOne(Detail).mappedBy('thing'),
  },
});

const Detail = defineEntity({
  name: 'Detail',
  cacheops: { timeout: 60 },
  properties: { thing: () => p.oneToOne(Thing).primary(), color: p.string() },
});

/** A store that lets something else happen when it has been told of a write, and before that is committed. */
class Stalling extends MemoryStore {
  told: (() => Promise<unknown>) | undefined;

  override async mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    await super.mark(writer, changes);
    const { told } = this;
    this.told = undefined;
    await told?.();
  }
}

describe('two rows, each the joined row of the other', () => {
  const store = new Stalling();
  let orm: MikroORM;
  let cache: Cacheops;

  before(async () => {
    orm = await MikroORM.init({
      entities: [Thing, Detail],
      clientUrl: await freshDatabase(),
      extensions: [cacheops({ store })],
    });
    cache = getCacheops(orm);
    await orm.schema.create();
  });

  after(() => orm.close(true));

  it('a result is right after two concurrent transactions that make each of them satisfy its condition', async () => {
    const em = orm.em.fork();
    await em.insertMany(Thing, [
      { id: 1, kind: 1 },
      { id: 3, kind: 2 },
    ] as never);
    await em.insertMany(Detail, [
      { thing: 1, color: 'red' },
      { thing: 3, color: 'blue' },
    ] as never);
    const red = async () => {
      const number = await orm.em.fork().count(Thing, { kind: 1, detail: { color: 'red' } });
      await cache.idle();
      return number;
    };
    expect(await red()).to.equal(1);
    store.told = async () => {
      expect(await red()).to.equal(1);
      store.told = async () => expect(await red()).to.equal(1);
      await orm.em.fork().nativeUpdate(Detail, { thing: 3 } as never, { color: 'red' });
    };
    await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { kind: 1 });

    expect(await red()).to.equal(2);
  });
});
