import { LockMode } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import type { EntityManager } from '@mikro-orm/pglite';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import fc from 'fast-check';
import { Article, Author, entities, Tag } from '../../../fixtures/legacy/index.js';
import { cacheops, getCacheops, MemoryStore, RedisStore, type Store } from '../../../lib/index.js';
import { freshDatabase, redisUrl } from '../../support/servers.js';
import { createBlog, restoreBlog } from '../support/blog.js';
import { snapshotOf } from '../support/snapshot.js';
import { join, joinUncached } from '../support/start.js';

type Step =
  | { readonly read: (em: EntityManager) => Promise<unknown>; readonly text: string }
  | { readonly write: (em: EntityManager) => Promise<unknown>; readonly text: string };

const id = fc.integer({ min: 1, max: 6 });
const keys = fc.uniqueArray(id, { minLength: 1, maxLength: 6 });

/** What finds have in common that differ in their keys only. */
const condition = fc.record(
  {
    by: fc.constantFrom('id', 'id', 'author', 'category'),
    rest: fc.constantFrom<object>(
      {},
      {},
      { status: 'draft' },
      { views: { $gt: 5n } },
      { author: { name: 'Ann' } },
      { tags: { $some: { id: 1 } } },
      { $or: [{ title: 'b' }, { category: 1 }] },
    ),
  },
  { noNullPrototype: true },
);

const options = fc.constantFrom<object>(
  {},
  { orderBy: { id: 'desc' } },
  { orderBy: [{ title: 'asc' }, { id: 'asc' }] },
  { orderBy: [{ views: 'desc' }, { id: 'desc' }] },
  { orderBy: [{ price: 'desc nulls last' }, { id: 'asc' }] },
  { fields: ['title', 'author'] },
  { populate: ['author'], orderBy: { id: 'asc' } },
  { populate: ['author', 'tags', 'category'], strategy: 'select-in' },
  { populate: ['tags', 'comments'], orderBy: { id: 'asc' } },
  { populate: ['tags'], strategy: 'joined', orderBy: { id: 'asc' } },
  { limit: 2, orderBy: { id: 'asc' } },
);

const family = fc.tuple(condition, options);

type Family = typeof family extends fc.Arbitrary<infer T> ? T : never;

const readOf = ([{ by, rest }, given]: Family, list: readonly number[]): Step => ({
  text: `find ${by} in ${list} ${JSON.stringify(rest, (_, v) => (typeof v === 'bigint' ? String(v) : v))} ${JSON.stringify(given)}`,
  read: em => em.find(Article, { $and: [{ [by]: { $in: list } }, rest] } as never, structuredClone(given)),
});

const populateStep: fc.Arbitrary<Step> = keys.map(list => ({
  text: `populate authors ${list}`,
  read: em => em.find(Author, { id: list }, { populate: ['articles.tags'], orderBy: { id: 'asc' } }),
}));

const change = fc.oneof(
  fc.constantFrom('a', 'b', 'c').map(title => ({ title })),
  fc.constantFrom('draft', 'published').map(status => ({ status })),
  fc.integer({ min: 1, max: 2 }).map(author => ({ author })),
  fc.constantFrom(1, 2, 3, null).map(category => ({ category })),
  fc.constantFrom('1', '2.5', null).map(price => ({ price })),
  fc.constantFrom(1n, 7n).map(views => ({ views })),
);

