import { expect } from 'chai';
import {
  Article,
  ArticleTranslation,
  Author,
  Category,
  Content,
  entities,
  Page,
  Post,
  Tag,
} from '../../../fixtures/legacy/index.js';
import { Cacheops, CacheopsError, getCacheops } from '../../../lib/index.js';
import { startBlog } from '../support/blog.js';
import { embedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import { join, joinUncached, type Started } from '../support/start.js';

type Em = Started['orm']['em'];
type Read = (em: Em) => Promise<unknown>;

describe('the handle', () => {
  let blog: Started;

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  const fork = () => blog.orm.em.fork();
  const warm = async (...reads: Read[]) => {
    for (const read of reads) {
      await read(fork());
    }
    await blog.cache.idle();
  };
  const sources = async (...reads: Read[]) => {
    const found: string[] = [];
    for (const read of reads) {
      found.push(...(await sourcesOf(blog.cache, () => read(fork()))));
    }
    return found;
  };
  /** Another program changes the data: nothing here can see it. */
  const elsewhere = async (sql: string) => {
    await (await embedded()).exec(sql);
  };

  it('getCacheops() takes an ORM, an EntityManager or a fork', async () => {
    expect(getCacheops(blog.orm)).to.be.instanceOf(Cacheops);
    expect(getCacheops(blog.orm.em)).to.equal(getCacheops(blog.orm));
    await fork().transactional(async em => expect(getCacheops(em)).to.equal(getCacheops(blog.orm)));
  });

  it('getCacheops() throws an error that says what to do if the ORM has no cache', async () => {
    const orm = await joinUncached({ entities });
    expect(() => getCacheops(orm)).to.throw(CacheopsError, 'Add cacheops() to the extensions');
    await orm.close();
  });

  describe('invalidateObject()', () => {
    const drafts: Read = em => em.find(Article, { status: 'draft' });
    const published: Read = em => em.find(Article, { status: 'published' });
    const archived: Read = em => em.find(Article, { status: 'archived' });
    const byAnn: Read = em => em.find(Article, { author: 1 });
    const byBob: Read = em => em.find(Article, { author: 2 });
    const tags: Read = em => em.find(Tag, {});

    it("invalidates results that match the row with the object's values or with the database's", async () => {
      const article = await fork().findOneOrFail(Article, 1, { cacheops: false });
      await elsewhere(`update article set status = 'archived' where id = 1`);
      const reads = [published, archived, drafts, byAnn, byBob, tags];
      await warm(...reads);
      await blog.cache.invalidateObject(article);
      expect(await sources(...reads)).to.deep.equal(['miss', 'miss', 'cache', 'miss', 'cache', 'cache']);
    });

    it('invalidates results that depended on a deleted row', async () => {
      const article = await fork().findOneOrFail(Article, 4, { cacheops: false });
      await warm(drafts, published);
      await elsewhere('delete from article where id = 4');
      await blog.cache.invalidateObject(article);
      expect(await sources(drafts, published)).to.deep.equal(['miss', 'cache']);
    });

    it('invalidates all results of the table if the object lacks a column', async () => {
      const article = await fork().findOneOrFail(Article, 1, { fields: ['title'], cacheops: false });
      await warm(published);
      await elsewhere(`update article set status = 'draft' where id = 1`);
      await blog.cache.invalidateObject(article);
      expect(await sources(published)).to.deep.equal(['miss']);
    });

    it('uses the values that the object was loaded with, not those set since', async () => {
      const article = await fork().findOneOrFail(Article, 1, { cacheops: false });
      article.status = 'archived';
      await warm(published);
      await elsewhere(`update article set status = 'draft' where id = 1`);
      await blog.cache.invalidateObject(article);
      expect(await sources(published)).to.deep.equal(['miss']);
    });

    it('accepts entities with composite keys, entities in inherited tables, and references', async () => {
      const translations: Read = em => em.find(ArticleTranslation, { locale: 'de' });
      const translation = await fork().findOneOrFail(
        ArticleTranslation,
        { article: 1, locale: 'de' },
        { cacheops: false },
      );
      const contents: Read = em => em.find(Content, { title: 'Note' });
      const post = await fork().findOneOrFail(Post, 2, { cacheops: false });
      const categories: Read = em => em.find(Category, { name: 'News' });
      await warm(translations, contents, categories);
      await blog.cache.invalidateObject(translation);
      await blog.cache.invalidateObject(post);
      await blog.cache.invalidateObject(fork().getReference(Category, 1));
      expect(await sources(translations, contents, categories)).to.deep.equal(['miss', 'miss', 'miss']);
    });

    it('rejects a value that is no entity', async () => {
      for (const value of [{}, [], 'Article', new Date()]) {
        const error = await blog.cache.invalidateObject(value as object).catch(reason => reason);
        expect(error).to.be.instanceOf(CacheopsError);
        expect(error.message).to.include('is not an entity');
      }
    });
  });

  describe('invalidateModel()', () => {
    it('invalidates all results that depend on the entity’s table, and no others', async () => {
      const reads: Read[] = [
        em => em.find(Tag, { name: 'red' }),
        em => em.count(Tag),
        em => em.find(Article, { tags: { name: 'red' } }),
        em => em.find(Article, { status: 'draft' }),
        em => em.find(Author, {}),
      ];
      await warm(...reads);
      await elsewhere(`insert into tag (name) values ('late')`);
      await blog.cache.invalidateModel(Tag);
      expect(await sources(...reads)).to.deep.equal(['miss', 'miss', 'miss', 'cache', 'cache']);
    });

    it('invalidates the whole table of an inherited entity', async () => {
      const reads: Read[] = [em => em.find(Content, {}), em => em.find(Page, {}), em => em.find(Tag, {})];
      await warm(...reads);
      await blog.cache.invalidateModel(Post);
      expect(await sources(...reads)).to.deep.equal(['miss', 'miss', 'cache']);
    });

    it('rejects a class that is no entity', async () => {
      class Stranger {}
      expect(await blog.cache.invalidateModel(Stranger).catch(error => error)).to.be.instanceOf(Error);
    });
  });

  it('invalidateAll() invalidates all results, which are then filled again', async () => {
    const reads: Read[] = [em => em.find(Tag, {}), em => em.count(Article, { status: 'draft' })];
    await warm(...reads);
    await elsewhere(`update article set status = 'draft'; delete from article_tags; delete from tag`);
    await blog.cache.invalidateAll();
    expect(await sources(...reads)).to.deep.equal(['miss', 'miss']);
    expect(await sources(...reads)).to.deep.equal(['cache', 'cache']);
    expect(await fork().count(Article, { status: 'draft' })).to.equal(4);
  });

  describe('noInvalidation()', () => {
    const published: Read = em => em.find(Article, { status: 'published' });
    const WRITES: Record<string, Read> = {
      'a flush': async em => {
        (await em.findOneOrFail(Article, 3)).status = 'published';
        await em.flush();
      },
      'a native statement': em => em.nativeUpdate(Article, { id: 3 }, { status: 'published' }),
      'raw SQL': em => em.execute(`update article set status = 'published' where id = 3`),
      'a transaction': em =>
        em.transactional(async tx => {
          (await tx.findOneOrFail(Article, 3)).status = 'published';
        }),
    };
    for (const [how, write] of Object.entries(WRITES)) {
      it(`a write inside keeps results that it makes stale: ${how}`, async () => {
        await warm(published);
        await blog.cache.noInvalidation(() => write(fork()));
        expect(await sources(published)).to.deep.equal(['cache']);
        expect(await fork().count(Article, { status: 'published' }, { cacheops: false })).to.equal(3);
      });
    }

    it("returns the function's result, and ends with the function", async () => {
      expect(blog.cache.noInvalidation(() => 42)).to.equal(42);
      expect(() =>
        blog.cache.noInvalidation(() => {
          throw new Error('x');
        }),
      ).to.throw('x');
      await warm(published);
      await fork().nativeUpdate(Article, { id: 1 }, { status: 'draft' });
      expect(await sources(published)).to.deep.equal(['miss']);
    });

    it('applies only to writes inside the function', async () => {
      await warm(published);
      await Promise.all([
        blog.cache.noInvalidation(() => fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' })),
        fork().nativeUpdate(Article, { id: 1 }, { status: 'draft' }),
      ]);
      expect(await sources(published)).to.deep.equal(['miss']);
    });
  });

  describe('disabled()', () => {
    const tags: Read = em => em.find(Tag, {}, { populate: ['articles'], strategy: 'select-in' });

    it('reads inside go to the database, and are not stored', async () => {
      const inside = () => blog.cache.disabled(() => tags(fork()));
      expect(await sourcesOf(blog.cache, inside)).to.deep.equal(['disabled', 'disabled']);
      expect(await sources(tags)).to.deep.equal(['miss', 'miss']);
      expect(await sourcesOf(blog.cache, inside)).to.deep.equal(['disabled', 'disabled']);
      expect(await sources(tags)).to.deep.equal(['cache', 'cache']);
    });

    it('writes inside invalidate results', async () => {
      await warm(tags);
      await blog.cache.disabled(async () => {
        const em = fork();
        (await em.findOneOrFail(Tag, 1)).name = 'crimson';
        await em.flush();
      });
      expect(await sources(tags)).to.include('miss');
    });

    it('overrides call options', async () => {
      const read = () =>
        blog.cache.disabled(() => fork().getRepository(Tag).cache().findAll({ cacheops: true }));
      expect(await sourcesOf(blog.cache, read)).to.deep.equal(['disabled']);
    });
  });

  it('idle() resolves after all results are stored', async () => {
    for (let i = 0; i < 20; i++) {
      void fork().find(Article, { id: i });
    }
    await fork().find(Tag, {});
    await blog.cache.idle();
    expect(await sources(em => em.find(Tag, {}))).to.deep.equal(['cache']);
  });

  it("ORMs that share a store invalidate each other's entries", async () => {
    const other = await join({ entities, cacheops: { store: blog.store } });
    try {
      const read: Read = em => em.find(Tag, { name: 'red' });
      await warm(read);
      expect(await sourcesOf(other.cache, () => read(other.orm.em.fork()))).to.deep.equal(['cache']);
      const em = other.orm.em.fork();
      (await em.findOneOrFail(Tag, 2)).name = 'red ';
      (await em.findOneOrFail(Tag, 1)).name = 'crimson';
      await em.flush();
      expect(await sources(read)).to.deep.equal(['miss']);
      expect(await fork().find(Tag, { name: 'red' })).to.deep.equal([]);
    } finally {
      await other.orm.close();
    }
    // whose closing closes no store that is not its own
    expect(await sources(em => em.find(Tag, { name: 'red' }))).to.deep.equal(['cache']);
  });
});
