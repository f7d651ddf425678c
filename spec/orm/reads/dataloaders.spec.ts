import { DataloaderType } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, Author, Comment, entities, Tag } from '../../../fixtures/legacy/index.js';
import { createBlog, uuid } from '../support/blog.js';
import { sourcesOf } from '../support/observe.js';
import { snapshotOf } from '../support/snapshot.js';
import { join, joinUncached, type Started } from '../support/start.js';

type Load = (em: EntityManager) => Promise<unknown>;

/** What is asked for at once is asked for together, of each kind. */
const LOADS: Record<string, Load> = {
  references: em =>
    Promise.all(
      [1, 2, 1].map(id => em.getReference(Author, id, { wrapped: true }).load({ dataloader: true })),
    ),
  'references of several kinds': em =>
    Promise.all([
      em.getReference(Author, 1, { wrapped: true }).load({ dataloader: true }),
      em.getReference(Tag, 2, { wrapped: true }).load({ dataloader: true }),
    ]),
  'a reference that leads nowhere': em =>
    Promise.all([1, 99].map(id => em.getReference(Author, id, { wrapped: true }).load({ dataloader: true }))),
  collections: async em => {
    const authors = await em.find(Author, {}, { orderBy: { id: 'asc' } });
    return Promise.all(authors.map(author => author.articles.load({ dataloader: true })));
  },
  'collections under a condition': async em => {
    const authors = await em.find(Author, {}, { orderBy: { id: 'asc' } });
    const where = { status: 'published' } as const;
    return Promise.all(authors.map(author => author.articles.load({ dataloader: true, where })));
  },
  'collections of many': async em => {
    const articles = await em.find(Article, {}, { orderBy: { id: 'asc' } });
    return Promise.all(articles.map(article => article.tags.load({ dataloader: true })));
  },
  'collections that may be empty': async em => {
    const articles = await em.find(Article, { id: { $gt: 2 } }, { orderBy: { id: 'asc' } });
    return Promise.all(articles.map(article => article.comments.load({ dataloader: true })));
  },
  'the sizes of collections': async em => {
    const authors = await em.find(Author, {}, { orderBy: { id: 'asc' } });
    return Promise.all(authors.map(author => author.articles.loadCount({ dataloader: true } as never)));
  },
};

const WRITES: Load[] = [
  em => em.nativeUpdate(Author, { id: 2 }, { name: 'Bea' }),
  em => em.nativeUpdate(Article, { id: 1 }, { author: 2 }),
  async em => {
    const article = await em.findOneOrFail(Article, 3, { populate: ['tags'] });
    article.tags.add(em.getReference(Tag, 1));
    await em.flush();
  },
  em => em.insert(Comment, { id: uuid(9), article: 3, text: 'New', createdAt: new Date(0) } as never),
  em => em.insert(Author, { id: 99, name: 'Zoe', email: 'zoe@example.org' } as never),
  em => em.nativeUpdate(Tag, { id: 2 }, { name: 'lime' }),
  em => em.nativeDelete(Comment, {}),
];

describe('dataloaders', () => {
  describe('with reads that may not be answered from the cache', () => {
    let blog: Started;

    beforeEach(async () => {
      await createBlog();
      blog = await join({ entities, cacheops: {} });
    });

    afterEach(() => blog.orm.close());

    const load = (em: EntityManager, id: number) =>
      em.getReference(Author, id, { wrapped: true }).load({ dataloader: true });

    it('such reads go to the database, whichever read comes first', async () => {
      const together = (em: EntityManager) => {
        const ask = (id: number) => load(em, id);
        const { disabled } = blog.cache;
        return Promise.all([ask(1), disabled(() => ask(2)), ask(3), disabled(() => ask(3))]);
      };
      await sourcesOf(blog.cache, () => together(blog.orm.em.fork()));
      let loaded: unknown[] = [];
      const sources = await sourcesOf(blog.cache, async () => {
        loaded = (await together(blog.orm.em.fork())).map(author => author?.id);
      });
      expect(loaded).to.deep.equal([1, 2, 3, 3]);
      expect(sources.sort()).to.deep.equal(['cache', 'disabled']);
    });
  });

  for (const dataloader of [DataloaderType.NONE, DataloaderType.ALL]) {
    describe(`with the configuration ${DataloaderType[dataloader] ?? dataloader}`, () => {
      let blog: Started;
      let uncached: MikroORM;

      beforeEach(async () => {
        await createBlog();
        blog = await join({ entities, dataloader, cacheops: {} });
        uncached = await joinUncached({ entities, dataloader });
      });

      afterEach(async () => {
        await blog.orm.close();
        await uncached.close();
      });

      const answer = async (orm: MikroORM, load: Load) => {
        const em = orm.em.fork();
        return snapshotOf(em, await load(em));
      };

      for (const [what, load] of Object.entries(LOADS)) {
        it(`dataloaders give ${what} as without a cache, from the cache, and anew after each write`, async () => {
          expect(await answer(blog.orm, load)).to.equal(await answer(uncached, load));
          await blog.cache.idle();
          const sources = await sourcesOf(blog.cache, () => answer(blog.orm, load));
          expect(new Set(sources)).to.deep.equal(new Set(['cache']));
          let changed = 0;
          for (const write of WRITES) {
            const before = await answer(uncached, load);
            await write(blog.orm.em.fork());
            const after = await answer(uncached, load);
            changed += Number(after !== before);
            expect(await answer(blog.orm, load), String(write)).to.equal(after);
            await blog.cache.idle();
            expect(await answer(blog.orm, load), String(write)).to.equal(after);
          }
          expect(changed, 'writes that were to change something').to.be.above(0);
        });
      }
    });
  }
});
