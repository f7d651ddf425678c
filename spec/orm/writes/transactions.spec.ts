import { type EntityManager, IsolationLevel, type Transaction } from '@mikro-orm/core';
import { expect } from 'chai';
import { Article, Author, Tag } from '../../../fixtures/legacy/index.js';
import { startBlog } from '../support/blog.js';
import { embedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import type { Started } from '../support/start.js';

const WROTE = 'a transaction that has written';
const SNAPSHOT = 'a transaction with a snapshot of its own';

type Em = Started['orm']['em'];

describe('A transaction', () => {
  let blog: Started;

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  const fork = () => blog.orm.em.fork();
  const titles = async (em: Em) =>
    (await em.find(Article, { status: 'published' })).map(({ title }) => title);
  /** The source of a read after the transaction, which must be fresh. */
  const sources = async () => {
    let found: string[] = [];
    const from = await sourcesOf(blog.cache, async () => {
      found = await titles(fork());
    });
    const rows = await fork().execute(`select title from article where status = 'published' order by id`);
    expect(found.sort()).to.deep.equal(rows.map(row => row.title).sort());
    return from;
  };
  const warm = async () => {
    await titles(fork());
    await blog.cache.idle();
  };

  it('that only reads uses the cache and fills it', async () => {
    // reads in a transaction do not wait until the quarantines of a new store are lifted
    await fork().find(Article, {});
    const read = await sourcesOf(blog.cache, () => fork().transactional(em => titles(em as Em)));
    expect(read).to.deep.equal(['miss']);
    expect(await sources()).to.deep.equal(['cache']);
    expect(await sourcesOf(blog.cache, () => fork().transactional(em => titles(em as Em)))).to.deep.equal([
      'cache',
    ]);
  });

  const WRITES: Record<string, (em: Em) => Promise<unknown>> = {
    'by a flush': em => {
      em.create(Tag, { name: 'new' });
      return em.flush();
    },
    'by a native statement': em => em.nativeUpdate(Author, { id: 2 }, { reputation: 1 }),
    'by a query builder': em =>
      em.createQueryBuilder(Author).update({ reputation: 1 }).where({ id: 2 }).execute(),
    'by raw SQL': em => em.execute(`update author set reputation = 1 where id = 2`),
    'without changing a row': em => em.nativeDelete(Author, { id: -1 }),
    'in a WITH query': em => em.execute('with w as (update author set reputation = 1 where id = 2) select 1'),
    'without telling': em =>
      blog.cache.noInvalidation(() => em.nativeUpdate(Author, { id: 2 }, { reputation: 1 })),
  };

  for (const [how, write] of Object.entries(WRITES)) {
    it(`that has written ${how} neither reads from the cache nor fills it`, async () => {
      await warm();
      const read = await sourcesOf(blog.cache, () =>
        fork().transactional(async em => {
          await write(em as Em);
          await titles(em as Em);
          await em.count(Article, { views: { $lt: 0n } });
        }),
      );
      expect(read).to.deep.equal([WROTE, WROTE]);
      expect(await sourcesOf(blog.cache, () => fork().count(Article, { views: { $lt: 0n } }))).to.deep.equal([
        'miss',
      ]);
    });
  }

  it('sees its own writes', async () => {
    await warm();
    await fork().transactional(async em => {
      (await em.findOneOrFail(Article, 3)).status = 'published';
      await em.flush();
      expect(await titles(em as Em)).to.have.members(['First', 'Second', 'Third']);
    });
    expect(await sources()).to.deep.equal(['miss']);
  });

  it('is not visible to other readers before it is committed', async () => {
    // the embedded database has one connection: other readers see only the cache
    await warm();
    await fork().transactional(async em => {
      await em.nativeUpdate(Article, { id: 3 }, { status: 'published' });
    });
    expect(await sources()).to.deep.equal(['miss']);
    expect(await sources()).to.deep.equal(['cache']);
  });

  it('that flushes while it reads stores no result', async () => {
    await fork().transactional(async em => {
      await Promise.all([titles(em as Em), em.nativeUpdate(Article, { id: 3 }, { status: 'published' })]);
    });
    await blog.cache.idle();
    await sources();
  });

  describe('that is rolled back', () => {
    const rolledBack = async (write: (em: Em) => Promise<unknown>) => {
      await fork()
        .transactional(async em => {
          await write(em as Em);
          throw new Error('no');
        })
        .catch(error => expect(error.message).to.equal('no'));
      await blog.cache.idle();
    };

    it('drops nothing', async () => {
      await warm();
      await rolledBack(em => em.nativeUpdate(Article, { id: 1 }, { status: 'draft' }));
      expect(await sources()).to.deep.equal(['cache']);
    });

    it('stores none of its results', async () => {
      await rolledBack(async em => {
        await em.nativeUpdate(Article, { id: 1 }, { status: 'draft' });
        await titles(em);
      });
      expect(await sources()).to.deep.equal(['miss']);
    });

    it('by COMMIT, because a statement had failed, drops nothing that is noticed', async () => {
      await warm();
      const em = fork();
      await em.begin();
      await em.nativeUpdate(Article, { id: 1 }, { status: 'draft' });
      await em.execute('select 1 / 0').catch(() => undefined);
      await em.commit().catch(() => em.rollback());
      await blog.cache.idle();
      await sources();
    });

    it('by begin and rollback, drops nothing', async () => {
      await warm();
      const em = fork();
      await em.begin();
      (await em.findOneOrFail(Article, 1)).status = 'draft';
      await em.flush();
      await em.rollback();
      expect(await sources()).to.deep.equal(['cache']);
    });
  });

  it('by begin and commit drops results of the changed rows', async () => {
    await warm();
    const em = fork();
    await em.begin();
    (await em.findOneOrFail(Article, 1)).status = 'draft';
    await em.flush();
    expect(await sourcesOf(blog.cache, () => em.find(Article, { status: 'published' }))).to.deep.equal([
      WROTE,
    ]);
    await em.commit();
    expect(await sources()).to.deep.equal(['miss']);
  });

  it('may consist of several flushes', async () => {
    const drafts = () => sourcesOf(blog.cache, () => fork().find(Article, { status: 'draft' }));
    await warm();
    await drafts();
    await fork().transactional(async em => {
      (await em.findOneOrFail(Article, 1)).title = '1';
      await em.flush();
      (await em.findOneOrFail(Article, 3)).title = '3';
      await em.flush();
    });
    expect(await sources()).to.deep.equal(['miss']);
    expect(await drafts()).to.deep.equal(['miss']);
  });

  describe('with savepoints', () => {
    const NESTED: Record<string, (em: Em, inner: (em: Em) => Promise<unknown>) => Promise<unknown>> = {
      nested: (em, inner) => em.transactional(nested => inner(nested as Em)),
      raw: async (em, inner) => {
        await em.execute('savepoint "A"');
        try {
          await inner(em);
          await em.execute('release savepoint "A"');
        } catch (error) {
          await em.execute('rollback to "A"');
          throw error;
        }
      },
    };

    for (const [how, nest] of Object.entries(NESTED)) {
      it(`drops results of rows changed since a released savepoint (${how})`, async () => {
        await warm();
        await fork().transactional(em =>
          nest(em as Em, inner => inner.nativeUpdate(Article, { id: 1 }, { status: 'draft' })),
        );
        expect(await sources()).to.deep.equal(['miss']);
      });

      it(`drops nothing for rows changed since a savepoint that was rolled back to (${how})`, async () => {
        await warm();
        await fork().transactional(async em => {
          await em.nativeUpdate(Author, { id: 1 }, { reputation: 8 });
          await nest(em as Em, async inner => {
            await inner.nativeUpdate(Article, { id: 1 }, { status: 'draft' });
            throw new Error('back');
          }).catch(() => undefined);
        });
        expect(await sources()).to.deep.equal(['cache']);
      });

      it(`drops results of rows changed before a savepoint that was rolled back to (${how})`, async () => {
        await warm();
        await fork().transactional(async em => {
          await em.nativeUpdate(Article, { id: 1 }, { status: 'draft' });
          await nest(em as Em, async inner => {
            await inner.nativeUpdate(Author, { id: 1 }, { reputation: 8 });
            throw new Error('back');
          }).catch(() => undefined);
        });
        expect(await sources()).to.deep.equal(['miss']);
      });
    }

    it('drops nothing for savepoints inside one that was rolled back to', async () => {
      await warm();
      await fork().transactional(async em => {
        await em
          .transactional(async outer => {
            await outer.transactional(inner => inner.nativeUpdate(Article, { id: 1 }, { status: 'draft' }));
            throw new Error('back');
          })
          .catch(() => undefined);
      });
      expect(await sources()).to.deep.equal(['cache']);
    });
  });

  describe('with a snapshot of its own never reads from the cache nor fills it', () => {
    const begun = (isolationLevel: IsolationLevel) => (read: (em: Em) => Promise<unknown>) =>
      fork().transactional(em => read(em as Em), { isolationLevel });
    const by = (statement: string) => (read: (em: Em) => Promise<unknown>) =>
      fork().transactional(async em => {
        await (em as Em).execute(statement);
        return read(em as Em);
      });
    const SNAPSHOTS: Record<string, (read: (em: Em) => Promise<unknown>) => Promise<unknown>> = {
      'REPEATABLE READ': begun(IsolationLevel.REPEATABLE_READ),
      SERIALIZABLE: begun(IsolationLevel.SERIALIZABLE),
      'by SET TRANSACTION': by('set transaction isolation level repeatable read'),
      'by SET': by(`set transaction_isolation = 'serializable'`),
      'by begin()': async read => {
        const em = fork();
        await em.begin({ isolationLevel: IsolationLevel.SERIALIZABLE });
        await read(em);
        await em.rollback();
      },
    };

    for (const [how, run] of Object.entries(SNAPSHOTS)) {
      it(how, async () => {
        await warm();
        expect(await sourcesOf(blog.cache, () => run(titles))).to.deep.equal([SNAPSHOT]);
        expect(await sourcesOf(blog.cache, () => run(em => em.count(Tag)))).to.deep.equal([SNAPSHOT]);
        expect(await sourcesOf(blog.cache, () => fork().count(Tag))).to.deep.equal(['miss']);
      });
    }

    for (const statement of [
      `set default_transaction_isolation = 'repeatable read'`,
      'set session characteristics as transaction isolation level serializable',
      `select set_config('default_transaction_isolation', 'repeatable read', false)`,
    ]) {
      it(statement, async () => {
        await warm();
        await fork().execute(statement);
        const read = () => fork().transactional(em => titles(em as Em));
        expect(await sourcesOf(blog.cache, read)).to.deep.equal([SNAPSHOT]);
        // a single statement has only its own snapshot
        expect(await sources()).to.deep.equal(['cache']);
      });
    }

    it('by default_transaction_isolation of the database', async () => {
      await (
        await embedded()
      ).exec(`alter database postgres set default_transaction_isolation = 'serializable';
        set default_transaction_isolation = 'serializable'`);
      try {
        const read = () => fork().transactional(em => titles(em as Em));
        await blog.orm.reconnect();
        expect(await sourcesOf(blog.cache, read)).to.deep.equal([SNAPSHOT]);
      } finally {
        await (await embedded()).exec(
          'alter database postgres reset default_transaction_isolation; reset all',
        );
      }
    });
  });

  it('uses the cache if it is READ COMMITTED, whatever the default is', async () => {
    await warm();
    await fork().execute(`set default_transaction_isolation = 'repeatable read'`);
    const read = () =>
      fork().transactional(em => titles(em as Em), { isolationLevel: IsolationLevel.READ_COMMITTED });
    expect((await sourcesOf(blog.cache, read))[0]).to.be.oneOf(['cache', SNAPSHOT]);
  });

  it('that kysely has begun gets no stale results', async () => {
    const em = fork();
    await warm();
    await em
      .getKysely()
      .transaction()
      .execute(async trx => {
        const ctx = trx as unknown as Transaction;
        const forked = em.fork();
        (forked as EntityManager).setTransactionContext(ctx);
        expect((await sourcesOf(blog.cache, () => titles(forked)))[0]).to.be.oneOf([
          'cache',
          'a transaction that cannot be seen',
        ]);
        await trx
          .updateTable('article' as never)
          .set({ status: 'draft' } as never)
          .execute();
        expect(await titles(forked)).to.deep.equal([]);
      });
    expect(await sources()).to.deep.equal(['miss']);
  });
});
