import { type EntityManager, helper, wrap } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import {
  Article,
  ArticleTranslation,
  Author,
  Category,
  Content,
  entities,
  Tag,
} from '../../fixtures/legacy/index.js';
import { CachedAs, CacheopsError, cachedAs, type SampleSource } from '../../lib/index.js';
import { startBlog } from '../orm/support/blog.js';
import { readsOf } from '../orm/support/observe.js';
import { snapshotOf } from '../orm/support/snapshot.js';
import type { Started } from '../orm/support/start.js';
import { answersOf } from './support/counted.js';

use(chaiAsPromised);

type Em = EntityManager;

let names = 0;
/** Functions of one source text need names. */
const name = () => `spec ${names++}`;

describe('cachedAs()', () => {
  let blog: Started;
  const fork = () => blog.orm.em.fork();

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  async function change(
    id: number,
    data: Partial<Pick<Article, 'title' | 'status' | 'price'>> & { category?: number | null },
  ) {
    await fork().nativeUpdate(Article, { id }, data);
  }

  describe('samples', () => {
    /** Whether each of these writes makes a function anew that depends on this sample. */
    async function dropped(sample: SampleSource, writes: Record<string, () => Promise<unknown>>) {
      let computed = 0;
      const fn = cachedAs(sample, { name: name() })(async (_em: Em) => ++computed);
      const found: Record<string, boolean> = {};
      for (const [label, write] of Object.entries(writes)) {
        const before = await fn(fork());
        await blog.cache.idle();
        expect(await fn(fork()), 'cached').to.equal(before);
        await write();
        found[label] = (await fn(fork())) !== before;
        await blog.cache.idle();
      }
      return found;
    }

    const WRITES = {
      'a row in it': () => change(1, { title: name() }),
      'a row that leaves it': () => change(3, { category: 1 }),
      'a row that enters it': () => change(3, { category: 2 }),
      'another row': () => change(2, { title: name() }),
      'another table': () => fork().nativeUpdate(Tag, { id: 1 }, { name: name() }),
    };
    const BY_CATEGORY = {
      'a row in it': true,
      'a row that leaves it': true,
      'a row that enters it': true,
      'another row': false,
      'another table': false,
    };

    it('an entity class makes the result depend on every row of it', async () => {
      expect(await dropped(Article, WRITES)).to.deep.equal({
        ...BY_CATEGORY,
        'another row': true,
      });
    });

    it('{ entity, where } makes the result depend on the rows that satisfy the condition', async () => {
      expect(await dropped({ entity: Article, where: { category: 2 } }, WRITES)).to.deep.equal(BY_CATEGORY);
    });

    it('a query builder makes the result depend on the rows that satisfy its conditions', async () => {
      const sample = () => fork().createQueryBuilder(Article, 'x').where({ category: 2 }).limit(1);
      expect(await dropped(sample, WRITES)).to.deep.equal(BY_CATEGORY);
    });

    it('a query builder with conditions on joined tables makes the result depend on those tables, too', async () => {
      const sample = () =>
        fork()
          .createQueryBuilder(Article, 'x')
          .where({ category: 2, author: { name: 'Ann' } });
      expect(await dropped(sample, WRITES)).to.deep.equal(BY_CATEGORY);
      expect(
        await dropped(sample, {
          author: () => fork().nativeUpdate(Author, { id: 1 }, { reputation: ++names }),
          tag: () => fork().nativeUpdate(Tag, { id: 1 }, { name: name() }),
        }),
      ).to.deep.equal({ author: true, tag: false });
    });

    it('a query builder with conditions that cannot be analysed makes the result depend on whole tables', async () => {
      const sample = () =>
        fork()
          .createQueryBuilder(Article, 'x')
          .where('x.category_id = ?', [2])
          .orWhere({ title: { $like: 'F%' } });
      expect(await dropped(sample, WRITES)).to.deep.equal({ ...BY_CATEGORY, 'another row': true });
    });

    it('a query builder that uses its root twice, or keeps no row of it, makes the result depend on whole tables', async () => {
      const category = () => fork().nativeUpdate(Category, { id: 3 }, { name: name() });
      const sample = () =>
        fork().createQueryBuilder(Category, 'c').leftJoin('c.parent', 'p').where({ 'c.id': 1 });
      expect(await dropped(sample, { category })).to.deep.equal({ category: true });
    });

    it('an entity makes the result depend on its row', async () => {
      const article = await fork().findOneOrFail(Article, 2);
      expect(
        await dropped(article, {
          'its row': () => change(2, { title: name() }),
          another: () => change(1, { title: name() }),
        }),
      ).to.deep.equal({ 'its row': true, another: false });
    });

    it('an entity with a composite key makes the result depend on its row', async () => {
      const translation = await fork().findOneOrFail(ArticleTranslation, { article: 1, locale: 'de' });
      const rename = (locale: string) => () =>
        fork().nativeUpdate(ArticleTranslation, { article: 1, locale }, { title: name() });
      expect(await dropped(translation, { 'its row': rename('de'), another: rename('fr') })).to.deep.equal({
        'its row': true,
        another: false,
      });
    });

    it('several samples, or an array of them, make the result depend on each', async () => {
      const tag = () => fork().nativeUpdate(Tag, { id: 1 }, { name: name() });
      const writes = { ...WRITES, 'another table': tag };
      const expected = { ...BY_CATEGORY, 'another table': true };
      expect(await dropped([{ entity: Article, where: { category: 2 } }, Tag], writes)).to.deep.equal(
        expected,
      );
      expect(await dropped(() => [Tag, { entity: Article, where: { category: 2 } }], writes)).to.deep.equal(
        expected,
      );
    });

    it('a filter does not narrow samples, because the function may read without it, but separates results', async () => {
      const filtered = (tenant: string) => {
        const em = fork();
        em.addFilter({ name: 'tenant', cond: { status: tenant } as never, entity: [Article] as never });
        return em;
      };
      let computed = 0;
      const fn = cachedAs(Article, { name: name() })(async (_em: Em) => ++computed);
      expect(await fn(filtered('draft'))).to.equal(1);
      expect(await fn(filtered('published'))).to.equal(2);
      await blog.cache.idle();
      expect(await fn(filtered('draft'))).to.equal(1);
      await change(1, { title: name() }); // published
      expect(await fn(filtered('draft'))).to.equal(3);
    });

    it('children of single-table inheritance inherit the profile', async () => {
      expect(
        await dropped(Content, {
          child: () => fork().execute(`update content set title = title || '.' where id = 2`),
        }),
      ).to.deep.equal({ child: true });
    });
  });

  describe('used wrongly', () => {
    it('throws at once without samples, or with a value that is no sample', () => {
      const misuse = cachedAs as unknown as (...args: unknown[]) => unknown;
      expect(() => misuse()).to.throw(
        CacheopsError,
        /^cachedAs\(\): Pass an entity, its class, a query builder/,
      );
      expect(() => misuse([])).to.throw(/Pass an entity/);
      expect(() => misuse(7)).to.throw('cachedAs(): 7 is no sample. Pass an entity');
      expect(() => misuse(null)).to.throw('cachedAs(): null is no sample.');
      expect(() => misuse(Article, { timeuot: 1 })).to.throw(
        "there is no option 'timeuot'. Did you mean 'timeout'?",
      );
      expect(() => misuse(Article, { timeout: 0 })).to.throw(
        'cachedAs(): timeout: 0 is not a whole number of seconds',
      );
      expect(() => misuse(Article, { name: '' })).to.throw("name: '' is no name");
      const forgotten = misuse(Article, async () => 1) as unknown as (em: unknown) => unknown;
      expect(() => forgotten({ em: 1 })).to.throw(
        'cachedAs(): { em: 1 } is no function. The function stands in parentheses of its own: cachedAs(…)(async em => …).',
      );
    });

    it('throws for a sample that is no entity of this ORM', async () => {
      class Stranger {}
      for (const sample of [Stranger, { entity: Stranger }, () => undefined]) {
        const fn = cachedAs(sample as never, { name: name() })(async (_em: Em) => 1);
        await expect(fn(fork())).to.be.rejectedWith(CacheopsError, /is no (sample|entity of this ORM)/);
      }
    });

    it('throws for an entity without a profile, and says how to give one', async () => {
      const profiles: Record<string, null | object> = { Tag: null };
      await blog.orm.close();
      blog = await startBlog({ entities, cacheops: { profiles }, metadataProvider: ReflectMetadataProvider });
      const fn = cachedAs(Tag, { name: name() })(async (_em: Em) => 1);
      await expect(fn(fork())).to.be.rejectedWith(
        CacheopsError,
        /^Tag is never cached, because its profile is null/,
      );
    });

    it('throws without an EntityManager, and says where it searches for one', async () => {
      const other = await startBlog(); // two ORMs: neither is meant
      try {
        const fn = cachedAs(Article, { name: 'lonely' })(async () => 1);
        await expect(fn()).to.be.rejectedWith(
          CacheopsError,
          /^lonely: which EntityManager\? Give the option em/,
        );
      } finally {
        await other.orm.close();
      }
    });

    it('throws for a function without a source text, and asks for a name', () => {
      const make = (captured: number) => cachedAs(Article)(async (_em: Em) => captured);
      expect(() => cachedAs(Article)(make.bind(null, 1))).to.throw(/has no source text to know it by/);
    });
  });

  describe('the key', () => {
    /** How many of these calls were told apart. */
    async function distinct(calls: readonly (readonly unknown[])[]): Promise<number> {
      let computed = 0;
      const fn = cachedAs(Article, { name: name() })(async (..._args: unknown[]) => ++computed);
      const found = new Set<unknown>();
      for (const args of calls) {
        found.add(await fn(fork(), ...args));
        await blog.cache.idle();
      }
      return found.size;
    }

    it('distinguishes arguments that look alike', async () => {
      const calls = [
        [1], ['1'], [1n], [[1]], [['1']], [{ 0: 1 }], [true], ['true'], [null], ['null'], [undefined], [], [NaN], [0], [-0],
        [new Date(0)], [0n], [[]], [{}], [{ a: undefined }], [new Map()], [new Set()], [Buffer.from('1')],
        [new Uint8Array([49])], ['a', 'b'], ['a,b'], [['a', 'b']], [[['a'], 'b']], ['"a","b"'],
      ]; // biome-ignore format: a list
      expect(await distinct(calls)).to.equal(calls.length);
    });

    it('is the same for equal arguments', async () => {
      const call = () => [{ a: [1, new Date(5)], b: new Map([['x', new Set([1n])]]) }, Buffer.from('abc')];
      expect(await distinct([call(), call()])).to.equal(1);
    });

    it('an error names the path of an argument that has no text', async () => {
      const fn = cachedAs(Article, { name: name() })(async (..._args: unknown[]) => 1);
      class Money {}
      const cyclic: { self?: unknown } = {};
      cyclic.self = cyclic;
      const wrong: [unknown[], string][] = [
        [[1, { filter: { fn: () => 1 } }], 'arguments[2].filter.fn is a function'],
        [[Symbol('s')], 'arguments[1] is a symbol'],
        [[[new Money()]], 'arguments[1][0] is an instance of Money'],
        [[cyclic], 'arguments[1].self is cyclic'],
        [[{ 'a b': new WeakMap() }], 'arguments[1]["a b"] is an instance of WeakMap'],
        [[{ [Symbol('s')]: 1 }], 'arguments[1][Symbol(s)] is under a key that is a symbol'],
        [[fork().create(Tag, { name: 'new' })], 'is a Tag that is not in the database yet'],
      ];
      for (const [args, message] of wrong) {
        await expect(fn(fork(), ...args), message).to.be.rejectedWith(CacheopsError, message);
      }
    });

    it('contains extra', async () => {
      let locale = 'de';
      let computed = 0;
      const byFunction = cachedAs(Article, { name: name(), extra: (_self: unknown, _em: Em) => locale })(
        async (_em: Em) => ++computed,
      );
      expect(await byFunction(fork())).to.equal(1);
      locale = 'fr';
      expect(await byFunction(fork())).to.equal(2);
      await blog.cache.idle();
      locale = 'de';
      expect(await byFunction(fork())).to.equal(1);
      const same = name();
      const byValue = (extra: string) =>
        cachedAs(Article, { name: same, extra })(async (_em: Em) => ++computed)(fork());
      expect(await byValue('a')).to.equal(3);
      expect(await byValue('b')).to.equal(4);
    });

    it('contains the schema, and the prefix of a function, which gets the entity, the tables and the name', async () => {
      await blog.orm.close();
      let tenant = 'one:';
      const asked: unknown[] = [];
      blog = await startBlog({
        cacheops: {
          prefix: query => {
            asked.push({ ...query, tables: query.tables.map(table => table.replace(/^.*\//, '')) });
            return tenant;
          },
        },
      });
      let computed = 0;
      const fn = cachedAs(Article, { name: 'block' })(async (_em: Em) => ++computed);
      expect(await fn(fork())).to.equal(1);
      await blog.cache.idle();
      tenant = 'two:';
      expect(await fn(fork())).to.equal(2);
      await blog.cache.idle();
      tenant = 'one:';
      expect(await fn(fork())).to.equal(1);
      expect(asked[0]).to.deep.include({ entity: 'Article', function: 'block', tables: ['public.article'] });
      // a write reaches all of them
      await change(1, { title: 'x' });
      expect(await fn(fork())).to.equal(3);
      expect(await fn(blog.orm.em.fork({ schema: 'public' }))).to.equal(4);
    });

    it('contains the loaded data of entities among the arguments', async () => {
      let computed = 0;
      const fn = cachedAs(Tag, { name: name() })(
        async (_em: Em, article: Article) => `${++computed} ${article.title}`,
      );
      const old = await fork().findOneOrFail(Article, 1);
      expect(await fn(fork(), old)).to.equal('1 First');
      await blog.cache.idle();
      expect(await fn(fork(), await fork().findOneOrFail(Article, 1))).to.equal('1 First');
      await change(1, { title: 'Changed' });
      expect(await fn(fork(), await fork().findOneOrFail(Article, 1))).to.equal('2 Changed');
      expect(await fn(fork(), old)).to.equal('1 First');
      expect(await fn(fork(), await fork().findOneOrFail(Article, 2))).to.equal('3 Second');
    });
  });

  describe('the result', () => {
    it('is restored exactly', async () => {
      const results = [
        undefined, null, 0, -0, NaN, Infinity, 1n, '', '€\ud800', true, new Date(7), new Date(NaN), [], {}, [undefined, 1],
        { a: undefined, b: { c: [1n, new Date(1)] } }, new Map([[{ a: 1 }, new Set(['x'])]]), Buffer.from([1, 2]),
        new Float64Array([0.1, -0]), { __proto__: null, constructor: 1, toJSON: 'x' }, JSON.parse('{"__proto__": {"x": 1}}'),
      ]; // biome-ignore format: a list
      const fn = cachedAs(Article, { name: name() })(async (_em: Em, i: number) => results[i]);
      for (const i of results.keys()) {
        const first = await fn(fork(), i);
        await blog.cache.idle();
        const [source] = await answersOf(blog, async () => {
          const second = await fn(fork(), i);
          expect(Object.is(second, results[i]) || second, `result ${i}`).to.deep.equal(
            typeof results[i] === 'object' && results[i] !== null ? results[i] : true,
          );
          expect(second === null || typeof second !== 'object' || second !== first).to.equal(true);
        });
        expect(source).to.equal('cache');
      }
    });

    it('is a copy for each caller, which changes of other callers do not reach', async () => {
      const fn = cachedAs(Article, { name: name() })(async (_em: Em) => ({ list: [1] }));
      const first = await fn(fork());
      first.list.push(2);
      await blog.cache.idle();
      expect(await fn(fork())).to.deep.equal({ list: [1] });
    });

    it('an error names the path of a value that cannot be stored', async () => {
      class Money {}
      const wrong: [unknown, string][] = [
        [() => 1, 'result is a function'],
        [{ list: [1, { price: new Money() }] }, 'result.list[1].price is an instance of Money'],
        [[Symbol('s')], 'result[0] is a symbol'],
        [new Map([['a', () => 1]]), 'result.values()[0] is a function'],
      ];
      for (const [result, message] of wrong) {
        const fn = cachedAs(Article, { name: name() })(async (_em: Em) => result);
        await expect(fn(fork())).to.be.rejectedWith(CacheopsError, message);
      }
    });

    it('is not stored if the function throws, and the error is passed on', async () => {
      let fails = true;
      const error = new TypeError('no');
      const fn = cachedAs(Article, { name: name() })(async (_em: Em) => {
        if (fails) {
          throw error;
        }
        return 1;
      });
      expect(await fn(fork()).catch(caught => caught)).to.equal(error);
      fails = false;
      expect(await fn(fork())).to.equal(1);
    });

    it('may come from a function that is not async', async () => {
      const fn = cachedAs(Article, { name: name() })((_em: Em, n: number) => n + 1);
      expect(await fn(fork(), 1)).to.equal(2);
      expect(fn.length).to.equal(2);
    });
  });

  describe('entities in the result', () => {
    const POPULATE = ['tags', 'author', 'category.parent', 'translations', 'comments.author'] as const;

    /** Asked of the plain EntityManager, as a miss, as a hit, and as a hit of one that has loaded parts of it. */
    async function expectSame<T>(read: (em: Em) => Promise<T>) {
      const fn = cachedAs(Article, { name: name() })(read);
      const plain = fork();
      // without the order of the identity map
      const expected = JSON.parse(snapshotOf(plain, await read(plain)));
      const shownExpected = shown(await read(fork()));
      for (const round of ['miss', 'cache', 'cache']) {
        const em = fork();
        const [source] = await answersOf(blog, async () => {
          const result = await fn(em);
          expect(JSON.parse(snapshotOf(em, result)), round).to.deep.equal(expected);
          expect(shown(result)).to.equal(shownExpected);
          await expectNoChanges(em);
        });
        expect(source).to.equal(round);
      }
    }

    /** As it would be sent to a browser. */
    function shown(result: unknown) {
      return JSON.stringify(result, (_, value) => (typeof value === 'bigint' ? String(value) : value));
    }

    async function expectNoChanges(em: Em) {
      em.getUnitOfWork().computeChangeSets();
      expect(
        em
          .getUnitOfWork()
          .getChangeSets()
          .map(({ meta, payload }) => [meta.className, payload]),
      ).to.deep.equal([]);
    }

    it('are restored as the EntityManager had loaded them: alone, in arrays and in objects', async () => {
      await expectSame(em => em.findOne(Article, 1));
      await expectSame(em => em.find(Article, {}, { orderBy: { id: 1 } }));
      await expectSame(em => em.findAndCount(Article, { category: 2 }, { orderBy: { id: 1 } }));
      await expectSame(async em => ({
        first: { of: await em.find(Author, {}, { orderBy: { id: 1 } }) },
        n: [1],
      }));
    });

    it('are restored with their loaded relations', async () => {
      await expectSame(em => em.find(Article, {}, { populate: POPULATE, orderBy: { id: 1 } }));
      await expectSame(em => em.find(Author, {}, { populate: ['articles.tags'], orderBy: { id: 1 } }));
      await expectSame(em => em.find(Category, {}, { populate: ['children', 'parent'], orderBy: { id: 1 } }));
    });

    it('are restored with composite keys, of several types, partially loaded, and as references', async () => {
      await expectSame(em => em.find(ArticleTranslation, {}, { orderBy: { article: 1, locale: 1 } }));
      await expectSame(em => em.find(Content, {}, { orderBy: { id: 1 } }));
      await expectSame(em => em.find(Article, {}, { fields: ['title', 'author.name'], orderBy: { id: 1 } }));
      await expectSame(async em => [
        em.getReference(Article, 1),
        em.getReference(ArticleTranslation, [1, 'de'] as never),
      ]);
    });

    it('are one object if a result contains them twice', async () => {
      const fn = cachedAs(Article, { name: name() })(async (em: Em) => {
        const article = await em.findOneOrFail(Article, 1);
        return [article, { again: article }] as const;
      });
      for (let i = 0; i < 2; i++) {
        const [one, { again }] = await fn(fork());
        expect(one).to.equal(again);
        await blog.cache.idle();
      }
    });

    it('are the objects that the caller manages already, with their unflushed changes', async () => {
      const fn = cachedAs(Article, { name: name() })(async (em: Em) =>
        em.find(Article, { id: [1, 2] }, { orderBy: { id: 1 } }),
      );
      await fn(fork());
      await blog.cache.idle();
      const em = fork();
      const mine = await em.findOneOrFail(Article, 1);
      mine.title = 'Mine';
      const [first, second] = await fn(em);
      expect(first).to.equal(mine);
      expect(mine.title).to.equal('Mine');
      expect(second!.title).to.equal('Second');
      await em.flush();
      expect((await fork().findOneOrFail(Article, 1)).title).to.equal('Mine');
    });

    it('can be changed and flushed', async () => {
      const fn = cachedAs(Article, { name: name() })(async (em: Em) =>
        em.findOneOrFail(Article, 1, { populate: ['tags'] }),
      );
      await fn(fork());
      await blog.cache.idle();
      const em = fork();
      const article = await fn(em);
      expect(helper(article).__em).to.equal(em);
      article.title = 'Changed';
      article.tags.removeAll();
      await em.flush();
      const now = await fn(fork());
      expect(now.title).to.equal('Changed');
      expect(now.tags.length).to.equal(0);
      expect(wrap(now).toObject().title).to.equal('Changed');
    });

    it('are an error that names the path if they are new or changed', async () => {
      const unsaved = cachedAs(Article, { name: name() })(async (em: Em) => {
        const article = await em.findOneOrFail(Article, 1);
        article.title = 'Unsaved';
        return { list: [article] };
      });
      await expect(unsaved(fork())).to.be.rejectedWith(
        CacheopsError,
        'result["list"][0].title was changed and not flushed',
      );
      const made = cachedAs(Article, { name: name() })(async (em: Em) =>
        em.create(Tag, { name: 'x' }, { persist: false }),
      );
      await expect(made(fork())).to.be.rejectedWith(
        CacheopsError,
        'result is a Tag that is not in the database yet',
      );
      const persisted = cachedAs(Article, { name: 'persisting' })(
        async (em: Em) => void em.persist(em.create(Tag, { name: 'x' })),
      );
      await expect(persisted(fork())).to.be.rejectedWith(
        CacheopsError,
        'persisting() leaves changes that are not flushed',
      );
    });
  });

  describe('runs the function', () => {
    it('in an EntityManager that has loaded nothing', async () => {
      const fn = cachedAs(Article, { name: name() })(
        async (em: Em) => (await em.findOneOrFail(Article, 1)).title,
      );
      const em = fork();
      const article = await em.findOneOrFail(Article, 1);
      await change(1, { title: 'Changed elsewhere' });
      expect((await em.findOneOrFail(Article, 1)).title, 'the identity map').to.equal('First');
      expect(await fn(em)).to.equal('Changed elsewhere');
      await blog.cache.idle();
      article.title = 'Not flushed';
      expect(await fn(em)).to.equal('Changed elsewhere');
      expect(await fn(fork())).to.equal('Changed elsewhere');
      expect(article.title).to.equal('Not flushed');
    });

    it('with entities of that EntityManager in the place of its arguments', async () => {
      const seen: object[] = [];
      const fn = cachedAs(Article, { name: name() })(async (em: Em, { article }: { article: Article }) => {
        seen.push(article);
        await em.populate([article], ['tags']);
        return {
          article,
          tags: article.tags.getItems().map(tag => tag.name),
          author: article.author.unwrap().name,
        };
      });
      for (let i = 0; i < 2; i++) {
        const em = fork();
        const article = await em.findOneOrFail(Article, 1, { populate: ['author'] });
        const result = await fn(em, { article });
        expect(result.article).to.equal(article);
        expect(result.tags).to.deep.equal(['red', 'green']);
        expect(result.author).to.equal('Ann');
        expect(article.tags.isInitialized()).to.equal(true);
        await blog.cache.idle();
      }
      expect(seen).to.have.lengthOf(1);
    });

    it('uncached and unchanged if an entity among the arguments has unflushed changes', async () => {
      const fn = cachedAs(Article, { name: name() })(async (_em: Em, article: Article) => article.title);
      const em = fork();
      const article = await em.findOneOrFail(Article, 1);
      article.title = 'Mine';
      const [reason] = await answersOf(blog, async () => expect(await fn(em, article)).to.equal('Mine'));
      expect(reason).to.match(/^arguments\[1\]\.title was changed and not flushed/);
    });

    it('recursively, each call with its own arguments', async () => {
      let computed = 0;
      const sum: (em: Em, n: number) => Promise<number> = cachedAs(Article, { name: name() })(
        async (em: Em, n: number): Promise<number> => {
          computed++;
          return n === 0 ? 0 : n + (await sum(em, n - 1));
        },
      );
      expect(await sum(fork(), 5)).to.equal(15);
      await blog.cache.idle();
      expect(await sum(fork(), 6)).to.equal(21);
      expect(computed).to.equal(7);
    });

    it('once for concurrent calls', async () => {
      let computed = 0;
      const fn = cachedAs(Article, { name: name() })(async (em: Em) => {
        computed++;
        return em.count(Article, {});
      });
      const counts = await Promise.all(Array.from({ length: 20 }, () => fn(fork())));
      expect(new Set(counts)).to.deep.equal(new Set([4]));
      expect(computed).to.equal(1);
    });

    it('without a deadlock for two functions that call each other', async () => {
      const a: (em: Em, n: number) => Promise<number> = cachedAs(Article, { name: name() })(
        async (em: Em, n: number): Promise<number> => (n === 0 ? 1 : b(em, n - 1)),
      );
      const b: (em: Em, n: number) => Promise<number> = cachedAs(Tag, { name: name() })(
        async (em: Em, n: number): Promise<number> => (n === 0 ? 2 : a(em, n - 1)),
      );
      expect(await Promise.all([a(fork(), 5), b(fork(), 5), a(fork(), 4), b(fork(), 4)])).to.deep.equal([
        2, 1, 1, 2,
      ]);
    });
  });

  it('takes its timeout from the option, or else from the shortest of its samples', async () => {
    const timeouts: number[] = [];
    blog.cache.events.on('fill', ({ op, timeout }) => op === 'function' && timeouts.push(timeout));
    const samples = [Article, Tag] as const;
    await cachedAs(...samples, { name: name() })(async (_em: Em) => 1)(fork());
    await cachedAs(...samples, { name: name(), timeout: 5 })(async (_em: Em) => 1)(fork());
    await cachedAs(...samples, { name: name(), timeout: 100_000 })(async (_em: Em) => 1)(fork());
    await blog.cache.idle();
    expect(timeouts).to.deep.equal([3600, 5, 100_000]);
  });

  it('uses the user’s serializer', async () => {
    await blog.orm.close();
    const encoded: unknown[] = [];
    blog = await startBlog({
      cacheops: {
        serializer: {
          encode: value => {
            encoded.push(value);
            return JSON.stringify(value);
          },
          decode: text => JSON.parse(text as string),
        },
      },
    });
    const fn = cachedAs(Article, { name: name() })(async (em: Em) => ({
      n: 1,
      at: await em.findOneOrFail(Article, 1),
    }));
    for (let i = 0; i < 2; i++) {
      const { n, at } = await fn(fork());
      expect(n).to.equal(1);
      expect(at.publishedAt).to.deep.equal(new Date('2024-03-31T01:30:00.123Z'));
      await blog.cache.idle();
    }
    expect(encoded).to.deep.include({ n: 1, at: null });
  });

  it('is counted in stats(), and announces events', async () => {
    const fn = cachedAs({ entity: Article, where: { category: 2 } }, { name: 'block' })(async (_em: Em) => 1);
    const before = blog.cache.stats();
    const reads = await readsOf(blog.cache, async () => {
      await fn(fork());
      await blog.cache.idle();
      await fn(fork());
    });
    expect(reads.map(({ duration: _, key: __, ...read }) => read)).to.deep.equal([
      {
        entity: 'block',
        op: 'function',
        source: 'database',
        reason: 'miss',
        dependencies: ['article(category_id=2)'],
        checks: [],
      },
      {
        entity: 'block',
        op: 'function',
        source: 'cache',
        dependencies: ['article(category_id=2)'],
        checks: [],
      },
    ]);
    const after = blog.cache.stats();
    expect(after.hits - before.hits).to.equal(1);
    expect(after.fills - before.fills).to.equal(1);
  });

  it('computes a result again if it cannot be decoded', async () => {
    const fn = cachedAs(Article, { name: name() })(async (_em: Em) => 'good');
    await fn(fork());
    await blog.cache.idle();
    const { read } = blog.store;
    blog.store.read = async address => {
      const found = await read.call(blog.store, address);
      return found && { ...found, payload: Buffer.from('nonsense') };
    };
    expect(await fn(fork())).to.equal('good');
    expect(blog.cache.stats().errors).to.equal(1);
  });
});

describe('@CachedAs()', () => {
  let blog: Started;

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  class Blocks {
    computed = 0;
    locale = 'de';

    constructor(readonly em: Em) {}

    @CachedAs(
      (self: Blocks, category: number) =>
        (self.em as Started['orm']['em']).createQueryBuilder(Article).where({ category }),
      {
        extra: (_self, _category, count) => count,
        timeout: 60,
      },
    )
    async block(category: number, count = 5): Promise<string[]> {
      this.computed++;
      const articles = await this.em.find(Article, { category }, { limit: count, orderBy: { id: 1 } });
      return articles.map(({ title }) => title);
    }

    @CachedAs(Tag, (self: Blocks) => self.locale)
    async tags(): Promise<string> {
      this.computed++;
      return `${this.locale} ${await this.em.count(Tag, {})}`;
    }

    @CachedAs([Tag, Article])
    static async all(_em: Em): Promise<number> {
      return ++Blocks.counted;
    }

    static counted = 0;
  }

  class Others extends Blocks {}

  const fork = () => blog.orm.em.fork();

  it('caches a method until its sample changes', async () => {
    const blocks = new Blocks(fork());
    expect(await blocks.block(2)).to.deep.equal(['First', 'Third']);
    await blog.cache.idle();
    expect(await new Blocks(fork()).block(2)).to.deep.equal(['First', 'Third']);
    expect(await blocks.block(2, 1)).to.deep.equal(['First']);
    expect(blocks.computed).to.equal(2);
    await fork().nativeUpdate(Article, { id: 3 }, { title: 'Renamed' });
    expect(await blocks.block(2)).to.deep.equal(['First', 'Renamed']);
    expect(blocks.computed).to.equal(3);
  });

  it('its second argument may be extra', async () => {
    const blocks = new Blocks(fork());
    expect(await blocks.tags()).to.equal('de 3');
    await blog.cache.idle();
    blocks.locale = 'fr';
    expect(await blocks.tags()).to.equal('fr 3');
    blocks.locale = 'de';
    expect(await blocks.tags()).to.equal('de 3');
    expect(blocks.computed).to.equal(2);
  });

  it('classes that inherit a method have separate results', async () => {
    const [blocks, others] = [new Blocks(fork()), new Others(fork())];
    await blocks.tags();
    await blog.cache.idle();
    await others.tags();
    expect([blocks.computed, others.computed]).to.deep.equal([1, 1]);
  });

  it('caches static methods', async () => {
    const first = await Blocks.all(fork());
    await blog.cache.idle();
    expect(await Blocks.all(fork())).to.equal(first);
  });

  it('is an error on anything but a method', () => {
    const decorate = CachedAs(Article) as (...args: unknown[]) => unknown;
    expect(() => decorate(class Service {})).to.throw(
      CacheopsError,
      '@CachedAs() on Service: it belongs on a method.',
    );
    expect(() => decorate(undefined, { kind: 'field', name: 'x' })).to.throw('@CachedAs() on the field x');
    expect(() => decorate(class Service {}.prototype, 'x', { get: () => 1 })).to.throw(
      '@CachedAs() on Service.x',
    );
  });
});
