import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, Author, entities } from '../../../fixtures/legacy/index.js';
import { type Started, start } from '../support/start.js';

describe('a page of rows with a condition on their authors', () => {
  let started: Started;

  beforeEach(async () => {
    started = await start({ entities });
    const em = started.orm.em.fork();
    for (const title of ['a', 'b', 'c']) {
      const author = em.create(Author, { name: title, email: title, reputation: 5 });
      em.create(Article, { title, author });
    }
    await em.flush();
  });

  afterEach(() => started.orm.close());

  const page = (offset: number) => async (em: EntityManager) => {
    const found = await em.find(
      Article,
      { author: { reputation: { $gte: 3 } } },
      { populate: ['author'], strategy: 'joined', orderBy: { id: 'asc' }, limit: 1, offset },
    );
    return found.map(({ title }) => title);
  };

  for (const [offset, before, after] of [
    [0, ['a'], ['b']],
    [1, ['b'], ['c']],
    [2, ['c'], []],
  ] as const) {
    it(`a page moves when the author of an earlier row ceases to satisfy the condition, ${offset} rows on`, async () => {
      const { orm, cache } = started;
      expect(await page(offset)(orm.em.fork())).to.deep.equal(before);
      await cache.idle();
      await orm.em.fork().nativeUpdate(Author, { name: 'a' }, { reputation: 1 });
      expect(await page(offset)(orm.em.fork())).to.deep.equal(after);
    });
  }
});
