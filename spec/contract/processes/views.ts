import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { Article, Author } from './schema.js';

type EM = SqlEntityManager;
type Found = Promise<{ id: number; version: number; category: number }[]>;

/** Queries about row `n`, of various kinds: some of the `actions` change the answer of each. */
export const views: Readonly<Record<string, (em: EM, n: number) => Promise<unknown>>> = {
  'one by its key': async (em, n) => (await em.findOne(Article, n))?.version,
  'one by a key that may be missing': async (em, n) => (await em.findOne(Article, -n))?.version ?? 'none',
  'those of a category': (em, n) => listed(em.find(Article, { category: n })),
  'those of another category': (em, n) => listed(em.find(Article, { category: -n })),
  'those of some categories': (em, n) =>
    listed(em.find(Article, { $or: [{ category: { $in: [n, 0] } }, { category: -n, version: { $gt: 1 } }] })),
  'a count': (em, n) => em.count(Article, { category: n }),
  'a count by version': (em, n) => em.count(Article, { category: { $in: [n, -n] }, version: { $gte: 2 } }),
  'the latest of an author': async (em, n) =>
    (await em.find(Article, { author: n }, { orderBy: { version: 'desc', id: 'asc' }, limit: 1 })).map(
      ({ id, version }) => `${id} ${version}`,
    ),
  'with their author': async (em, n) =>
    (await em.find(Article, { author: n }, { populate: ['author'], strategy: 'joined' }))
      .map(({ id, version, author }) => `${id} ${version} ${author.unwrap().name}`)
      .sort(),
  'by the name of their author': (em, n) => listed(em.find(Article, { author: { name: 'old', id: n } })),
  'an author': async (em, n) => (await em.findOne(Author, n))?.name,
};

async function listed(found: Found): Promise<string[]> {
  return (await found).map(({ id, version, category }) => `${id} ${version} ${category}`).sort();
}
