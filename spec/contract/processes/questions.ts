import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { Article, Author, Sample } from './schema.js';

type EM = SqlEntityManager;

/** A query, and a transaction that changes its answer. Both are about row `n`. */
export interface Question {
  ask(em: EM, n: number): Promise<unknown>;
  change(em: EM, n: number): Promise<unknown>;
}

const inCategory = (em: EM, category: number) => titles(em.find(Article, { category }));

export const questions: Readonly<Record<string, Question>> = {
  'rows when one is edited': {
    ask: (em, n) => inCategory(em, n),
    change: async (em, n) => {
      const article = await em.findOneOrFail(Article, n);
      article.title = 'new';
      await em.flush();
    },
  },

  'rows when one stops matching': {
    ask: (em, n) => inCategory(em, n),
    change: async (em, n) => {
      // without loading it
      em.getReference(Article, n).category = -n;
      await em.flush();
    },
  },

  'rows when one is deleted': {
    ask: (em, n) => inCategory(em, n),
    change: (em, n) => em.nativeDelete(Article, { id: n }),
  },

  'no rows until one matches': {
    ask: (em, n) => inCategory(em, -n),
    change: (em, n) => em.nativeUpdate(Article, { category: n }, { category: -n }),
  },

  'no rows until one is inserted': {
    ask: (em, n) => inCategory(em, -n),
    change: async (em, n) => {
      em.create(Article, { id: -n, category: -n, title: 'new', version: 1, author: n });
      await em.flush();
    },
  },

  'one of several categories': {
    ask: (em, n) => titles(em.find(Article, { $or: [{ category: { $in: [-n, 0] } }, { category: n }] })),
    change: (em, n) => em.upsert(Article, { id: n, category: n, title: 'new', version: 2, author: n }),
  },

  'one row by its key': {
    ask: async (em, n) => (await em.findOne(Article, n))?.title,
    change: (em, n) =>
      em.transactional(async inner => {
        const article = await inner.findOneOrFail(Article, n);
        article.title = 'new';
        await inner.flush();
        // read back in the transaction; other readers must not see it
        await inner.find(Article, { category: n });
      }),
  },

  'a row that does not exist yet': {
    ask: async (em, n) => (await em.findOne(Author, -n))?.name ?? 'none',
    change: (em, n) => em.insert(Author, { id: -n, name: 'new' }),
  },

  'a count': {
    ask: (em, n) => em.count(Article, { category: n, title: 'old' }),
    change: (em, n) => em.createQueryBuilder(Article).update({ title: 'new' }).where({ id: n }).execute(),
  },

  'a joined row': {
    ask: async (em, n) => {
      const found = await em.find(Article, { category: n }, { populate: ['author'], strategy: 'joined' });
      return found.map(({ author }) => author.unwrap().name);
    },
    change: async (em, n) => {
      em.getReference(Author, n).name = 'new';
      await em.flush();
    },
  },

  'rows by a joined one': {
    ask: (em, n) => titles(em.find(Article, { author: { name: `renamed ${n}` } })),
    change: (em, n) =>
      em.getConnection().execute('update "author" set "name" = ? where "id" = ?', [`renamed ${n}`, n]),
  },

  'rows read in a transaction': {
    ask: (em, n) => em.transactional(inner => titles(inner.find(Article, { category: n }))),
    change: (em, n) =>
      em.transactional(async outer => {
        await outer.nativeUpdate(Article, n, { title: 'newer' });
        await outer.transactional(inner => inner.nativeUpdate(Article, n, { title: 'new' }));
      }),
  },

  'a query of a new shape': {
    ask: async (em, n) => (await em.find(Sample, newShape(n))).map(({ version }) => version),
    change: (em, n) => em.nativeUpdate(Sample, n, { version: 2 }),
  },
};

async function titles(found: Promise<{ id: number; title: string }[]>): Promise<string[]> {
  return (await found).map(({ id, title }) => `${id} ${title}`).sort();
}

/** A condition on the columns whose bits are set in a number: 127 shapes. */
function newShape(n: number): Record<string, number> {
  const bits = 1 + (n % 127);
  return Object.fromEntries([...'abcdefg'].filter((_, i) => bits & (1 << i)).map(column => [column, n]));
}