const writeStep: fc.Arbitrary<Step> = fc.oneof(
  fc.tuple(id, change).map(([key, data]) => ({
    text: `update ${key} ${Object.entries(data)}`,
    write: (em: EntityManager) => em.nativeUpdate(Article, { id: key }, data as never),
  })),
  fc.tuple(id, change).map(([key, data]) => ({
    text: `flush ${key} ${Object.entries(data)}`,
    async write(em: EntityManager) {
      const article = await em.findOne(Article, key);
      if (article) {
        em.assign(article, data as never);
      }
      await em.flush();
    },
  })),
  id.map(key => ({
    text: `insert or delete ${key}`,
    async write(em: EntityManager) {
      const article = await em.findOne(Article, key, { populate: ['tags', 'comments', 'translations'] });
      if (article) {
        em.remove([...article.comments.getItems(), ...article.translations.getItems(), article]);
      } else {
        em.create(Article, { id: key, title: 'b', author: 1 });
      }
      await em.flush();
    },
  })),
  fc.tuple(id, fc.integer({ min: 1, max: 3 })).map(([key, tag]) => ({
    text: `tag ${key} ${tag}`,
    async write(em: EntityManager) {
      const article = await em.findOne(Article, key, { populate: ['tags'] });
      const reference = em.getReference(Tag, tag);
      if (article?.tags.contains(reference)) {
        article.tags.remove(reference);
      } else {
        article?.tags.add(reference);
      }
      await em.flush();
    },
  })),
  fc.integer({ min: 1, max: 2 }).map(key => ({
    text: `rename ${key}`,
    write: (em: EntityManager) => em.nativeUpdate(Author, { id: key }, { name: key === 1 ? 'Ann' : 'Zoe' }),
  })),
);

/** Of few families, so that there is something to be found. */
const steps = fc
  .array(family, { minLength: 1, maxLength: 2 })
  .chain(families =>
    fc.array(
      fc.oneof(
        { arbitrary: fc.tuple(fc.constantFrom(...families), keys).map(read => readOf(...read)), weight: 6 },
        { arbitrary: populateStep, weight: 1 },
        { arbitrary: writeStep, weight: 2 },
      ),
      { minLength: 6, maxLength: 16, size: 'max' },
    ),
  );

/** Without ORDER BY the order of rows is unspecified, as is the order of the items of a collection. */
function inAnyOrder(snapshot: string): string {
  const parsed = JSON.parse(snapshot, (key, value) => (key === 'collection' ? sorted(value) : value));
  for (const { original } of Object.values<{ original: Record<string, unknown> }>(parsed.managed)) {
    for (const [property, value] of Object.entries(original)) {
      original[property] = rowsInAnyOrder(value);
    }
  }
  const managed = sorted(Object.entries(parsed.managed));
  return JSON.stringify({ ...parsed, result: sorted(itemsOf(parsed.result)), managed }, undefined, 1);
}

/** The joined strategy keeps the rows of a collection, as plain objects, in the original data of its owner. */
function rowsInAnyOrder(value: unknown): unknown {
  const isArray = typeof value === 'object' && value !== null && 'Array' in value;
  const items = isArray ? itemsOf(value) : [];
  return items.some(item => typeof item === 'object') ? sorted(items) : value;
}

const itemsOf = (value: object) => (value as { Array: [string, unknown][] }).Array.map(([, item]) => item);

function sorted(values: unknown): unknown {
  const keyed = Array.isArray(values) && values.map(value => [JSON.stringify(value), value] as const);
  return keyed ? keyed.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, value]) => value) : values;
}

const isOrdered = (text: string) => text.includes('orderBy') || text.startsWith('populate');

/** Lets others have so many turns. */
async function pause(turns: number): Promise<void> {
  for (let i = 0; i < turns; i++) {
    await new Promise(resolve => setImmediate(resolve));
  }
}

const STORES: Record<string, () => Promise<Store>> = {
  memory: async () => new MemoryStore(),
  Redis: async () =>
    new RedisStore(await redisUrl(), { prefix: `batches:${crypto.randomUUID()}:`, commandTimeout: 5000 }),
};

