import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, ArticleTranslation, entities, Post, Tag } from '../../../fixtures/legacy/index.js';
import { createBlog, restoreBlog } from '../support/blog.js';
import { readsOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';

type Ask = (em: EntityManager) => Promise<boolean>;

const THERE: Record<string, Ask> = {
  'by key': em => em.getRepository(Article).exists({ id: 1 }),
  'by condition': em => em.exists(Article, { title: 'First', author: 1 }),
  'by a relation': em => em.exists(Article, { author: { name: 'Ann' } }),
  'by items of a collection': em => em.exists(Article, { tags: { name: ['red', 'green'] } }),
  'by none of them': em => em.exists(Article, { tags: { $none: { name: 'red' } } }),
  'by composite key': em => em.exists(ArticleTranslation, { article: 1, locale: 'de' }),
  'of a child in a single table': em => em.exists(Post),
  'with relations': em => em.exists(Article, { id: 1 }, { populate: ['tags'] as never }),
  'of any': em => em.exists(Tag),
};

const NOT_THERE: Record<string, Ask> = {
  'by key': em => em.exists(Article, { id: 99 }),
  'by a relation': em => em.exists(Article, { author: { name: 'Cid' } }),
  'of another child in a single table': em => em.exists(Post, { id: 1 }),
};

describe('exists()', () => {
  let blog: Started;

  before(async () => {
    await createBlog();
    blog = await join({ entities });
  });

  beforeEach(() => restoreBlog(blog));

  after(() => blog.orm.close());

  const cases = [
    ...Object.entries(THERE).map(([name, ask]) => ({ name, ask, there: true })),
    ...Object.entries(NOT_THERE).map(([name, ask]) => ({ name, ask, there: false })),
  ];
  for (const { name, ask, there } of cases) {
    it(`gives whether a row exists, from the cache too: ${name}, ${there}`, async () => {
      const answers: boolean[] = [];
      const reads = await readsOf(blog.cache, async () => {
        answers.push(await ask(blog.orm.em.fork()));
        await blog.cache.idle();
        answers.push(await ask(blog.orm.em.fork()));
        answers.push(await blog.cache.disabled(() => ask(blog.orm.em.fork())));
      });
      expect(answers).to.deep.equal([there, there, there]);
      expect(reads.map(({ op, source }) => `${op} ${source}`)).to.deep.equal([
        'exists database',
        'exists cache',
        'exists database',
      ]);
    });
  }

  it('gives another result after inserts and deletes', async () => {
    const ask: Ask = em => em.exists(Tag, { name: 'pink' });
    for (const [write, there] of [
      [(em: EntityManager) => em.insert(Tag, { id: 9, name: 'pink' } as never), true],
      [(em: EntityManager) => em.nativeDelete(Tag, { id: 9 }), false],
    ] as const) {
      expect(await ask(blog.orm.em.fork())).to.equal(!there);
      await blog.cache.idle();
      await write(blog.orm.em.fork());
      expect(await ask(blog.orm.em.fork())).to.equal(there);
      await blog.cache.idle();
    }
  });

  it('shares no entry with count()', async () => {
    for (let i = 0; i < 2; i++) {
      const em = blog.orm.em.fork();
      expect([await em.exists(Article, { author: 1 }), await em.count(Article, { author: 1 })]).to.deep.equal(
        [true, 2],
      );
      await blog.cache.idle();
    }
  });

  it('loads no row, and lets the database stop at the first', async () => {
    const em = blog.orm.em.fork();
    const sent: string[] = [];
    const connection = em.getConnection();
    const { executeQuery } = connection as never as { executeQuery: (...args: unknown[]) => unknown };
    Object.assign(connection, {
      executeQuery(...args: unknown[]) {
        sent.push(String(args[0]));
        return executeQuery.apply(this, args);
      },
    });
    try {
      await em.getRepository(Article).nocache().exists({ author: 1 });
    } finally {
      delete (connection as never as { executeQuery?: unknown }).executeQuery;
    }
    expect(em.getUnitOfWork().getIdentityMap().keys()).to.have.lengthOf(0);
    expect(sent).to.have.lengthOf(1);
    expect(sent[0]).to.match(/^select 1 as found .* limit (1|\?)$/);
  });

  it('is cached if the profile has the op exists', async () => {
    const manual = await join({ entities, cacheops: { profiles: { Tag: { ops: 'exists', timeout: 60 } } } });
    try {
      const reads = await readsOf(manual.cache, async () => {
        await manual.orm.em.fork().exists(Tag);
        await manual.cache.idle();
        await manual.orm.em.fork().exists(Tag);
        await manual.orm.em.fork().count(Tag);
        await manual.orm.em.fork().exists(Tag, {}, { cacheops: false });
      });
      expect(reads.map(({ reason, source }) => reason ?? source)).to.deep.equal([
        'miss',
        'cache',
        'ops',
        'call',
      ]);
    } finally {
      await manual.orm.close();
    }
  });
});
