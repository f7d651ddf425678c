import { randomUUID } from 'node:crypto';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import type { MikroORM as EmbeddedORM } from '@mikro-orm/pglite';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import sinon from 'sinon';
import { entities, Tag } from '../fixtures/legacy/index.js';
import { type CacheopsOptions, cachedAs, cacheops, getCacheops, MemoryStore } from '../lib/index.js';
import { startBlog } from './orm/support/blog.js';
import { sourcesOf } from './orm/support/observe.js';
import { gate } from './support/gate.js';
import { freshDatabase, redisUrl } from './support/servers.js';
import { until } from './support/until.js';

describe('the cache of an ORM that is closed', () => {
  let url: string;
  const orms: MikroORM[] = [];

  before(async () => {
    url = await freshDatabase('lifetime');
    const orm = await open({});
    await orm.schema.create();
  });

  afterEach(() => Promise.all(orms.splice(0).map(orm => orm.close())));

  async function open(options: CacheopsOptions, more: { pool?: { max: number } } = {}): Promise<MikroORM> {
    const orm = await MikroORM.init({
      clientUrl: url,
      entities,
      metadataProvider: ReflectMetadataProvider,
      ...more,
      extensions: [cacheops({ storeTimeout: 10_000, ...options })],
    });
    orms.push(orm);
    return orm;
  }

  const read = (orm: MikroORM) => sourcesOf(getCacheops(orm), () => orm.em.fork().find(Tag, {}));

  /** What is written is seen, and what is read is cached. */
  async function expectAlive(orm: MikroORM, errors: unknown[]): Promise<void> {
    const name = randomUUID();
    await orm.em.fork().insert(Tag, { name });
    await until(async () => (await read(orm)).every(source => source === 'cache'));
    const tags = await orm.em.fork().find(Tag, {});
    expect(tags.map(tag => tag.name)).to.include(name);
    expect(errors).to.deep.equal([]);
  }

  const backends: Record<string, () => Promise<CacheopsOptions>> = {
    'in memory': async () => ({}),
    'in Redis': async () => ({ redis: await redisUrl(), prefix: `spec:${randomUUID()}:` }),
    'in a store of its owner': async () => ({ store: new MemoryStore() }),
  };
  for (const [where, backend] of Object.entries(backends)) {
    for (const onStoreFailure of ['degrade', 'throw'] as const) {
      const ways: Record<string, (orm: MikroORM) => Promise<unknown>> = {
        'is closed and connected': async orm => {
          await orm.close();
          await orm.connect();
        },
        'is closed and used': orm => orm.close(),
        'is reconnected': orm => orm.reconnect(),
        'is closed twice and connected twice': async orm => {
          await Promise.all([orm.close(), orm.close()]);
          await orm.close();
          await orm.connect();
          await orm.close();
          await orm.connect();
        },
        'is reconnected after its cache was closed': async orm => {
          await getCacheops(orm).close();
          await orm.reconnect();
        },
      };
      for (const [way, again] of Object.entries(ways)) {
        it(`works again when the ORM ${way}, ${where} (${onStoreFailure})`, async () => {
          const orm = await open({ ...(await backend()), onStoreFailure });
          const errors: unknown[] = [];
          getCacheops(orm).events.on('error', ({ error }) => errors.push(error));
          await expectAlive(orm, errors);
          await again(orm);
          await expectAlive(orm, errors);
        });
      }
    }
  }

  for (const onStoreFailure of ['degrade', 'throw'] as const) {
    it(`invalidates for writes of an ORM that stays connected (${onStoreFailure})`, async () => {
      const backend = { redis: await redisUrl(), prefix: `spec:${randomUUID()}:` };
      const [orm, other] = [await open({ ...backend, onStoreFailure }), await open(backend)];
      await expectAlive(other, []);
      await getCacheops(orm).close();
      const name = randomUUID();
      await orm.em.fork().insert(Tag, { name });
      expect((await other.em.fork().find(Tag, {})).map(tag => tag.name)).to.include(name);
      await expectAlive(orm, []);
    });
  }

  for (const lock of [false, true]) {
    it(`can be closed while a function hangs${lock ? ' that others wait for' : ''}`, async () => {
      const orm = await open({});
      await orm.em.fork().count(Tag);
      const hanging = gate();
      const clock = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      try {
        const fn = cachedAs(Tag, { name: randomUUID(), lock })(async (_em: EntityManager) => hanging.pass());
        const given = fn(orm.em.fork());
        await hanging.reached;
        let isClosed = false;
        const closing = orm.close().then(() => {
          isClosed = true;
        });
        await until(async () => {
          await clock.tickAsync(1000);
          return isClosed;
        });
        hanging.open();
        await Promise.all([closing, given]);
      } finally {
        clock.restore();
      }
    });
  }

  it('can be closed without having been connected', async () => {
    const orm = await open({ redis: await redisUrl(), prefix: `spec:${randomUUID()}:` });
    const errors: unknown[] = [];
    getCacheops(orm).events.on('error', ({ error }) => errors.push(error));
    await orm.close();
    await orm.close();
    expect(errors).to.deep.equal([]);
  });

  it('announces one close event each time', async () => {
    const orm = await open({});
    let ends = 0;
    getCacheops(orm).events.on('close', () => {
      ends++;
    });
    await Promise.all([orm.close(), getCacheops(orm).close(), orm.close()]);
    expect(ends).to.equal(1);
    await orm.connect();
    await orm.close();
    expect(ends).to.equal(2);
  });

  // the ORM itself may wait for ever for its own connections if it is closed while queries begin
  it('answers reads that are running while it is closed', async () => {
    const orm = await open({ redis: await redisUrl(), prefix: `spec:${randomUUID()}:` });
    const expected = await orm.em.fork().count(Tag);
    const counting = Array.from({ length: 20 }, () => orm.em.fork().count(Tag));
    const closing = getCacheops(orm).close();
    expect(new Set(await Promise.all(counting))).to.deep.equal(new Set([expected]));
    await closing;
    expect(await orm.em.fork().count(Tag)).to.equal(expected);
    await orm.reconnect();
    await expectAlive(orm, []);
  });

  it('invalidates for a transaction that is open when the ORM is closed, and commits', async () => {
    const backend = { redis: await redisUrl(), prefix: `spec:${randomUUID()}:` };
    const [orm, other] = await Promise.all([open(backend), open(backend)]);
    await expectAlive(other, []);
    const [written, mayCommit] = [gate(), gate()];
    const name = randomUUID();
    const writing = orm.em.fork().transactional(async em => {
      await em.insert(Tag, { name });
      written.open();
      await mayCommit.pass();
    });
    await written.pass();
    const closing = orm.close();
    mayCommit.open();
    await Promise.all([writing, closing]);
    const tags = await other.em.fork().find(Tag, {});
    expect(tags.map(tag => tag.name)).to.include(name);
  });

  describe('while a transaction holds every connection', () => {
    /** Its first read finds a quarantine, about which the database is asked in the background. */
    async function idleInside(orm: MikroORM | EmbeddedORM): Promise<void> {
      await (orm as MikroORM).em.fork().transactional(async em => {
        await em.find(Tag, {});
        await getCacheops(orm as MikroORM).idle();
      });
      await getCacheops(orm as MikroORM).idle();
    }

    it('is idle on PGlite', async () => {
      const { orm, cache } = await startBlog({ cacheops: { store: new MemoryStore() } });
      try {
        await idleInside(orm);
        expect(cache.stats().errors).to.equal(0);
      } finally {
        await orm.close();
      }
    }).timeout(120_000);

    it('is idle on a pool with one connection', async () => {
      const orm = await open({}, { pool: { max: 1 } });
      await idleInside(orm);
      expect(getCacheops(orm).stats().errors).to.equal(0);
    }).timeout(120_000);

    it('still waits for fills', async () => {
      class SlowStore extends MemoryStore {
        readonly stored = gate();
        override async fill(...args: Parameters<MemoryStore['fill']>): Promise<void> {
          await this.stored.pass();
          await super.fill(...args);
        }
      }
      const store = new SlowStore();
      const orm = await open({ store }, { pool: { max: 1 } });
      const cache = getCacheops(orm);
      store.stored.open();
      await expectAlive(orm, []);
      await orm.em.fork().transactional(async em => {
        await em.find(Tag, { name: 'a' });
        await cache.idle();
      });
      expect(await sourcesOf(cache, () => orm.em.fork().find(Tag, { name: 'a' }))).to.deep.equal(['cache']);
    });
  });
});