for (const [name, makeStore] of Object.entries(STORES)) {
  describe(`generated finds by lists of keys and writes, on ${name}`, function () {
    this.timeout(300_000);

    it('every find gives what the database would give', async () => {
      await createBlog();
      const store = await makeStore();
      const blog = await join({ entities, cacheops: { store, storeTimeout: 5000 } });
      const uncached = await joinUncached({ entities });
      const { readMany } = store;
      const looked = { found: 0, missing: 0 };
      store.readMany = async addresses => {
        const found = await readMany.call(store, addresses);
        for (const each of found) {
          looked[each ? 'found' : 'missing']++;
        }
        return found;
      };
      await fc.assert(
        fc.asyncProperty(steps, async history => {
          await restoreBlog(blog);
          const told: string[] = [];
          for (const step of history) {
            told.push(step.text);
            const em = blog.orm.em.fork();
            if ('write' in step) {
              await step.write(em);
              continue;
            }
            const plain = uncached.em.fork();
            const expected = snapshotOf(plain, await step.read(plain));
            const actual = snapshotOf(em, await step.read(em));
            expect(inAnyOrder(actual), told.join('\n')).to.equal(inAnyOrder(expected));
            if (isOrdered(step.text)) {
              expect(JSON.parse(actual).result, told.join('\n')).to.deep.equal(JSON.parse(expected).result);
            }
            if (told.length % 3 > 0) {
              await blog.cache.idle();
            }
          }
        }),
        { numRuns: 25, endOnFailure: true },
      );
      expect(looked.found / looked.missing, JSON.stringify(looked)).to.be.above(0.2);
      await blog.orm.close();
      await uncached.close();
      await store.close();
    });

    it('every find is consistent during concurrent writes', async () => {
      const clientUrl = await freshDatabase('batches');
      const store = await makeStore();
      const open = () =>
        MikroORM.init({
          clientUrl,
          entities,
          metadataProvider: ReflectMetadataProvider,
          extensions: [cacheops({ store, storeTimeout: 10_000 })],
        });
      const orm = await open();
      // time enough for a writer between the look at the store and the question to the database
      const { lease } = store;
      store.lease = async (...args) => {
        await pause(20);
        return lease.apply(store, args);
      };
      const ids = [1, 2, 3, 4, 5, 6, 7, 8];
      try {
        await orm.schema.create();
        await orm.em
          .fork()
          .insertMany(
            Author,
            ids.map(key => ({ id: key, name: 'x', email: `${key}`, reputation: 10 })) as never,
          );
        let writing = true;
        let reads = 0;

        /** What one gains another loses, in one transaction. */
        const write = async (seed: number) => {
          for (let i = 0; i < 30; i++) {
            const [from, to] = [1 + ((seed * 7 + i * 5) % 8), 1 + ((seed + i * 3) % 8)].sort() as [
              number,
              number,
            ];
            await orm.em.fork().transactional(async em => {
              const [a, b] = await em.find(
                Author,
                { id: [from, to] },
                { orderBy: { id: 'asc' }, lockMode: LockMode.PESSIMISTIC_WRITE },
              );
              if (a && b) {
                a.reputation--;
                b.reputation++;
              }
            });
            const seen = reads;
            while (reads === seen) {
              await pause(1);
            }
          }
        };
        const read = async (seed: number) => {
          for (let i = 0; writing; i++) {
            const part = ids.filter(key => (key + seed + i) % 3 > 0);
            await orm.em.fork().find(Author, { id: part });
            const all = await orm.em.fork().find(Author, { id: ids });
            const sum = all.reduce((total, { reputation }) => total + reputation, 0);
            expect(sum, all.map(({ reputation }) => reputation).join()).to.equal(80);
            reads += 1;
            // hits wait for nothing but memory: others shall have their turn
            await pause(1);
          }
        };
        const readers = [1, 2, 3, 4].map(read);
        try {
          await Promise.race([Promise.all([1, 2, 3].map(write)), Promise.all(readers)]);
        } finally {
          writing = false;
        }
        await Promise.all(readers);
        const { hits } = getCacheops(orm).stats();
        expect(hits).to.be.above(10);
      } finally {
        await orm.close();
        await store.close();
      }
    });
  });
}
