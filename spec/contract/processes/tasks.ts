import { LockMode, raw, type SqlEntityManager } from '@mikro-orm/postgresql';
import { getCacheops } from '../../../lib/index.js';
import { actions } from './actions.js';
import { audit } from './audit.js';
import { sourced } from './open.js';
import { questions } from './questions.js';
import { Article } from './schema.js';

type EM = SqlEntityManager;
type Task = (em: EM, ...args: any[]) => Promise<unknown>;

export interface Answer {
  readonly answer: unknown;
  readonly hit: boolean;
  /** milliseconds */
  readonly took: number;
}

/** A row's version, as a read returned it. */
export interface Sight {
  readonly id: number;
  readonly way: string;
  readonly version: number;
  readonly hit: boolean;
  /** milliseconds */
  readonly took: number;
}

/** The tasks of a process, with arguments and answers as JSON. */
export const tasks: Readonly<Record<string, Task>> = {
  ask: (em, question: string, n: number): Promise<Answer> => sourced(() => questions[question]!.ask(em, n)),

  async change(em, question: string, n: number) {
    await questions[question]!.change(em, n);
  },

  look,

  /** Reads several rows in several ways. */
  lookAtAll: (em, ways: readonly string[], ids: readonly number[]): Promise<Sight[]> =>
    Promise.all(ids.flatMap(id => ways.map(way => look(em.fork(), way, id)))),

  /** Writes the next version of a row, and returns it once it is committed. */
  bump: (em, way: string, id: number) => BUMPS[way]!(em, id),

  /** Changes a row. */
  async alter(em, action: string, id: number) {
    await actions[action]!(em, id);
  },

  /** Changes a row, in a transaction that another process may end. */
  async prepare(em, name: string, id: number) {
    const inner = em.fork();
    await inner.begin();
    await actions['move to another category']!(inner, id);
    await inner.execute(`prepare transaction '${name}'`);
    await inner.commit(); // the connection goes back to the pool
  },

  /** Commits the prepared transaction. */
  async decide(em, name: string) {
    await em.getConnection().execute(`commit prepared '${name}'`);
  },

  /** Closes the cache as at the end of a program. */
  close: async em => {
    await getCacheops(em).close();
  },

  audit,

  /** Whether the store is usable, tested with a query that has no rows. */
  ping: async em => (await sourced(() => em.find(Article, { id: 0 }))).hit,
};

/** Reads of a row's version by various queries. */
const WAYS: Readonly<Record<string, (em: EM, id: number) => Promise<{ version: number }>>> = {
  'by key': (em, id) => em.findOneOrFail(Article, id),
  'by category': async (em, id) => (await em.find(Article, { category: id }))[0]!,
  joined: async (em, id) =>
    (await em.find(Article, { author: id }, { populate: ['author'], strategy: 'joined' }))[0]!,
};

export const ways: readonly string[] = Object.keys(WAYS);

async function look(em: EM, way: string, id: number): Promise<Sight> {
  const { answer, hit, took } = await sourced(() => WAYS[way]!(em, id));
  return { id, way, version: answer.version, hit, took };
}

const BUMPS: Readonly<Record<string, (em: EM, id: number) => Promise<number>>> = {
  'by the unit of work': (em, id) =>
    em.transactional(async inner => {
      const article = await inner.findOneOrFail(Article, id, { lockMode: LockMode.PESSIMISTIC_WRITE });
      article.version++;
      await inner.flush();
      return article.version;
    }),

  natively: (em, id) =>
    em.transactional(async inner => {
      await inner.nativeUpdate(Article, id, { version: raw('version + 1') });
      return (await inner.findOneOrFail(Article, id)).version;
    }),

  'in raw SQL': async (em, id) => {
    const [row] = await em
      .getConnection()
      .execute<{ version: number }[]>(
        'update article set version = version + 1 where id = ? returning version',
        [id],
      );
    return row!.version;
  },
};

export const bumps: readonly string[] = Object.keys(BUMPS);
