import { raw } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, Author, entities, Tag } from '../../fixtures/legacy/index.js';
import type { CacheopsEventMap, FillEvent, InvalidationEvent, ReadEvent } from '../../lib/index.js';
import { cached, cachedAs, MemoryStore } from '../../lib/index.js';
import { invalidateView } from '../../lib/integrations/http/index.js';
import { fragments } from '../../lib/integrations/templates/index.js';
import type { Lease } from '../../lib/store/store.js';
import { startBlog } from '../orm/support/blog.js';
import { join, type Started } from '../orm/support/start.js';

describe('events', () => {
  let blog: Started;

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  const fork = () => blog.orm.em.fork();

  async function heard<K extends keyof CacheopsEventMap>(
    name: K,
    run: () => unknown,
  ): Promise<CacheopsEventMap[K][0][]> {
    const events: CacheopsEventMap[K][0][] = [];
    const listener = (event: CacheopsEventMap[K][0]) => events.push(event);
    blog.cache.events.on(name, listener as never);
    await run();
    await blog.cache.idle();
    blog.cache.events.off(name, listener as never);
    return events;
  }

  it('report the source and dependencies of each read', async () => {
    const read = () => fork().find(Article, { category: 2, $or: [{ status: 'draft' }, { price: '1.50' }] });
    const [miss] = (await heard('read', read)) as ReadEvent[];
    const [hit] = (await heard('read', read)) as ReadEvent[];
    expect(miss).to.deep.include({ entity: 'Article', op: 'fetch', source: 'database', reason: 'miss' });
    expect(hit).to.deep.include({ entity: 'Article', op: 'fetch', source: 'cache' });
    expect(hit).not.to.have.property('reason');
    expect(hit!.key)
      .to.equal(miss!.key)
      .and.to.match(/^Article:/);
    expect(hit!.dependencies).to.have.members([
      'article(category_id=2 and status=draft)',
      'article(category_id=2 and price=1.5)',
    ]);
    expect(hit!.duration).to.be.above(0);
  });

  it('report why a read bypassed the cache', async () => {
    const [read] = (await heard('read', () => fork().findOne(Tag, 1, { cacheops: false }))) as ReadEvent[];
    expect(read).to.deep.include({ entity: 'Tag', op: 'get', source: 'database', reason: 'call' });
    expect(read).not.to.have.any.keys('key', 'dependencies');
  });

  for (const [name, refused] of Object.entries({
    'a find': () => fork().find(Article, { [raw('1 / (id - id)')]: 1 } as never),
    'a find by a list of keys': () =>
      fork().find(Article, { id: { $in: [1, 2] }, [raw('1 / (id - id)')]: 1 } as never),
    'a find that is not cached': () =>
      fork().find(Article, { [raw('1 / (id - id)')]: 1 } as never, { cacheops: false }),
    'a count': () => fork().count(Article, { [raw('no_such_function(id)')]: 1 } as never),
    'a query builder': () => fork().createQueryBuilder(Article).where('1 / (id - id) = 1').getResult(),
  })) {
    it(`report that the database refused ${name}, which counts as an error only`, async () => {
      let thrown: unknown;
      const reads = (await heard('read', async () => {
        await refused().catch((error: unknown) => {
          thrown = error;
        });
      })) as ReadEvent[];
      expect(thrown).to.be.an.instanceOf(Error);
      expect(reads).to.have.length(1);
      expect(reads[0]).to.deep.include({ entity: 'Article', source: 'database', reason: 'error' });
      expect(String((reads[0]!.error as Error).message)).to.match(/division by zero|no_such_function/);
      const { op, duration } = reads[0]!;
      expect(duration).to.be.above(0);
      const stats = blog.cache.stats();
      expect(stats).to.include({ hits: 0, misses: 0, bypassed: 0, errors: 1 });
      expect(stats.ops[op]).to.include({ misses: 0, errors: 1 });
      expect(stats.entities.Article![op]).to.include({ misses: 0, errors: 1 });
    });
  }

  for (const [name, op, fail] of [
    [
      'a function',
      'function',
      () =>
        cachedAs(Tag, { name: 'failing' })(async (_em: EntityManager) => {
          throw new Error('broken');
        })(fork()),
    ],
    [
      'a timed function',
      'value',
      () =>
        cached({ timeout: 60, name: 'failing' })(async (_em: EntityManager) => {
          throw new Error('broken');
        })(fork()),
    ],
    [
      'a value',
      'value',
      () =>
        blog.cache.cache.through('failing', async () => {
          throw new Error('broken');
        }),
    ],
  ] as const) {
    for (const disabled of [false, true]) {
      it(`report that ${name} failed, which counts as an error only${disabled ? ', if the cache is disabled' : ''}`, async () => {
        const reads = (await heard('read', () =>
          (disabled ? blog.cache.disabled(fail) : fail()).catch(() => undefined),
        )) as ReadEvent[];
        expect(reads.map(({ source, reason }) => [source, reason])).to.deep.equal([['database', 'error']]);
        expect(reads[0]!.error).to.have.property('message', 'broken');
        expect(blog.cache.stats().ops[op]).to.include({ hits: 0, misses: 0, bypassed: 0, errors: 1 });
      });
    }
  }

  it('report why a timed function bypassed the cache', async () => {
    const fn = cached({ timeout: 60, name: 'late' })(async (_em: EntityManager) => 1);
    const reads = (await heard('read', () =>
      fork().transactional(async em => {
        await em.nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
        await fn(em);
      }),
    )) as ReadEvent[];
    expect(reads.map(({ op, source, reason }) => [op, source, reason])).to.deep.equal([
      ['value', 'database', 'a transaction that has written'],
    ]);
    expect(blog.cache.stats().ops.value).to.include({ hits: 0, misses: 0, bypassed: 1 });
  });

  it('report a timed function whose result is not stored as a miss', async () => {
    const hidden = fork();
    hidden.setFilterParams('tenant', { id: 1 });
    const fn = cached({ timeout: 60, name: 'hidden' })(async (_em: EntityManager) =>
      hidden.count(Tag, {}, { cacheops: false }),
    );
    const reads = (await heard('read', () => fn(fork()))) as ReadEvent[];
    expect(reads.map(({ op, source, reason }) => [op, source, reason])).to.deep.equal([
      ['count', 'database', 'call'],
      ['value', 'database', 'miss'],
    ]);
  });

  it('report reads of pivot tables by their entity', async () => {
    const reads = await heard('read', () =>
      fork().find(Article, {}, { populate: ['tags'], strategy: 'select-in' }),
    );
    expect((reads as ReadEvent[]).map(({ entity }) => entity)).to.deep.equal(['Article', 'Tag']);
  });

  it('report stored results', async () => {
    const read = () => fork().find(Tag, { name: 'red' });
    const [fill] = (await heard('fill', read)) as FillEvent[];
    expect(fill).to.deep.include({
      entity: 'Tag',
      op: 'fetch',
      dependencies: ['tag(name=red)'],
      timeout: 3600,
    });
    expect(fill!.size).to.be.within(5, 200);
    expect(await heard('fill', read)).to.deep.equal([]);
  });

  it('report the tables and entities of a flush', async () => {
    const [event] = (await heard('invalidation', async () => {
      const em = fork();
      const ann = await em.findOneOrFail(Author, 1);
      ann.reputation = 8;
      em.create(Article, { title: 'New', author: ann });
      em.create(Tag, { name: 'new' });
      em.remove(await em.findOneOrFail(Author, { name: 'Bob' }, { fields: ['id'] }));
      await em.nativeDelete(Article, { author: 2 });
      await em.flush();
    })) as InvalidationEvent[];
    expect(event).to.be.an('object'); // that of nativeDelete
    const events = (await heard('invalidation', async () => {
      const em = fork();
      const ann = await em.findOneOrFail(Author, 1);
      ann.reputation = 9;
      em.create(Article, { title: 'Newer', author: ann });
      em.create(Article, { title: 'Newest', author: ann });
      em.remove(await em.findOneOrFail(Tag, { name: 'new' }));
      await em.flush();
    })) as InvalidationEvent[];
    expect(events).to.have.length(1);
    const tables = Object.fromEntries(events[0]!.tables.map(({ table, ...counts }) => [table, counts]));
    const none = { inserted: 0, updated: 0, deleted: 0, all: false };
    expect(tables.article).to.deep.equal({ ...none, inserted: 2 });
    expect(tables.author).to.deep.equal({ ...none, updated: 1 });
    expect(tables.tag).to.deep.equal({ ...none, deleted: 1 });
    expect(events[0]!.entities).to.have.members(['Article', 'Author', 'Tag']);
  });

  it('report that everything on a table was dropped', async () => {
    const [event] = (await heard('invalidation', () =>
      fork().execute('truncate comment'),
    )) as InvalidationEvent[];
    expect(event!.tables.find(({ table }) => table === 'comment')).to.include({ all: true });
    expect(event!.entities).to.deep.equal([]);
  });

  it('report no invalidation after a rollback', async () => {
    const events = await heard('invalidation', () =>
      fork()
        .transactional(async em => {
          await em.nativeUpdate(Article, {}, { title: 'x' });
          throw new Error('no');
        })
        .catch(() => undefined),
    );
    expect(events).to.deep.equal([]);
  });

  it('report errors of the store, which do not fail the application', async () => {
    class Broken extends MemoryStore {
      override async read(): Promise<undefined> {
        throw new Error('broken');
      }
    }
    await blog.orm.close();
    blog = await startBlog({ cacheops: { store: new Broken(), retryAfter: 0 } });
    const errors = await heard('error', async () => {
      expect(await fork().find(Tag, {})).to.have.length(3);
    });
    expect(errors).to.have.length.of.at.least(1);
    expect(errors[0]).to.have.property('operation', 'read');
    expect(blog.cache.stats().errors).to.be.at.least(1);
  });

  it('of errors without listeners do not crash the process', async () => {
    class Broken extends MemoryStore {
      override async fill(): Promise<void> {
        throw new Error('broken');
      }
    }
    await blog.orm.close();
    blog = await startBlog({ cacheops: { store: new Broken() } });
    expect(await fork().find(Tag, {})).to.have.length(3);
    await blog.cache.idle();
    expect(blog.cache.stats()).to.include({ misses: 1, fills: 0, unstored: 1, errors: 1 });
  });

  it('report results that were not stored, with the reason', async () => {
    const writes = cachedAs(Tag, { name: 'writes' })(async (em: EntityManager) =>
      em.nativeUpdate(Tag, { id: 1 }, { name: 'crimson' }),
    );
    await fork().nativeUpdate(Author, { id: 2 }, { settings: JSON.parse('{"constructor": 1}') });
    const unstored = await heard('unstored', async () => {
      await fork().findOne(Author, 2);
      await writes(fork());
    });
    expect(unstored.map(({ key: _, ...event }) => event)).to.deep.equal([
      { entity: 'Author', op: 'get', reason: 'a value that decoding would not restore' },
      { entity: 'writes', op: 'function', reason: 'a function that writes' },
    ]);
    const { unstored: count, ops } = blog.cache.stats();
    expect([count, ops.get.unstored, ops.function.unstored]).to.deep.equal([2, 1, 1]);
  });

  it('report results that were refused because a writer is in flight, and name its transaction', async () => {
    await blog.store.mark(
      { id: 'w', xid: '987654' },
      [...new Set([...(await tablesOf(() => fork().find(Tag, {})))])].map(table => ({
        table,
        touched: () => undefined,
      })),
    );
    const refused = await heard('unstored', () => fork().find(Tag, {}));
    expect(refused).to.have.length(1);
    expect(refused[0]).to.include({
      entity: 'Tag',
      op: 'fetch',
      reason: 'refused: transaction 987654 is writing to tag',
    });
    expect(blog.cache.stats()).to.include({ refused: 1, unstored: 0 });
  });

  const refusals: Readonly<Record<string, () => Promise<Lease>>> = {
    'a statement is writing to tag and author': async () => ({
      granted: false,
      writers: [{ id: 'w', xid: 'lock 7', age: 0, tables: ['blog/public.tag', 'blog/public.author'] }],
      quarantines: [],
    }),
    'the store was new to auth.tag while transactions were open that have not ended yet': async () => ({
      granted: false,
      writers: [],
      quarantines: [{ table: 'elsewhere/auth.tag', nonce: 'nonce' }],
    }),
    'the store is not available': () => Promise.reject(new Error('down')),
  };
  for (const [reason, lease] of Object.entries(refusals)) {
    it(`report why a lease was refused: ${reason}`, async () => {
      blog.store.lease = lease;
      const unstored = await heard('unstored', () => fork().find(Tag, {}));
      expect(unstored.map(event => event.reason)).to.deep.equal([`refused: ${reason}`]);
    });
  }

  async function tablesOf(read: () => Promise<unknown>): Promise<string[]> {
    const tables: string[] = [];
    const { read: original } = blog.store;
    blog.store.read = address => {
      tables.push(...address.tables.map(({ table }) => table));
      return original.call(blog.store, address);
    };
    await read();
    await blog.cache.idle();
    blog.store.read = original;
    return tables;
  }

  it('report invalidations by name and of everything', async () => {
    const fragment = fragments(blog.orm);
    const events = await heard('invalidation', async () => {
      await fragment.invalidate('menu');
      await invalidateView('/articles?page=2', blog.orm);
      await blog.cache.cache.delete('motd');
      await blog.cache.invalidateAll();
    });
    const none = { tables: [], entities: [], names: [], everything: false };
    expect(events).to.deep.equal([
      { ...none, names: [{ op: 'fragment', name: 'menu' }] },
      { ...none, names: [{ op: 'view', name: '/articles?page=2' }] },
      { ...none, names: [{ op: 'value', name: 'motd' }] },
      { ...none, everything: true },
    ]);
    expect(blog.cache.stats().invalidations).to.equal(4);
  });

  it('end when the cache is closed', async () => {
    const other = await join({ entities });
    let ends = 0;
    other.cache.events.on('close', () => ends++);
    await other.orm.close();
    expect(ends).to.equal(1);
  });
});
