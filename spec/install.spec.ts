import { MikroORM as CoreORM, defineEntity, p } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/pglite';
import { AbstractSqlConnection, AbstractSqlDriver, AbstractSqlPlatform, Kysely } from '@mikro-orm/sql';
import { expect } from 'chai';
import { PGliteDialect } from 'kysely';
import { Article, Author, entities, Tag } from '../fixtures/legacy/index.js';
import { Cached, CacheopsError, cacheops, getCacheops, MemoryStore, StoreError } from '../lib/index.js';
import { createBlog } from './orm/support/blog.js';
import { embedded } from './orm/support/embedded.js';
import { sourcesOf } from './orm/support/observe.js';
import { join, type Started } from './orm/support/start.js';
import { startRedis } from './support/redis.js';
import { until } from './support/until.js';

class OtherPlatform extends AbstractSqlPlatform {}

class OtherConnection extends AbstractSqlConnection {
  override createKyselyDialect(): never {
    throw new Error('not asked for');
  }
}

class OtherDriver extends AbstractSqlDriver {
  constructor(config: never) {
    super(config, new OtherPlatform(), OtherConnection, []);
  }
}

describe('the extension', () => {
  beforeEach(createBlog);

  const tags = ({ orm }: Started) => orm.em.fork().find(Tag, {});

  it('refuses a database that is not PostgreSQL', async () => {
    const error = await CoreORM.init({
      driver: OtherDriver as never,
      dbName: 'x',
      entities: [Tag],
      extensions: [cacheops()],
    }).catch(reason => reason);
    expect(error).to.be.instanceOf(CacheopsError);
    expect(error.message).to.equal(
      'cacheops(): OtherDriver is not supported. Use @mikro-orm/postgresql or @mikro-orm/pglite.',
    );
  });

  describe('with a connection of the user', () => {
    const dialect = () => new PGliteDialect({ pglite: unclosable });

    /** Who is given a database must not close that of all other specs. */
    async function unclosable(): Promise<any> {
      const pglite = await embedded();
      return {
        query: pglite.query.bind(pglite),
        transaction: pglite.transaction.bind(pglite),
        close: async () => {},
        closed: false,
        ready: true,
        waitReady: pglite.waitReady,
      };
    }

    it('refuses a Kysely instance, whose transactions it would not see', async () => {
      for (const driverOptions of [
        new Kysely({ dialect: dialect() }),
        () => new Kysely({ dialect: dialect() }),
      ]) {
        const error = await join({ entities, driverOptions })
          .then(({ orm }) => orm.connect())
          .catch(reason => reason);
        expect(error).to.be.instanceOf(Error);
        expect(error.message).to.include('driverOptions is a Kysely instance');
      }
    });

    for (const [form, driverOptions] of Object.entries({ itself: dialect(), 'of a function': dialect })) {
      it(`watches a dialect ${form}`, async () => {
        const started = await join({ entities, driverOptions });
        try {
          await tags(started);
          await started.cache.idle();
          expect(await sourcesOf(started.cache, () => tags(started))).to.deep.equal(['cache']);
          const em = started.orm.em.fork();
          em.create(Tag, { name: 'new' });
          await em.flush();
          expect(await tags(started)).to.have.length(4);
          await em.execute(`delete from tag where name = 'new'`);
          expect(await tags(started)).to.have.length(3);
        } finally {
          await started.orm.close();
        }
      });
    }
  });

  it('closes its store with the ORM, after all work in the background', async () => {
    const orm = await MikroORM.init({
      driverOptions: { pglite: embedded },
      metadataProvider: ReflectMetadataProvider,
      entities,
      extensions: [cacheops()],
    });
    const cache = getCacheops(orm);
    const errors: unknown[] = [];
    cache.events.on('error', event => errors.push(event));
    await orm.em.fork().find(Tag, {});
    const closing = orm.close();
    await closing;
    expect(cache.stats().fills).to.equal(1);
    expect(errors).to.deep.equal([]);
    await cache.close();
  });

  it("does not close the user's own store", async () => {
    const store = new MemoryStore();
    const started = await join({ entities, cacheops: { store } });
    await started.orm.close();
    expect(await store.schemes('any')).to.deep.equal([]);
    await store.close();
    expect(await store.schemes('any').catch(error => error)).to.be.instanceOf(StoreError);
  });

  it('works again when the ORM is connected again', async () => {
    const started = await join({ entities });
    try {
      await tags(started);
      await started.cache.idle();
      await started.orm.reconnect();
      expect(await sourcesOf(started.cache, () => tags(started))).to.deep.equal(['cache']);
      const em = started.orm.em.fork();
      (await em.findOneOrFail(Tag, 1)).name = 'crimson';
      await em.flush();
      expect((await tags(started)).map(({ name }) => name)).to.include('crimson');
      expect(started.cache.stats().errors).to.equal(0);
    } finally {
      await started.orm.close();
    }
  });

  describe('tells mistakes of its configuration at init', () => {
    /** What an ORM logs without the option debug, also while it reads. */
    async function logged(options: object, read?: (orm: MikroORM) => Promise<unknown>): Promise<string[]> {
      const lines: string[] = [];
      const { orm } = await join({ entities, colors: false, logger: line => lines.push(line), ...options });
      try {
        await read?.(orm);
        return lines;
      } finally {
        await orm.close();
      }
    }

    const Plain = defineEntity({ name: 'Plain', properties: { id: p.integer().primary() } });
    const warnings: Readonly<Record<string, readonly [object, RegExp]>> = {
      'a pattern that matches nothing': [
        { cacheops: { defaults: { timeout: 60 }, profiles: { 'Nws*': {} } } },
        /profiles\['Nws\*'\]: this pattern matches no entity/,
      ],
      'a timeout over 30 days': [
        { cacheops: { profiles: { Tag: { timeout: 3_600_000 } } } },
        /Tag: timeout: 3600000 seconds are 42 days\. Is it in milliseconds\?/,
      ],
      'defaults without profiles': [
        { entities: [Plain], cacheops: { defaults: { ops: 'all', timeout: 60 } } },
        /defaults complete profiles, and no entity has one: nothing is cached\./,
      ],
    };
    for (const [what, [options, message]] of Object.entries(warnings)) {
      it(`with a warning: ${what}`, async () => {
        const lines = await logged(options);
        expect(lines).to.have.length(1);
        expect(lines[0]).to.match(message);
      });
    }

    it("with a warning, once: MikroORM's own result cache is used", async () => {
      const lines = await logged({}, async orm => {
        await orm.em.fork().find(Tag, {}, { cache: 50 });
        await orm.em.fork().find(Tag, {}, { cache: 50 });
      });
      expect(lines).to.have.length(1);
      expect(lines[0]).to.include("MikroORM's own result cache");
      expect(
        await logged({ resultCache: { global: 50 } }, orm => orm.em.fork().find(Tag, {})),
      ).to.have.length(1);
      expect(await logged({}, orm => orm.em.fork().find(Tag, {}))).to.deep.equal([]);
    });

    it('with a warning, once each: the store is not available, and is available again', async () => {
      await using redis = await startRedis();
      await redis.kill9();
      const options = { store: undefined, redis: redis.url, retryAfter: 20, storeTimeout: 2000 };
      const lines: string[] = [];
      const { orm } = await join({
        entities,
        colors: false,
        logger: line => lines.push(line),
        cacheops: options,
      });
      const read = () => orm.em.fork().find(Tag, {});
      try {
        await read();
        await read();
        expect(lines).to.have.length(1);
        expect(lines[0]).to.include('the store is not available, and reads go to the database');
        expect(lines[0]).to.include(`127.0.0.1:${redis.port}`);
        await redis.restart();
        await until(async () => (await read()) && lines.length > 1);
        await read();
        expect(lines).to.have.length(2);
        expect(lines[1]).to.include('the store is available again');
      } finally {
        await orm.close();
      }
    });

    it('with a warning, once: the server lacks the database of the URL', async () => {
      await using redis = await startRedis();
      const lines = await logged({ cacheops: { store: undefined, redis: `${redis.url}/99` } }, async orm => {
        await orm.em.fork().find(Tag, {});
        await orm.em.fork().find(Tag, {});
      });
      expect(lines).to.have.length(1);
      expect(lines[0]).to.match(/the store is not available.*database 99 cannot be selected/);
    });

    it('with an error, once: @Cached() is on a class that is no entity', async () => {
      @Cached({ timeout: 60 })
      class Service {}

      const init = () => join({ entities: [Plain] });
      expect(await init().catch(error => error))
        .to.be.instanceOf(CacheopsError)
        .with.property('message')
        .that.matches(/^@Cached\(\) on Service: it belongs on an entity's class/);
      expect(Service).to.be.a('function');
      await (await init()).orm.close();
    });

    it('with an error: the extension is there twice, or was not called', async () => {
      const init = (extensions: unknown[]) =>
        MikroORM.init({
          driverOptions: { pglite: embedded },
          entities: [Plain],
          extensions: extensions as never,
        }).catch(reason => reason);
      expect((await init([cacheops(), cacheops()])).message).to.equal(
        'extensions: cacheops() is there twice. Leave one of them out.',
      );
      expect((await init([cacheops])).message).to.equal(
        'extensions: [cacheops]: the parentheses are missing. Write cacheops().',
      );
    });
  });

  it('gives each ORM a cache of its own', async () => {
    const extension = cacheops();
    const options = {
      driverOptions: { pglite: embedded },
      metadataProvider: ReflectMetadataProvider,
      entities,
    };
    const [one, two] = await Promise.all(
      [1, 2].map(() => MikroORM.init({ ...options, extensions: [extension] })),
    );
    expect(getCacheops(one!)).not.to.equal(getCacheops(two!));
    await one!.em.fork().find(Tag, {});
    await getCacheops(one!).idle();
    expect(await sourcesOf(getCacheops(two!), () => two!.em.fork().find(Tag, {}))).to.deep.equal(['miss']);
    await one!.close();
    expect(await sourcesOf(getCacheops(two!), () => two!.em.fork().find(Tag, {}))).to.deep.equal(['cache']);
    await two!.close();
  });

  it('serves entities that are discovered late', async () => {
    const started = await join({ entities: [Tag, Article, Author] });
    try {
      const Late = defineEntity({
        name: 'Late',
        tableName: 'tag',
        cacheops: { ops: 'all', timeout: 60 },
        properties: { id: p.integer().primary(), name: p.string() },
      });
      started.orm.config.get('discovery').checkDuplicateTableNames = false;
      await started.orm.discoverEntity(Late);
      const read = () => started.orm.em.fork().find(Late, { name: 'red' });
      await read();
      await started.cache.idle();
      expect(await sourcesOf(started.cache, read)).to.deep.equal(['cache']);
      await started.orm.em.fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
      expect(await read()).to.deep.equal([]);
    } finally {
      await started.orm.close();
    }
  });

  it('keeps the user’s subscribers, EntityManager and repositories', async () => {
    const heard: string[] = [];
    const started = await join({
      entities,
      subscribers: [
        {
          afterFlush: async () => void heard.push('flush'),
          afterTransactionCommit: async () => void heard.push('commit'),
        },
      ],
    });
    try {
      const em = started.orm.em.fork();
      em.create(Tag, { name: 'new' });
      await em.flush();
      expect(heard).to.deep.equal(['commit', 'flush']);
      expect(em.constructor.name).to.equal('BasePostgreSqlEntityManager');
    } finally {
      await started.orm.close();
    }
  });

  it('invalidates what handlers of the user write', async () => {
    const started = await join({
      entities,
      subscribers: [
        {
          async beforeTransactionCommit({ em }) {
            await (em as Started['orm']['em']).execute(
              `update tag set name = 'late' where id = 1`,
              [],
              'run',
              em.getTransactionContext(),
            );
          },
        },
      ],
    });
    try {
      const red = () => started.orm.em.fork().find(Tag, { name: 'red' });
      expect(await red()).to.have.length(1);
      await started.cache.idle();
      const em = started.orm.em.fork();
      em.create(Author, { name: 'Cy', email: 'cy' });
      await em.flush();
      expect(await red()).to.deep.equal([]);
    } finally {
      await started.orm.close();
    }
  });
});
