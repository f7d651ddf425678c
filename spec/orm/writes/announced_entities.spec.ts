import { expect } from 'chai';
import { CompiledQuery } from 'kysely';
import { Article, Author, entities, Tag } from '../../../fixtures/legacy/index.js';
import type { InvalidationEvent } from '../../../lib/index.js';
import { createBlog, restoreBlog } from '../support/blog.js';
import { sourcesOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';

type Em = Started['orm']['em'];

/** Sends a statement over the transaction's connection without being seen. */
async function unseen(ctx: any, sql: string): Promise<void> {
  await ctx
    .getExecutor()
    .provideConnection((connection: any) => connection.inner.executeQuery(CompiledQuery.raw(sql)));
}

describe('Entities that the unit of work announces', () => {
  let blog: Started;

  before(async () => {
    await createBlog();
    blog = await join({ entities });
    // its updates of tags are not seen
    const { nativeUpdate } = blog.orm.driver;
    blog.orm.driver.nativeUpdate = async function (name: any, where: any, data: any, options: any) {
      if (blog.orm.getMetadata().get(name).className !== 'Tag') {
        return nativeUpdate.call(this, name, where, data, options) as never;
      }
      await unseen(options.ctx, `update tag set name = '${data.name}' where id = 1`);
      return { affectedRows: 1, insertId: 0, row: {}, rows: [] } as never;
    };
  });

  after(() => blog.orm.close());

  beforeEach(() => restoreBlog(blog));

  const fork = () => blog.orm.em.fork();
  const red = (em: Em) => em.find(Tag, { name: 'red' });
  const green = (em: Em) => em.find(Tag, { name: 'green' });
  const authors = (em: Em) => em.find(Author, {});
  const warm = async () => {
    for (const read of [red, green, authors]) {
      await read(fork());
    }
    await blog.cache.idle();
  };
  const sources = async () => [
    ...(await sourcesOf(blog.cache, () => red(fork()))),
    ...(await sourcesOf(blog.cache, () => green(fork()))),
    ...(await sourcesOf(blog.cache, () => authors(fork()))),
  ];

  it('drop all of a table if no statement on it is seen', async () => {
    const events: InvalidationEvent[] = [];
    blog.cache.events.once('invalidation', event => events.push(event));
    await warm();
    const em = fork();
    (await em.findOneOrFail(Tag, 1)).name = 'crimson';
    await em.flush();
    await blog.cache.idle();
    expect(await sources()).to.deep.equal(['miss', 'miss', 'cache']);
    expect(await red(fork())).to.deep.equal([]);
    expect(events[0]!.entities).to.deep.equal(['Tag']);
    expect(events[0]!.tables.map(({ all }) => all)).to.deep.equal([true]);
  });

  it('drop all of such a table in a transaction of several flushes with other statements', async () => {
    await warm();
    await fork().transactional(async em => {
      const tag = await em.findOneOrFail(Tag, 1);
      em.create(Article, { title: 'x', author: em.getReference(Author, 1) });
      await em.flush();
      tag.name = 'crimson';
      await em.flush();
    });
    expect(await sources()).to.deep.equal(['miss', 'miss', 'cache']);
  });

  it('drop all of such a table in a transaction by begin and commit', async () => {
    await warm();
    const em = fork();
    await em.begin();
    (await em.findOneOrFail(Tag, 1)).name = 'crimson';
    await em.commit();
    expect(await sources()).to.deep.equal(['miss', 'miss', 'cache']);
  });

  it('drop nothing if the transaction is rolled back', async () => {
    await warm();
    const em = fork();
    await em.begin();
    (await em.findOneOrFail(Tag, 1)).name = 'crimson';
    await em.flush();
    await em.rollback();
    expect(await sources()).to.deep.equal(['cache', 'cache', 'cache']);
  });

  it('drop only the changed rows if the statement is seen', async () => {
    await warm();
    const em = fork();
    (await em.findOneOrFail(Author, 1)).reputation = 3;
    await em.flush();
    expect(await sources()).to.deep.equal(['cache', 'cache', 'miss']);
  });
});
