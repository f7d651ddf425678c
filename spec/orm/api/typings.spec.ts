import {
  type EntityManager,
  EntityRepository,
  EntityRepositoryType,
  type Loaded,
  type MikroORM,
  type Ref,
} from '@mikro-orm/core';
import {
  EntityRepository as PostgresRepository,
  type EntityManager as SqlEntityManager,
} from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Article, Author } from '../../../fixtures/legacy/index.js';
import {
  CachedRepository,
  type Cacheops,
  type CacheopsEvents,
  type CacheopsStats,
  cacheops,
  getCacheops,
} from '../../../lib/index.js';

type Is<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Does not compile unless it is so. */
function is<_True extends true>(): void {}

class Articles extends EntityRepository<Article> {
  drafts(): Promise<Article[]> {
    return this.find({ status: 'draft' });
  }
}

/** As in MikroORM's guide: another exists(). */
class Users extends PostgresRepository<User> {
  async exists(email: string): Promise<boolean> {
    return (await this.count({ email })) > 0;
  }
}

class User {
  [EntityRepositoryType]?: Users;
  id!: number;
  email!: string;
}

class Sessions extends EntityRepository<Session> {
  constructor(
    em: EntityManager,
    private readonly cache: Map<number, Session>,
  ) {
    super(em, Session);
  }

  size(): number {
    return this.cache.size;
  }
}

class Session {
  [EntityRepositoryType]?: Sessions;
  id!: number;
}

class Authors extends CachedRepository<Author> {
  byName(name: string): Promise<Author | null> {
    return this.findOne({ name });
  }
}

/** Never called: it is the compiler that checks it. */
async function program(em: EntityManager, sql: SqlEntityManager, orm: MikroORM): Promise<void> {
  // calls
  await em.find(Article, { id: 1 }, { cacheops: false });
  await em.find(
    Article,
    { id: 1 },
    { cacheops: true, populate: ['author'], fields: ['title', 'author.name'] },
  );
  await em.findOne(Article, 1, { cacheops: { timeout: 60 } });
  await em.findOneOrFail(Article, 1, { cacheops: { ops: 'get' } });
  await em.findAll(Article, { cacheops: { ops: ['fetch', 'count'], timeout: 1 } });
  await em.findAndCount(Article, {}, { cacheops: { ops: 'all' } });
  await em.findByCursor(Article, { first: 1, orderBy: { id: 'asc' }, cacheops: true });
  await em.count(Article, {}, { cacheops: { ops: 'count' } });
  await sql.find(Article, {}, { cacheops: true });
  // @ts-expect-error no such op
  await em.find(Article, {}, { cacheops: { ops: 'gets' } });
  // @ts-expect-error no such option
  await em.find(Article, {}, { cacheops: { timeouts: 1 } });
  // @ts-expect-error seconds are a number
  await em.count(Article, {}, { cacheops: { timeout: '60' } });
  // @ts-expect-error neither
  await em.findOne(Article, 1, { cacheops: 'yes' });

  // what a call gives is typed as without the option
  const loaded = await em.find(Article, {}, { populate: ['author'], cacheops: true });
  is<Is<typeof loaded, Loaded<Article, 'author'>[]>>();
  const name: string = loaded[0]!.author.$.name;
  const count: number = await em.getRepository(Article).cache().count();

  // scopes
  const repository = em.getRepository(Article);
  const scoped = repository.cache({ ops: ['count'], timeout: 60 });
  is<Is<typeof scoped, typeof repository>>();
  const [articles, total] = await scoped.findAndCount({ status: 'published' }, { populate: ['tags'] });
  is<Is<typeof articles, Loaded<Article, 'tags'>[]>>();
  is<Is<typeof total, number>>();
  await repository.nocache().findOneOrFail(1, { cacheops: true });
  repository.cache(true);
  // @ts-expect-error that is nocache()
  repository.cache(false);
  // @ts-expect-error no such op
  repository.cache({ ops: ['gets'] });
  // @ts-expect-error it takes nothing
  repository.nocache(true);

  // repositories of one's own
  const ownRepository = em.getRepository<Article, Articles>(Article);
  const drafts = await ownRepository.cache().nocache().drafts();
  is<Is<typeof drafts, Article[]>>();
  const author = await new Authors(em as never, Author).cache({ timeout: 5 }).nocache().byName('Ann');
  is<Is<typeof author, Author | null>>();

  const users = sql.getRepository(User);
  const found: boolean = await users.exists('ann@example.com');
  // @ts-expect-error its own method wins
  await users.exists({ email: 'ann@example.com' });
  const [user] = await users.cache({ timeout: 5 }).nocache().find({ email: 'ann@example.com' });
  const email: string | undefined = user?.email;
  const sessions: number = sql.getRepository(Session).size();
  await sql.repo(Article).cache().exists({ status: 'draft' });
  expect([found, email, sessions]).to.have.length(3);

  // the handle
  const handle = getCacheops(orm);
  is<Is<typeof handle, Cacheops>>();
  is<Is<typeof handle.events, CacheopsEvents>>();
  is<Is<ReturnType<typeof handle.stats>, CacheopsStats>>();
  getCacheops(em);
  getCacheops(sql);
  handle.events.on('read', ({ entity, op, source, reason, duration }) => {
    is<Is<typeof source, 'cache' | 'database'>>();
    return [entity, op, reason?.length, duration];
  });
  // @ts-expect-error no such event
  handle.events.on('reads', () => {});
  await handle.invalidateObject(loaded[0]!);
  await handle.invalidateModel(Article);
  const inner = await handle.noInvalidation(() => em.find(Author, {}));
  is<Is<typeof inner, Loaded<Author, never>[]>>();
  const reference: Ref<Author> = handle.disabled(() => loaded[0]!.author);
  expect([name, count, reference]).to.have.length(3);

  // the extension
  cacheops();
  cacheops({
    profiles: { User: { ops: 'get', timeout: 900 }, 'News*': {}, Secret: null },
    defaults: { timeout: 60 },
  });
  cacheops({
    redis: 'redis://127.0.0.1',
    prefix: ({ entity, tables, database }) => `${entity}${tables[0]}${database}`,
  });
  // @ts-expect-error no such option
  cacheops({ profile: {} });
}

describe('the types', () => {
  it('the program above compiles', () => {
    expect(program).to.be.a('function');
  });
});
