import { DataloaderType } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import { Article, Author, Comment, entities, Tag } from '../../../fixtures/legacy/index.js';
import { MemoryStore, type MismatchEvent, RedisStore, type Store } from '../../../lib/index.js';
import { currentScope } from '../../../lib/orm/context/scope.js';
import { redisUrl } from '../../support/servers.js';
import { until } from '../../support/until.js';
import { createBlog, restoreBlog, uuid } from '../support/blog.js';
import { embedded } from '../support/embedded.js';
import { readsOf, sourcesOf } from '../support/observe.js';
import { snapshotOf } from '../support/snapshot.js';
import { join, joinUncached, type Started, type StartOptions } from '../support/start.js';

use(chaiAsPromised);

interface Executing {
  execute(query: unknown, parameters?: readonly unknown[], ...rest: unknown[]): Promise<unknown>;
}

const STORES: Record<string, () => Promise<Store>> = {
  memory: async () => new MemoryStore(),
  Redis: async () =>
    new RedisStore(await redisUrl(), { prefix: `batches:${crypto.randomUUID()}:`, commandTimeout: 5000 }),
};

for (const [name, makeStore] of Object.entries(STORES)) {
  describe(`finds by lists of keys, on ${name}`, () => {
    let store: Store;
    let blog: Started;
    let uncached: MikroORM;
    /** the parameters of every question that was asked of the database */
    let asked: (readonly unknown[])[];
    /** each answer goes through this */
    let delay: (answer: Promise<unknown>, parameters: readonly unknown[]) => Promise<unknown>;

    before(async () => {
      await createBlog();
      store = await makeStore();
      blog = await open();
      uncached = await joinUncached({ entities });
    });

    beforeEach(async () => {
      await restoreBlog(blog);
      delay = answer => answer;
      asked = [];
    });

    after(async () => {
      await blog.orm.close();
      await uncached.close();
      await store.close();
    });

    async function open(
      options: StartOptions['cacheops'] = {},
      more: Partial<StartOptions> = {},
    ): Promise<Started> {
      const started = await join({ entities, cacheops: { store, storeTimeout: 5000, ...options }, ...more });
      const connection = started.orm.em.getConnection() as unknown as Executing;
      const { execute } = connection;
      connection.execute = function (query, parameters = [], ...rest) {
        const answer = execute.call(this, query, parameters, ...rest);
        if (
          currentScope().dryRun ||
          !/^select .* from "(article|author|tag|comment|article_tags)" as/.test(String(query))
        ) {
          return answer;
        }
        asked.push(parameters);
        return delay(answer, parameters);
      };
      return started;
    }

    const fork = (): EntityManager => blog.orm.em.fork();
    const byIds = (
      ids: readonly number[],
      options: object = { orderBy: { id: 'asc' } },
      em = fork(),
    ): Promise<Article[]> => em.find(Article, { id: { $in: ids } } as never, options) as never;

    /** What was asked of the database meanwhile; the answers are what they would be without a cache. */
    async function questionsOf(
      read: (em: EntityManager) => Promise<unknown>,
    ): Promise<(readonly unknown[])[]> {
      const plain = uncached.em.fork();
      const expected = snapshotOf(plain, await read(plain));
      asked = [];
      const em = fork();
      expect(sorted(snapshotOf(em, await read(em)))).to.deep.equal(sorted(expected));
      await blog.cache.idle();
      return asked;
    }

    /** Entities, and items of collections, in whatever order: without ORDER BY, that is the database's, and another one after each update. */
    function sorted(snapshot: string): unknown {
      const { managed, ...rest } = JSON.parse(snapshot, (key, value) =>
        key === 'collection' && Array.isArray(value) ? value.sort() : value,
      );
      return { ...rest, managed: Object.entries(managed).sort(([a], [b]) => (a < b ? -1 : 1)) };
    }

    it('use the entries of keys that hold, and ask for the other keys by one statement', async () => {
      expect(await questionsOf(em => byIds([1, 2], undefined, em))).to.deep.equal([[1, 2]]);
      expect(await questionsOf(em => byIds([1, 2, 3, 4], undefined, em))).to.deep.equal([[3, 4]]);
      expect(await questionsOf(em => byIds([2, 4], undefined, em))).to.deep.equal([]);
      expect(await questionsOf(em => byIds([1, 2, 3], undefined, em))).to.deep.equal([]);
    });

    it('ask the database once for concurrent misses of the same list', async () => {
      let release = () => {};
      const held = new Promise<void>(resolve => {
        release = resolve;
      });
      delay = async answer => {
        await held;
        return answer;
      };
      let looks = 0;
      const { readMany } = store;
      store.readMany = async addresses => {
        const entries = await readMany.call(store, addresses);
        looks++;
        return entries;
      };
      let found: Article[][] = [];
      const sources = await sourcesOf(blog.cache, async () => {
        const all = Promise.all(Array.from({ length: 10 }, () => byIds([1, 2, 3])));
        await until(() => looks === 10 && asked.length > 0);
        release();
        found = await all;
      });
      store.readMany = readMany;
      expect(asked).to.have.length(1);
      expect(found.map(rows => rows.map(({ id }) => id))).to.deep.equal(Array(10).fill([1, 2, 3]));
      expect(sources.sort()).to.deep.equal(['miss', ...Array(9).fill('shared')]);
    });

    it('do not join a query that was sent before they began', async () => {
      await byIds([1, 2]);
      await blog.cache.idle();
      await fork().nativeUpdate(Article, {}, { title: 'first' });
      let release = () => {};
      const held = new Promise<void>(resolve => {
        release = resolve;
      });
      delay = async answer => {
        const given = await answer;
        await held;
        return given;
      };
      const early = byIds([1, 2]);
      await until(() => asked.length > 0);
      await fork().nativeUpdate(Article, {}, { title: 'second' });
      delay = answer => answer;
      const late = await byIds([1, 2]);
      release();
      await early;
      expect(late.map(({ title }) => title)).to.deep.equal(['second', 'second']);
    });

    it('share entries with finds by one key', async () => {
      await questionsOf(em => byIds([1, 2], undefined, em));
      expect(await questionsOf(em => byIds([1], undefined, em))).to.deep.equal([]);
      await questionsOf(em => byIds([3], undefined, em));
      expect(await questionsOf(em => byIds([2, 3], undefined, em))).to.deep.equal([]);
    });

    it('a change of a row invalidates the entries of its key, and no other', async () => {
      await questionsOf(em => byIds([1, 2, 3], undefined, em));
      await fork().nativeUpdate(Article, { id: 2 }, { title: 'Changed' });
      expect(await questionsOf(em => byIds([1, 2, 3], undefined, em))).to.deep.equal([[2]]);
      await fork().nativeDelete(Comment, {});
      await fork().nativeDelete(Article, { id: 3 });
      expect(await questionsOf(em => byIds([1, 2, 3], undefined, em))).to.deep.equal([[3]]);
      expect(await questionsOf(em => byIds([1, 2, 3], undefined, em))).to.deep.equal([]);
    });

    it('keys without rows have entries, until a row has such a key', async () => {
      expect(await questionsOf(em => byIds([1, 77, 78], undefined, em))).to.deep.equal([[1, 77, 78]]);
      expect(await questionsOf(em => byIds([77, 78], undefined, em))).to.deep.equal([]);
      await fork().insert(Article, { id: 77, title: 'New', author: 1 } as never);
      expect(await questionsOf(em => byIds([1, 77, 78], undefined, em))).to.deep.equal([[77]]);
    });

    it('give rows in the order of ORDER BY, if it is total', async () => {
      const options = { orderBy: [{ title: 'desc' }, { id: 'asc' }] };
      await fork().nativeUpdate(Article, { id: 4 }, { title: 'Second' });
      await questionsOf(em => byIds([3, 1], options, em));
      expect(await questionsOf(em => byIds([4, 3, 2, 1], options, em))).to.deep.equal([[4, 2]]);
      expect(await questionsOf(em => byIds([1, 4, 2, 3], options, em))).to.deep.equal([]);
      const titles = (await byIds([1, 2, 3, 4], options)).map(({ title, id }) => `${title} ${id}`);
      expect(titles).to.deep.equal(['Third 3', 'Second 2', 'Second 4', 'First 1']);
    });

    it('give rows in the order of the keys without ORDER BY, for hits and misses', async () => {
      const ids = async (...keys: number[]) => (await byIds(keys, {})).map(({ id }) => id);
      expect(await ids(3, 1)).to.deep.equal([3, 1]);
      expect(await ids(2, 3, 4, 1)).to.deep.equal([2, 3, 4, 1]);
      expect(await ids(4, 3, 2, 1)).to.deep.equal([4, 3, 2, 1]);
    });

    it('have one entry as a whole if they cannot be split', async () => {
      const wholes: ((em: EntityManager) => Promise<unknown>)[] = [
        em => byIds([1, 2], { limit: 5, orderBy: { id: 'asc' } }, em),
        em => byIds([1, 2], { orderBy: { title: 'asc' } }, em),
        em => byIds([1, 2], { orderBy: { author: { name: 'asc' }, id: 'asc' } }, em),
        em => em.findOne(Article, { id: { $in: [1, 2] } }, { orderBy: { id: 'asc' } }),
      ];
      for (const read of wholes) {
        await restoreBlog(blog);
        await questionsOf(read);
        expect(await questionsOf(read), String(read)).to.deep.equal([]);
        await fork().nativeUpdate(Article, { id: 1 }, { title: 'Changed', author: 2, status: 'archived' });
        expect((await questionsOf(read)).flat().slice(0, 2), String(read)).to.deep.equal([1, 2]);
      }
    });

    it('populate to-one, to-many and many-to-many relations key by key', async () => {
      const read = (em: EntityManager) =>
        em.find(
          Author,
          { id: [1, 2] },
          { populate: ['articles', 'articles.tags', 'articles.category'], orderBy: { id: 'asc' } },
        );
      await questionsOf(read);
      expect(await questionsOf(read)).to.deep.equal([]);
      await fork().nativeUpdate(Author, { id: 2 }, { name: 'Bea' });
      expect(await questionsOf(read)).to.deep.equal([[2]]);
      await fork().insert(Article, { id: 50, title: 'New', author: 2 } as never);
      expect(await questionsOf(read)).to.deep.equal([[2], [50]]);
      const em = fork();
      (await em.findOneOrFail(Article, 3, { populate: ['tags'] })).tags.add(em.getReference(Tag, 1));
      await em.flush();
      expect(await questionsOf(read)).to.deep.equal([[3]]);
      await fork().nativeUpdate(Tag, { id: 3 }, { name: 'navy' });
      expect(await questionsOf(read), 'articles of that tag').to.deep.equal([[2]]);
    });

    it('populate by select-in key by key', async () => {
      const read = (em: EntityManager) =>
        em.find(
          Article,
          {},
          { populate: ['author', 'comments'], strategy: 'select-in', orderBy: { id: 'asc' } },
        );
      await questionsOf(read);
      await fork().nativeUpdate(Author, { id: 1 }, { name: 'Anna' });
      expect(await questionsOf(read)).to.deep.equal([[1]]);
      await fork().insert(Comment, { id: uuid(9), article: 3, text: 'New', createdAt: new Date(0) } as never);
      expect(await questionsOf(read)).to.deep.equal([[3]]);
    });

    it('read through dataloaders key by key', async () => {
      const read = async (em: EntityManager) => {
        const authors = await em.find(Author, {}, { orderBy: { id: 'asc' } });
        const articles = await Promise.all(authors.map(author => author.articles.load({ dataloader: true })));
        const tags = [1, 2, 3].map(id =>
          em.getReference(Tag, id, { wrapped: true }).load({ dataloader: true }),
        );
        return [articles.map(list => list.getItems()), await Promise.all(tags)];
      };
      await questionsOf(read);
      await fork().nativeUpdate(Article, { id: 3 }, { title: 'Changed' });
      expect(await questionsOf(read)).to.deep.equal([[2]]);
      await fork().nativeUpdate(Tag, { id: 3 }, { name: 'navy' });
      expect(await questionsOf(read)).to.deep.equal([[3]]);
    });

    it('may have other conditions, also of filters', async () => {
      const read = (em: EntityManager) =>
        em.find(
          Article,
          { id: [1, 2, 3], status: 'published', $and: [{ views: { $gte: 0n } }] },
          { orderBy: { id: 'asc' } },
        );
      expect(await questionsOf(read)).to.have.lengthOf(1);
      await fork().nativeUpdate(Article, { id: 3 }, { status: 'published' });
      expect((await questionsOf(read)).flat())
        .to.include(3)
        .and.not.to.include(1);
      await fork().nativeUpdate(Article, { id: 1 }, { status: 'draft' });
      expect((await questionsOf(read)).flat())
        .to.include(1)
        .and.not.to.include(3);
      expect(await questionsOf(read)).to.deep.equal([]);
    });

    it('keep entries whose changes do not matter', async () => {
      const read = (em: EntityManager) =>
        em.find(
          Article,
          { id: [1, 2], views: { $gte: 0n } },
          { fields: ['title'] as never, orderBy: { id: 'asc' } },
        );
      await questionsOf(read);
      const { revalidated } = blog.cache.stats();
      await fork().nativeUpdate(Article, { id: 2 }, { views: 5n });
      expect(await questionsOf(read)).to.deep.equal([]);
      expect(blog.cache.stats().revalidated).to.equal(revalidated + 1);
      await fork().nativeUpdate(Article, { id: 1 }, { views: -5n });
      expect((await questionsOf(read)).flat().slice(0, 1)).to.deep.equal([1]);
    });

    it('are not split again after a row whose key is unknown', async () => {
      const read = (em: EntityManager) =>
        em.find(
          Author,
          { email: ['ann@example.org', 'bob@example.org'] },
          { fields: ['name'], orderBy: { id: 'asc' } },
        );
      const reasons: string[] = [];
      const listener = ({ reason }: { reason: string }) => reasons.push(reason);
      blog.cache.events.on('unstored', listener);
      await byIds([1]); // after it, the tables are known as they are
      await blog.cache.idle();
      for (const questions of [1, 1, 0]) {
        expect(await questionsOf(read)).to.have.lengthOf(questions);
      }
      blog.cache.events.off('unstored', listener);
      expect(reasons).to.deep.equal(['a row whose key is unknown']);
      await fork().nativeUpdate(Author, { id: 2 }, { name: 'Bea' });
      expect(await questionsOf(read)).to.deep.equal([['ann@example.org', 'bob@example.org']]);
    });

    it('announce one read event, and a fill event for each key', async () => {
      const fills: string[] = [];
      const listener = ({ dependencies }: { dependencies: readonly string[] }) => fills.push(...dependencies);
      blog.cache.events.on('fill', listener);
      const before = blog.cache.stats();
      const all = ['article(id=1)', 'article(id=2)'];
      const [miss] = await readsOf(blog.cache, () => byIds([1, 2]));
      const reads = await readsOf(blog.cache, () => byIds([1, 2]));
      const [half] = await readsOf(blog.cache, () => byIds([1, 3]));
      blog.cache.events.off('fill', listener);
      expect(reads).to.have.lengthOf(1);
      expect(reads[0]).to.deep.include({
        entity: 'Article',
        op: 'fetch',
        source: 'cache',
        dependencies: all,
      });
      expect(miss).to.deep.include({
        source: 'database',
        reason: 'miss',
        dependencies: all,
        key: reads[0]!.key,
      });
      expect(half).to.deep.include({ source: 'database', reason: 'miss' });
      expect(fills).to.deep.equal([...all, 'article(id=3)']);
      const { hits, misses, fills: filled } = blog.cache.stats();
      expect([hits - before.hits, misses - before.misses, filled - before.fills]).to.deep.equal([1, 2, 3]);
    });

    it('ask the database for all keys if the cache must not be used', async () => {
      await byIds([1, 2]);
      await blog.cache.idle();
      const sources = (read: () => Promise<unknown>) => sourcesOf(blog.cache, read);
      expect(await sources(() => blog.cache.disabled(() => byIds([1, 2])))).to.deep.equal(['disabled']);
      expect(await sources(() => byIds([1, 2], { cacheops: false }))).not.to.include('cache');
      expect(await sources(() => byIds([1, 2], { refresh: true }))).to.deep.equal(['a refresh']);
      await fork().transactional(async em => {
        expect(await sources(() => byIds([1, 2], undefined, em as EntityManager))).to.deep.equal(['cache']);
        await em.nativeUpdate(Article, { id: 2 }, { title: 'Mine' });
        asked = [];
        expect(await sources(() => byIds([1, 2], undefined, em as EntityManager))).not.to.include('cache');
        expect(asked).to.deep.equal([[1, 2]]);
      });
    });

    it('are neither stored nor merged with entries if the transaction has written meanwhile', async () => {
      await byIds([1, 2]);
      await blog.cache.idle();
      const filled = blog.cache.stats().fills;
      await fork().transactional(async em => {
        const { lease } = store;
        store.lease = async (...args) => {
          store.lease = lease;
          await em.nativeUpdate(Article, { id: { $in: [1, 3] } }, { title: 'Mine' });
          return lease.apply(store, args);
        };
        const titles = (await byIds([1, 2, 3], undefined, em as EntityManager)).map(({ title }) => title);
        expect(titles).to.deep.equal(['Mine', 'Second', 'Mine']);
      });
      await blog.cache.idle();
      expect(blog.cache.stats().fills).to.equal(filled);
      expect(await questionsOf(em => byIds([1, 2, 3], undefined, em))).to.deep.equal([[1, 3]]);
    });

    it('have one entry as a whole with the option lock', async () => {
      const read = (em: EntityManager) => byIds([1, 2], { cacheops: { lock: true } }, em);
      expect(await sourcesOf(blog.cache, () => read(fork()))).to.deep.equal(['miss']);
      expect(await sourcesOf(blog.cache, () => read(fork()))).to.deep.equal(['cache']);
    });

    it('have a prefix for each key', async () => {
      let tenant = 'a:';
      const tenants = await open({ prefix: () => tenant });
      const read = () => tenants.orm.em.fork().find(Article, { id: [1, 2] });
      try {
        for (const each of ['a:', 'b:', 'a:', 'b:']) {
          tenant = each;
          await read();
          await tenants.cache.idle();
        }
        expect(asked).to.deep.equal([
          [1, 2],
          [1, 2],
        ]);
        await tenants.orm.em.fork().nativeUpdate(Article, { id: 2 }, { title: 'Changed' });
        asked = [];
        for (const each of ['a:', 'b:']) {
          tenant = each;
          expect((await read())[1]!.title).to.equal('Changed');
        }
        expect(asked).to.deep.equal([[2], [2]]);
      } finally {
        await tenants.orm.close();
      }
    });

    it('are audited as one hit', async () => {
      const audited = await open({ audit: { share: 1 } });
      const mismatches: MismatchEvent[] = [];
      audited.cache.events.on('mismatch', event => mismatches.push(event));
      try {
        const read = () => audited.orm.em.fork().find(Article, { id: [1, 2] });
        await read();
        await audited.cache.idle();
        await read();
        await audited.cache.idle();
        expect(audited.cache.stats()).to.include({ audited: 1, mismatches: 0 });
        // what the ORM does not see
        await (await embedded()).exec(`update article set title = 'Pink' where id in (1, 2)`);
        await read();
        await audited.cache.idle();
        expect(audited.cache.stats()).to.include({ audited: 2, mismatches: 1 });
        expect(mismatches[0]!.dependencies).to.have.lengthOf(1);
      } finally {
        await audited.orm.close();
      }
    });

    it('are answered by the database if the store fails', async () => {
      await byIds([1, 2]);
      await blog.cache.idle();
      const { readMany } = store;
      store.readMany = async () => {
        throw new Error('gone');
      };
      try {
        const broken = await open({ retryAfter: 1 });
        const articles = await broken.orm.em.fork().find(Article, { id: [1, 2] });
        expect(articles.map(({ title }) => title)).to.deep.equal(['First', 'Second']);
        await broken.orm.close();
      } finally {
        store.readMany = readMany;
      }
    });

    it('are read by dataloaders if the configuration enables them everywhere', async () => {
      const eager = await open({}, { dataloader: DataloaderType.ALL });
      try {
        const read = async (orm: MikroORM) => {
          const em = orm.em.fork();
          const articles = await em.find(Article, {}, { orderBy: { id: 'asc' } });
          await Promise.all(articles.map(article => article.author.load()));
          return snapshotOf(em, articles);
        };
        for (let i = 0; i < 2; i++) {
          expect(await read(eager.orm)).to.equal(await read(uncached));
          await eager.cache.idle();
        }
      } finally {
        await eager.orm.close();
      }
    });

    describe('during concurrent writes', () => {
      /** Holds back the answer to the first question for the rest, and tells when it is there. */
      function holdRest() {
        const answered = Promise.withResolvers<void>();
        const released = Promise.withResolvers<void>();
        delay = async answer => {
          delay = each => each;
          await answer;
          answered.resolve();
          await released.promise;
          return answer;
        };
        return { answered: answered.promise, release: released.resolve };
      }

      const titles = (articles: readonly Article[]) => articles.map(({ title }) => title);

      it('are consistent if a write changes an entry before the database is asked for the rest', async () => {
        await byIds([1, 2]);
        await blog.cache.idle();
        // the writer commits both after the store was looked at, and before the database is asked
        const { lease } = store;
        store.lease = async (...args) => {
          store.lease = lease;
          await fork().transactional(async em => {
            await em.nativeUpdate(Article, { id: 1 }, { title: 'New' });
            await em.nativeUpdate(Article, { id: 3 }, { title: 'New' });
          });
          return lease.apply(store, args);
        };
        asked = [];
        expect(titles(await byIds([1, 2, 3]))).to.deep.equal(['New', 'Second', 'New']);
        expect(asked).to.deep.equal([[3], [1, 2, 3]]);
        await blog.cache.idle();
        expect(await questionsOf(em => byIds([1, 2, 3], undefined, em))).to.deep.equal([]);
      });

      it('are consistent if a changed entry is stored again meanwhile', async () => {
        await byIds([1, 2]);
        await blog.cache.idle();
        const held = holdRest();
        const read = byIds([1, 2, 3]);
        await held.answered;
        await fork().nativeUpdate(Article, { id: 1 }, { title: 'New' });
        await byIds([1]);
        await fork().nativeUpdate(Article, { id: 1 }, { title: 'First' });
        await byIds([1]);
        await blog.cache.idle();
        asked = [];
        held.release();
        expect(titles(await read)).to.deep.equal(['First', 'Second', 'Third']);
        expect(asked).to.deep.equal([[1, 2, 3]]);
      });

      it('ask only for the rest if the write does not matter', async () => {
        await byIds([1, 2]);
        await blog.cache.idle();
        const held = holdRest();
        const read = byIds([1, 2, 3]);
        await held.answered;
        await fork().nativeUpdate(Article, { id: 4 }, { title: 'New' });
        asked = [];
        held.release();
        expect(titles(await read)).to.deep.equal(['First', 'Second', 'Third']);
        expect(asked).to.deep.equal([]);
      });

      it('do not store rows that a write has changed since they were read', async () => {
        const held = holdRest();
        const read = byIds([1, 2, 3]);
        await held.answered;
        await fork().nativeUpdate(Article, { id: 2 }, { title: 'New' });
        held.release();
        await read;
        expect(await questionsOf(em => byIds([1, 2, 3], undefined, em))).to.deep.equal([[2]]);
      });

      it("fail with the database's error, and store nothing", async () => {
        await byIds([1, 2]);
        await blog.cache.idle();
        delay = async answer => {
          await answer;
          throw new Error('connection lost');
        };
        await expect(byIds([1, 2, 3])).to.be.rejectedWith('connection lost');
        delay = answer => answer;
        expect(await questionsOf(em => byIds([1, 2, 3], undefined, em))).to.deep.equal([[3]]);
      });
    });
  });
}
