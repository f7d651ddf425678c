import type { EntityManager } from '@mikro-orm/postgresql';
import { Article, AUTHORS, CATEGORIES, PER_AUTHOR, PER_CATEGORY } from './article.js';

/** One kind of query, about one of many keys. */
export interface Query {
  readonly name: string;
  /** how many different keys there are, from 0 */
  readonly keys: number;
  /** how often it is asked in a row */
  readonly batch: number;
  /** @throws Error if the answer is wrong */
  ask(em: EntityManager, key: number): Promise<void>;
}

export const findOne: Query = {
  name: '`findOne` by key',
  keys: AUTHORS,
  batch: 20,
  async ask(em, key) {
    const id = 1 + key * PER_AUTHOR;
    const article = await em.findOne(Article, { id });
    expectSame(article?.title, `Article number ${id}`);
  },
};

export const queries: readonly Query[] = [
  findOne,
  {
    name: `\`find\`, ${PER_AUTHOR} rows`,
    keys: AUTHORS,
    batch: 20,
    async ask(em, author) {
      const articles = await em.find(Article, { author });
      expectSame(articles.length, PER_AUTHOR);
    },
  },
  {
    name: `\`find\`, ${PER_CATEGORY} rows`,
    keys: CATEGORIES,
    batch: 10,
    async ask(em, category) {
      const articles = await em.find(Article, { category });
      expectSame(articles.length, PER_CATEGORY);
    },
  },
  {
    name: '`count`',
    keys: AUTHORS,
    batch: 20,
    async ask(em, author) {
      expectSame(await em.count(Article, { author }), PER_AUTHOR);
    },
  },
];

function expectSame(found: unknown, expected: unknown): void {
  if (found !== expected) {
    throw new Error(`A query gave ${found} in place of ${expected}.`);
  }
}
