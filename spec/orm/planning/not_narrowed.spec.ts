import { raw } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, Author } from '../../../fixtures/legacy/index.js';
import { restoreBlog, startBlog } from '../support/blog.js';
import { snapshotOf } from '../support/snapshot.js';
import type { Started } from '../support/start.js';

type Step = (em: EntityManager) => Promise<unknown>;
const A = Article as any;

const CASES: Record<string, [read: Step, write: Step]> = {
  'two conditions on one relation, and the same table elsewhere': [
    em =>
      em.find(A, { $and: [{ author: { name: 'Ann' } }, { author: { reputation: 7 } }] }, {
        populate: ['comments.author'],
        strategy: 'joined',
        orderBy: { id: 1 },
      } as never),
    em => em.nativeUpdate(Author, { name: 'Bob' }, { name: 'Bobby' }),
  ],
  'the first row of each group': [
    em =>
      em
        .createQueryBuilder(Article, 'a')
        .select(['a.author', 'a.title'] as never)
        .distinctOn('a.author' as never)
        .orderBy({ author: 1 } as never)
        .execute(),
    async em => {
      await em.nativeUpdate(Article, { id: 1 }, { body: 'moved' });
    },
  ],
  'a list of values': [
    em =>
      em
        .createQueryBuilder(Article, 'a')
        .select([raw('string_agg("a"."title", \',\') as t')])
        .where({ author: 1 })
        .execute(),
    em => em.nativeUpdate(Article, { id: 1 }, { body: 'moved' }),
  ],
};

describe('a query that seems to depend on less than it does', () => {
  let blog: Started;
  before(async () => {
    blog = await startBlog();
  });
  beforeEach(() => restoreBlog(blog));
  after(() => blog.orm.close());

  for (const [what, [read, write]] of Object.entries(CASES)) {
    it(`a write invalidates its result: ${what}`, async () => {
      const answer = async () => {
        const em = blog.orm.em.fork();
        return snapshotOf(em, await read(em));
      };
      await answer();
      await blog.cache.idle();
      const before = await answer();
      await write(blog.orm.em.fork());
      const truth = await blog.cache.disabled(answer);
      expect(truth, 'what the write was to change').not.to.equal(before);
      expect(await answer()).to.equal(truth);
    });
  }
});
