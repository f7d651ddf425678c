import type { EntityManager } from '@mikro-orm/pglite';
import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import { Article, entities, Tag } from '../../../fixtures/legacy/index.js';
import { currentScope } from '../../../lib/orm/context/scope.js';
import { createBlog, restoreBlog } from '../support/blog.js';
import { sourcesOf } from '../support/observe.js';
import { partsOf } from '../support/snapshot.js';
import { join, type Started } from '../support/start.js';

use(chaiAsPromised);

describe('concurrent reads that miss the same entry', () => {
  let blog: Started;
  /** each query's answer goes through this */
  let delay: (answer: Promise<unknown>, sql: string) => Promise<unknown>;
  let asked: string[];

  before(async () => {
    await createBlog();
    blog = await join({ entities });
    const connection = blog.orm.em.getConnection() as unknown as Executing;
    const { execute } = connection;
    connection.execute = function (query, ...rest) {
      const answer = execute.call(this, query, ...rest);
      if (
        currentScope().dryRun ||
        typeof query !== 'string' ||
        !/^select .* from "(article|tag)"/.test(query)
      ) {
        return answer;
      }
      asked.push(query);
      return delay(answer, query);
    };
  });

  beforeEach(async () => {
    await restoreBlog(blog);
    asked = [];
    delay = answer => answer;
  });

  after(() => blog.orm.close());

  const fork = () => blog.orm.em.fork();
  const first = (em: EntityManager) => em.findOneOrFail(Article, 1, { populate: ['tags'] });
  const title = async (em = fork()) => (await em.findOneOrFail(Article, { id: 1 })).title;

  /** Holds back the answer to the first query that is sent, and tells when it is there. */
  function holdFirst() {
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

  it('ask the database once', async () => {
    const ems = Array.from({ length: 10 }, fork);
    const sources = await sourcesOf(blog.cache, () => Promise.all(ems.map(em => em.find(Tag, {}))));
    expect(sources.toSorted()).to.deep.equal(['miss', ...Array(9).fill('shared')]);
    expect(asked).to.have.lengthOf(1);
    expect(await sourcesOf(blog.cache, () => fork().find(Tag, {}))).to.deep.equal(['cache']);
  });

  it('share no objects', async () => {
    const ems = Array.from({ length: 3 }, fork);
    await Promise.all(ems.map(first));
    const [a, b, c] = ems.map(partsOf);
    expect([...a!].filter(part => b!.has(part) || c!.has(part))).to.deep.equal([]);
    expect([...b!].filter(part => c!.has(part))).to.deep.equal([]);
  });

  it('join a query that was sent before they began, if nothing was written since', async () => {
    const held = holdFirst();
    const early = title();
    await held.answered;
    const late = sourcesOf(blog.cache, () => Promise.all([title(), title()]));
    // both wait: nobody has asked the database again
    await blog.orm.em.getConnection().execute('select 1');
    held.release();
    expect(await early).to.equal('First');
    expect(await late).to.include.members(['shared']);
    expect(asked).to.have.lengthOf(1);
  });

  it('do not join a query that was sent before a commit that they began after', async () => {
    const held = holdFirst();
    const early = title();
    await held.answered;
    await fork().nativeUpdate(Article, { id: 1 }, { title: 'Changed' });
    expect(await Promise.all([title(), title(), title()])).to.deep.equal(['Changed', 'Changed', 'Changed']);
    held.release();
    expect(await early).to.equal('First');
    expect(await title()).to.equal('Changed');
  });

  it('do not join a query that was sent before a write that refuses them a lease', async () => {
    const held = holdFirst();
    const early = title();
    await held.answered;
    const em = fork();
    await em.begin();
    await em.nativeUpdate(Article, { id: 1 }, { title: 'Changed' });
    await em.commit();
    const late = title();
    expect(await late).to.equal('Changed');
    held.release();
    await early;
  });

  it('ask the database themselves if the query that they waited for fails', async () => {
    const failed = Promise.withResolvers<void>();
    delay = async answer => {
      delay = each => each;
      await answer;
      await failed.promise;
      throw new Error('connection lost');
    };
    const reads = [title(), title(), title()].map(read =>
      read.catch((error: unknown) => (error as Error).message),
    );
    failed.resolve();
    expect((await Promise.all(reads)).toSorted()).to.deep.equal(['First', 'First', 'connection lost']);
  });

  it('neither wait nor are waited for in a transaction', async () => {
    const sources = await sourcesOf(blog.cache, () =>
      fork().transactional(async em => {
        const inner = () => em.fork({ keepTransactionContext: true });
        await Promise.all([title(inner()), title(inner())]);
      }),
    );
    expect(sources).to.deep.equal(['miss', 'miss']);
  });

  it('do not wait if they have an AbortSignal', async () => {
    const { signal } = new AbortController();
    const read = () => fork().find(Tag, {}, { signal });
    expect(await sourcesOf(blog.cache, () => Promise.all([read(), read()]))).to.deep.equal(['miss', 'miss']);
  });

  it('do not join a query with other options', async () => {
    const reads = [{ limit: 1 }, { limit: 2 }, { orderBy: { id: 'desc' } }] as object[];
    const answers = await Promise.all(reads.map(options => fork().find(Tag, {}, options)));
    expect(answers.map(tags => tags.length)).to.deep.equal([1, 2, 3]);
    expect(asked).to.have.lengthOf(3);
  });
});

interface Executing {
  execute(query: unknown, ...rest: unknown[]): Promise<unknown>;
}
