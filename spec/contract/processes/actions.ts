import { LockMode, raw, type SqlEntityManager } from '@mikro-orm/postgresql';
import { Article, Author } from './schema.js';

type Action = (em: SqlEntityManager, n: number) => Promise<unknown>;

/** Repeatable changes to row `n`, by various kinds of statements. */
export const actions: Readonly<Record<string, Action>> = {
  'edit by the unit of work': (em, n) =>
    em.transactional(async inner => {
      const article = await inner.findOneOrFail(Article, n, { lockMode: LockMode.PESSIMISTIC_WRITE });
      article.version++;
      await inner.flush();
    }),

  'move to another category': (em, n) =>
    em.nativeUpdate(Article, n, { category: raw('-category'), version: raw('version + 1') }),

  'edit in raw SQL': (em, n) =>
    em.getConnection().execute('update article set version = version + 1 where author_id = ?', [n]),

  'edit through a rule': (em, n) =>
    em.getConnection().execute('update edition set version = 0 where id = ?', [n]),

  'move through a rule': (em, n) => em.getConnection().execute('delete from edition where id = ?', [n]),

  'insert, or delete': (em, n) =>
    em.transactional(async inner => {
      if ((await inner.nativeDelete(Article, -n)) === 0) {
        inner.create(Article, { id: -n, category: n, title: 'another', version: 1, author: n });
        await inner.flush();
      }
    }),

  'upsert the author': (em, n) => em.upsert(Author, { id: n, name: `new ${crypto.randomUUID()}` }),

  'rename the author, and back': (em, n) =>
    em.transactional(async inner => {
      const author = await inner.findOneOrFail(Author, n, { lockMode: LockMode.PESSIMISTIC_WRITE });
      author.name = author.name === 'old' ? 'renamed' : 'old';
      await inner.flush();
    }),
};
