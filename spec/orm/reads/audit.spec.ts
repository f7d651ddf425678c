import { expect } from 'chai';
import fc from 'fast-check';
import { Article, entities, Tag } from '../../../fixtures/legacy/index.js';
import { MemoryStore, type MismatchEvent, RedisStore, type Store } from '../../../lib/index.js';
import { areSameRows } from '../../../lib/orm/reads/same_rows.js';
import { redisUrl } from '../../support/servers.js';
import { createBlog } from '../support/blog.js';
import { embedded } from '../support/embedded.js';
import { join, type Started } from '../support/start.js';

const STORES: Record<string, () => Promise<Store>> = {
  memory: async () => new MemoryStore(),
  Redis: async () =>
    new RedisStore(await redisUrl(), { prefix: `audit:${crypto.randomUUID()}:`, commandTimeout: 5000 }),
};

for (const [name, makeStore] of Object.entries(STORES)) {
  describe(`the auditor, on ${name}`, () => {
    let store: Store;
    let blog: Started;
    let mismatches: MismatchEvent[];

    beforeEach(async () => {
      await createBlog();
      store = await makeStore();
      blog = await join({ entities, cacheops: { store, audit: { share: 1 }, storeTimeout: 5000 } });
      mismatches = [];
      blog.cache.events.on('mismatch', event => mismatches.push(event));
    });

    afterEach(async () => {
      await blog.orm.close();
      await store.close();
    });

    const fork = () => blog.orm.em.fork();
    const behind = async (sql: string) => (await embedded()).exec(sql);

    /** Asks twice; what happens in between is not seen by the ORM. */
    async function twice(read: () => Promise<unknown>, between?: string): Promise<void> {
      await read();
      await blog.cache.idle();
      if (between) {
        await behind(between);
      }
      await read();
      await blog.cache.idle();
    }

    it('reports no mismatch for hits that equal the database', async () => {
      await twice(() => fork().find(Article, { author: 1 }, { populate: ['tags', 'author'] }));
      await twice(() => fork().findOne(Article, 1));
      await twice(() => fork().count(Article));
      await twice(() => fork().createQueryBuilder(Tag).orderBy({ id: 1 }).getResult());
      await twice(() => fork().countBy(Article, 'author'));
      await twice(() => fork().exists(Tag));
      const { audited, mismatches: found, hits } = blog.cache.stats();
      expect([audited, found]).to.deep.equal([hits, 0]);
      expect(hits).to.be.at.least(6);
    });

    it('reports a hit that differs from the database, with both results', async () => {
      await twice(() => fork().findOne(Tag, { id: 1 }), `update tag set name = 'pink' where id = 1`);
      expect(mismatches).to.deep.equal([
        {
          entity: 'Tag',
          op: 'get',
          key: mismatches[0]?.key,
          dependencies: ['tag(id=1)'],
          cached: [{ id: 1, name: 'red' }],
          database: [{ id: 1, name: 'pink' }],
        },
      ]);
      expect(mismatches[0]!.key).to.match(/^Tag:/);
      expect(blog.cache.stats().mismatches).to.equal(1);
    });

    it('reports missing rows and a wrong count', async () => {
      await twice(() => fork().find(Tag, {}), `insert into tag (id, name) values (8, 'pink')`);
      await twice(() => fork().count(Tag), `delete from tag where id = 8`);
      expect(mismatches.map(({ op }) => op)).to.deep.equal(['fetch', 'count']);
    });

    it('reports neither another order nor other rows under a LIMIT', async () => {
      const reorder = `update tag set name = name where id = 1`;
      await twice(() => fork().find(Tag, {}), reorder);
      await twice(() => fork().find(Tag, {}, { limit: 2 }), reorder);
      expect(mismatches).to.deep.equal([]);
    });

    it('reports no mismatch while other processes write', async () => {
      const write = async (i: number) =>
        fork().nativeUpdate(Article, { id: 1 + (i % 2) }, { title: `Title ${i}` });
      const read = async () => {
        await fork().find(Article, { author: 1 });
        await fork().findOne(Article, 1);
        await fork().find(Article, { title: { $like: 'Title %' } }, { orderBy: { title: 'desc' }, limit: 1 });
      };
      for (let i = 0; i < 15; i++) {
        await Promise.all([read(), write(i), read(), read()]);
        // so that there is something to hit
        await read();
        await blog.cache.idle();
        await Promise.all([read(), read(), write(-i)]);
      }
      await blog.cache.idle();
      const { audited, hits } = blog.cache.stats();
      expect(mismatches).to.deep.equal([]);
      expect(audited, `of ${hits} hits`).to.be.at.least(10);
    });

    it('audits no hit in a transaction', async () => {
      const read = () => fork().transactional(em => em.find(Tag, {}));
      await twice(read, `update tag set name = 'pink' where id = 1`);
      expect(blog.cache.stats().audited).to.equal(0);
    });
  });
}

describe('the share that is audited', () => {
  it('is zero without the option', async () => {
    await createBlog();
    const blog = await join({ entities });
    try {
      for (let i = 0; i < 3; i++) {
        await blog.orm.em.fork().find(Tag, {});
        await blog.cache.idle();
      }
      expect(blog.cache.stats()).to.include({ hits: 2, audited: 0 });
    } finally {
      await blog.orm.close();
    }
  });
});

describe('areSameRows', () => {
  it('ignores the order of rows, and compares everything else', () => {
    const row = fc.record({
      id: fc.nat(5),
      name: fc.constantFrom('a', 'b', null),
      at: fc.date({ noInvalidDate: true }),
    });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 4 }), fc.array(row, { maxLength: 4 }), (a, b) => {
        expect(areSameRows(a, a.toReversed(), false, ['id'])).to.equal(true);
        const text = (rows: object[]) => rows.map(each => JSON.stringify(each)).sort();
        expect(areSameRows(a, b, false, ['id'])).to.equal(
          JSON.stringify(text(a)) === JSON.stringify(text(b)),
        );
      }),
    );
  });

  it('distinguishes types', () => {
    const values = [
      1,
      '1',
      1n,
      true,
      'true',
      null,
      undefined,
      new Date(1),
      Buffer.from('1'),
      [1],
      { a: 1 },
      { a: '1' },
    ];
    for (const [i, a] of values.entries()) {
      for (const [j, b] of values.entries()) {
        expect(areSameRows(a, b, false, []), `${String(a)} and ${String(b)}`).to.equal(i === j);
      }
    }
  });

  it('gives undefined for other rows under a LIMIT, and false for the same rows with other values', () => {
    const rows = (...names: string[]) => names.map((name, id) => ({ id, name }));
    expect(areSameRows(rows('a'), [{ id: 7, name: 'a' }], true, ['id'])).to.equal(undefined);
    expect(areSameRows(rows('a'), rows('b'), true, ['id'])).to.equal(false);
    expect(areSameRows(rows('a'), rows('a', 'b'), true, ['id'])).to.equal(false);
    expect(areSameRows(rows('a'), rows('b'), true, [])).to.equal(undefined);
  });
});
