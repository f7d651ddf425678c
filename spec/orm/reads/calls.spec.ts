import { expect } from 'chai';
import * as define from '../../../fixtures/define/index.js';
import { Article, Author, Category, Comment, entities, Tag } from '../../../fixtures/legacy/index.js';
import { CacheopsError, type CacheopsOptions, type CallOptions, type FillEvent } from '../../../lib/index.js';
import { createBlog } from '../support/blog.js';
import { sourcesOf } from '../support/observe.js';
import { join, type Started, start } from '../support/start.js';

type Em = Started['orm']['em'];

describe('the decision whether a read is cached', () => {
  let started: Started;

  beforeEach(createBlog);

  afterEach(() => started.orm.close());

  async function begin(options: CacheopsOptions): Promise<void> {
    started = await join({ entities, cacheops: options });
  }

  /** Where the second of two equal reads comes from. */
  async function second(read: (em: Em) => Promise<unknown>): Promise<string[]> {
    await sourcesOf(started.cache, () => read(started.orm.em.fork()));
    return sourcesOf(started.cache, () => read(started.orm.em.fork()));
  }

  const OPS: Record<string, [string, (em: Em, options?: CallOptions) => Promise<unknown>]> = {
    findOne: ['get', (em, cacheops) => em.findOne(Tag, { name: 'red' }, { cacheops } as object)],
    findOneOrFail: ['get', (em, cacheops) => em.findOneOrFail(Tag, { name: 'red' }, { cacheops } as object)],
    find: ['fetch', (em, cacheops) => em.find(Tag, {}, { cacheops } as object)],
    findAll: ['fetch', (em, cacheops) => em.findAll(Tag, { cacheops } as object)],
    findByCursor: [
      'fetch',
      (em, cacheops) =>
        em.findByCursor(Tag, { includeCount: false, first: 1, orderBy: { id: 1 }, cacheops } as never),
    ],
    count: ['count', (em, cacheops) => em.count(Tag, {}, { cacheops } as object)],
  };

  for (const [method, [op, read]] of Object.entries(OPS)) {
    it(`a read is cached if the profile has its op: ${method} is ${op}`, async () => {
      await begin({ profiles: { Tag: { ops: op as never, timeout: 60 } } });
      expect(await second(read)).to.deep.equal(['cache']);
      await started.orm.close();
      await begin({
        profiles: {
          Tag: { ops: ['get', 'fetch', 'count'].filter(each => each !== op) as never, timeout: 60 },
        },
      });
      expect(await second(read)).to.deep.equal(['ops']);
    });

    it(`call options override the profile: ${method}`, async () => {
      await begin({ profiles: { Tag: { ops: [], timeout: 60 } } });
      expect(await second(em => read(em))).to.deep.equal(['ops']);
      expect(await second(em => read(em, true))).to.deep.equal(['cache']);
      expect(await second(em => read(em, { timeout: 5 }))).to.deep.equal(['cache']);
      expect(await second(em => read(em, { ops: op as never }))).to.deep.equal(['cache']);
      expect(await second(em => read(em, { ops: 'exists' }))).to.deep.equal(['ops']);
      expect(await second(em => read(em, false))).to.deep.equal(['call']);
    });
  }

  it('findAndCount uses the ops for each of its two queries', async () => {
    await begin({ profiles: { Tag: { ops: 'count', timeout: 60 } } });
    const read = (em: Em) => em.findAndCount(Tag, {}, { limit: 1 });
    expect(await second(read)).to.have.members(['ops', 'cache']);
    expect(
      await second(em => em.findAndCount(Tag, {}, { limit: 1, cacheops: { ops: 'fetch' } })),
    ).to.have.members(['cache', 'ops']);
  });

  it('a read of several entities uses the profile of each', async () => {
    await begin({ profiles: { Author: { ops: [] }, Category: { ops: 'get' } } });
    const read = (em: Em) =>
      em.find(Article, {}, { populate: ['author', 'category', 'tags'], strategy: 'select-in' });
    expect(await second(read)).to.have.members(['cache', 'cache', 'ops', 'ops']);
  });

  it('an entity without a profile is not cached, and call options for it are an error', async () => {
    started = await start({ entities: define.entities });
    const read = (em: Em) => em.find(define.Tag, {});
    expect(await second(read)).to.deep.equal(['unconfigured']);
    await expectError(started.orm.em.fork().find(define.Tag, {}, { cacheops: true }), /Tag has no profile/);
    // nor is it where it is read for the sake of another
    const populating = (em: Em) =>
      em.find(define.Article, {}, { populate: ['tags'], strategy: 'select-in', cacheops: true });
    await started.orm.em.fork().insert(define.Article, {
      title: 'a',
      author: await started.orm.em.fork().insert(define.Author, { name: 'a' }),
    });
    expect(await second(populating)).to.deep.equal(['cache', 'unconfigured']);
  });

  it('an entity with the profile null is never cached, also if it is joined or populated', async () => {
    await begin({ profiles: { Author: null } });
    expect(await second(em => em.find(Author, {}))).to.deep.equal(['never']);
    for (const read of [
      em => em.find(Article, {}, { populate: ['author'], strategy: 'joined' }),
      em => em.find(Article, { author: { name: 'Ann' } }),
      em => em.find(Article, {}, { orderBy: { author: { name: 'asc' } } }),
      em => em.count(Article, { author: { name: 'Ann' } }),
    ] satisfies ((em: Em) => Promise<unknown>)[]) {
      expect(await second(read)).to.deep.equal(['rows of Author, which is never cached']);
    }
    expect(
      await second(em => em.find(Article, {}, { populate: ['author'], strategy: 'select-in' })),
    ).to.deep.equal(['cache', 'never']);
    expect(await second(em => em.find(Article, { author: 1 }))).to.deep.equal(['cache']);
  });

  it('call options apply to the queries that populate the result', async () => {
    await begin({
      profiles: {
        '*': { ops: [], timeout: 60 },
        Article: { ops: [] },
        Tag: { ops: [] },
        Author: { ops: [] },
      },
    });
    const read = (em: Em, cacheops: CallOptions) =>
      em.find(Article, {}, { populate: ['tags', 'author'], strategy: 'select-in', cacheops });
    expect(new Set(await second(em => read(em, true)))).to.deep.equal(new Set(['cache']));
    expect(new Set(await second(em => read(em, false)))).to.deep.equal(new Set(['call', 'scope']));
    expect(
      await second(em => em.find(Article, {}, { populate: ['tags'], strategy: 'select-in' })),
    ).to.deep.equal(['ops', 'ops']);
  });

  it('call options apply to em.populate()', async () => {
    await begin({ profiles: { Author: { ops: [] } } });
    const read = async (em: Em, cacheops: CallOptions) =>
      em.populate(await em.find(Article, {}), ['author'], { cacheops } as never);
    expect(await second(em => read(em, true))).to.deep.equal(['cache', 'cache']);
    expect(await second(em => read(em, false))).to.deep.equal(['cache', 'scope']);
  });

  it('call options do not apply to concurrent calls', async () => {
    await begin({ profiles: { Tag: { ops: [] } } });
    const sources = await second(async em => {
      await Promise.all([em.find(Tag, {}, { cacheops: true }), em.fork().find(Tag, { id: 1 })]);
    });
    expect(sources).to.have.members(['cache', 'ops']);
  });

  it('the innermost timeout counts', async () => {
    await begin({
      defaults: { timeout: 50 },
      profiles: { Tag: { timeout: 40, ops: 'all' }, Comment: { ops: 'all' } },
    });
    const fills: Pick<FillEvent, 'entity' | 'timeout'>[] = [];
    started.cache.events.on('fill', ({ entity, timeout }) => fills.push({ entity, timeout }));
    const em = started.orm.em.fork();
    await em.find(Tag, { id: 1 });
    await em.find(Tag, { id: 2 }, { cacheops: { timeout: 7 } });
    await em.getRepository(Tag).cache({ timeout: 8 }).find({ id: 3 });
    await em
      .getRepository(Tag)
      .cache({ timeout: 8 })
      .find({ id: 4 }, { cacheops: { timeout: 9 } });
    await em.find(Category, { id: 1 });
    await started.cache.idle();
    expect(fills).to.deep.equal([
      { entity: 'Tag', timeout: 40 },
      { entity: 'Tag', timeout: 7 },
      { entity: 'Tag', timeout: 8 },
      { entity: 'Tag', timeout: 9 },
      { entity: 'Category', timeout: 3600 },
    ]);
  });

  it('call options are an error if they are wrong, or the entity is never cached', async () => {
    await begin({ profiles: { Tag: null } });
    const em = started.orm.em.fork();
    for (const cacheops of [true, {}, { timeout: 5 }]) {
      await expectError(em.find(Tag, {}, { cacheops }), /Tag is never cached/);
    }
    expect(await em.find(Tag, {}, { cacheops: false })).to.have.length(3);
    for (const [options, message] of [
      [{ ops: 'gets' }, /em\.find\(\): cacheops.*gets.*Did you mean/s],
      [{ timeout: 0 }, /timeout.*0/],
      [{ timeout: 1.5 }, /timeout.*1\.5/],
      [{ timeouts: 1 }, /timeouts/],
      ['yes', /yes/],
      [null, /null/],
    ] as const) {
      await expectError(em.find(Comment, {}, { cacheops: options as never }), message);
    }
  });

  it('with enabled: false nothing is cached, but writes invalidate results of other processes', async () => {
    await begin({});
    await second(em => em.find(Tag, {}));
    const off = await join({ entities, cacheops: { store: started.store, enabled: false } });
    try {
      const read = () => off.orm.em.fork().find(Tag, {});
      await read();
      expect(await sourcesOf(off.cache, read)).to.deep.equal(['disabled']);
      await off.orm.em.fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
      await off.cache.idle();
      const sources = await sourcesOf(started.cache, async () => {
        expect((await started.orm.em.fork().find(Tag, {})).map(({ name }) => name)).to.include('crimson');
      });
      expect(sources).to.deep.equal(['miss']);
    } finally {
      await off.orm.close();
    }
  });

  async function expectError(promise: Promise<unknown>, message: RegExp): Promise<void> {
    const error = await promise.then(
      () => undefined,
      (reason: Error) => reason,
    );
    expect(error).to.be.instanceOf(CacheopsError);
    expect(error!.message).to.match(message);
  }
});
