import { defineEntity, p } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { type Cacheops, cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import type { EntryAddress, Found } from '../../../lib/store/store.js';
import { freshDatabase } from '../../support/servers.js';
import { threeReads } from '../support/three_reads.js';

const Maker = defineEntity({
  name: 'Maker',
  cacheops: { timeout: 60 },
  properties: { id: p.integer().primary(), country: p.string() },
});

const Thing = defineEntity({
  name: 'Thing',
  cacheops: { timeout: 60 },
  properties: { id: p.integer().primary(), kind: p.integer(), maker: () => p.manyToOne(Maker) },
});

/** A store that lets something else happen around the question that a reader asks the database about an entry. */
class Interrupted extends MemoryStore {
  reads = 0;
  beforeQuestion: (() => Promise<unknown>) | undefined;
  afterQuestion: (() => Promise<unknown>) | undefined;

  override async read(address: EntryAddress): Promise<Found | undefined> {
    this.reads++;
    if (!this.beforeQuestion) {
      const { afterQuestion } = this;
      this.afterQuestion = undefined;
      await afterQuestion?.();
    }
    const found = await super.read(address);
    const { beforeQuestion } = this;
    this.beforeQuestion = undefined;
    await beforeQuestion?.();
    return found;
  }
}

describe('an entry whose rows change during a lookup of joined rows', () => {
  const store = new Interrupted();
  let orm: MikroORM;
  let cache: Cacheops;

  before(async () => {
    orm = await MikroORM.init({
      entities: [Thing, Maker],
      clientUrl: await freshDatabase(),
      extensions: [cacheops({ store })],
    });
    cache = getCacheops(orm);
    await orm.schema.create();
  });

  beforeEach(async () => {
    store.beforeQuestion = undefined;
    store.afterQuestion = undefined;
    const em = orm.em.fork();
    await em.nativeDelete(Thing, {});
    await em.nativeDelete(Maker, {});
    await em.insertMany(Maker, [
      { id: 1, country: 'AT' },
      { id: 2, country: 'BE' },
      { id: 7, country: 'AT' },
    ]);
    await em.insertMany(Thing, [
      { id: 1, kind: 1, maker: 1 },
      { id: 3, kind: 2, maker: 7 },
    ] as never);
    await cache.idle();
  });

  after(() => orm.close(true));

  const where = { kind: 1, maker: { country: { $nin: ['BE', 'CH'] } } };
  const READS = threeReads(() => orm, Thing, where);

  for (const [how, read] of Object.entries(READS)) {
    async function look(): Promise<unknown> {
      const result = await read();
      await cache.idle();
      return result;
    }

    it(`is not used if the lookup gives a joined row that a delta shows otherwise, ${how}`, async () => {
      const before = await look();
      await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { kind: 1 });
      const after = await cache.disabled(read);
      expect(after).not.to.deep.equal(before);
      // the thing has left the maker that does not satisfy any more: the same result, by another maker
      store.beforeQuestion = () =>
        orm.em.fork().transactional(async em => {
          await em.nativeUpdate(Thing, { id: 3 }, { maker: 1 } as never);
          await em.nativeUpdate(Maker, { id: 7 }, { country: 'BE' });
        });
      expect(await look()).to.deep.equal(after);
      expect(await cache.disabled(read)).to.deep.equal(after);
    });

    it(`is revalidated anew if it was stored after the lookup, ${how}`, async () => {
      await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { maker: 2 } as never);
      const before = await look();
      await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { kind: 1 });
      store.beforeQuestion = async () => {};
      store.afterQuestion = async () => {
        await orm.em.fork().nativeUpdate(Maker, { id: 2 }, { country: 'AT' });
        expect(await look()).not.to.deep.equal(before);
        await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { kind: 2 });
      };
      expect(await look()).to.deep.equal(before);
      expect(await cache.disabled(read)).to.deep.equal(before);
    });

    it(`is used if it was stored after the lookup and holds, ${how}`, async () => {
      await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { maker: 2 } as never);
      const before = await look();
      await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { kind: 1 });
      store.beforeQuestion = async () => {};
      store.afterQuestion = async () => {
        await orm.em.fork().nativeUpdate(Maker, { id: 2 }, { country: 'AT' });
        await look();
      };
      const { misses } = cache.stats();
      const result = await look();
      expect(result).not.to.deep.equal(before);
      expect(result).to.deep.equal(await cache.disabled(read));
      expect(cache.stats().misses).to.equal(misses + 1);
    });

    it(`is not used if the lookup shows that a joined row satisfies the condition, ${how}`, async () => {
      const before = await look();
      await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { kind: 1 });
      store.reads = 0;
      expect(await look()).not.to.deep.equal(before);
      expect(store.reads).to.equal(2);
    });

    it(`is a miss if it is gone after the lookup, ${how}`, async () => {
      await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { maker: 2 } as never);
      const before = await look();
      await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { kind: 1 });
      store.beforeQuestion = async () => {};
      store.afterQuestion = () => cache.invalidateAll();
      const { misses } = cache.stats();
      expect(await look()).to.deep.equal(before);
      expect(cache.stats().misses).to.equal(misses + 1);
    });

    it(`is read again after the lookup, and used if there is no other change, ${how}`, async () => {
      await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { maker: 2 } as never);
      const before = await look();
      await orm.em.fork().nativeUpdate(Thing, { id: 3 }, { kind: 1 });
      store.reads = 0;
      const { revalidated } = cache.stats();
      expect(await look()).to.deep.equal(before);
      expect(cache.stats().revalidated).to.equal(revalidated + 1);
      expect(store.reads).to.equal(2);
    });
  }
});
