import { expect } from 'chai';
import { Cluster, Redis } from 'ioredis';
import { RedisStore } from '../../../lib/store/redis/redis_store.js';
import { startRedis } from '../../support/redis.js';
import { redisUrl } from '../../support/servers.js';
import { until } from '../../support/until.js';
import {
  ARTICLE,
  articles,
  cache,
  category,
  expectHit,
  expectMiss,
  LONG,
  leaseGranted,
  leaseRefused,
  touching,
  trust,
  writer,
} from '../words.js';
import { startProxy } from './proxy.js';
import { startSentinel } from './sentinel.js';
import { redisSubject } from './support.js';

describe('The connection to Redis', () => {
  const seven = articles(category('7'));
  const ends: (() => unknown)[] = [];
  const patient = { commandTimeout: 10_000 };

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) {
      await end();
    }
  });

  function freshPrefix(): string {
    return `spec:${crypto.randomUUID()}:`;
  }

  function open(source: ConstructorParameters<typeof RedisStore>[0], prefix = freshPrefix()): RedisStore {
    const store = new RedisStore(source, { prefix, ...patient });
    ends.push(async () => {
      await store.clear();
      await store.close();
    });
    return store;
  }

  async function openClient(options: object = {}): Promise<Redis> {
    const client = new Redis(await redisUrl(), options);
    ends.push(() => client.disconnect());
    return client;
  }

  it('is opened on first use', async () => {
    const proxy = await startProxy();
    ends.push(() => proxy.stop());
    const store = new RedisStore(proxy.url);
    await new Promise(setImmediate);
    await store.close();

    expect(proxy.connections).to.equal(0);
  });

  it('can be given as a URL, as options, or as a client', async () => {
    const url = await redisUrl();
    const { hostname: host, port } = new URL(url);
    for (const source of [url, { host, port: Number(port) }, await openClient()]) {
      const store = open(source);
      await cache(store, seven, 'seven');
      await expectHit(store, seven, 'seven');
    }
  });

  it('works with RESP2 and RESP3', async () => {
    const prefix = freshPrefix();
    for (const options of [{ protocol: 2 }, { protocol: 3 }, { protocol: 3, replyMapping: 'resp3' }]) {
      const store = open(await openClient(options), prefix);
      await cache(store, seven, 'seven');
      await expectHit(store, seven, 'seven');
      await leaseGranted(store, seven);
      const w = writer();
      await store.mark(w, [touching(ARTICLE, category('7'))]);
      expect((await leaseRefused(store, seven)).writers[0]!.age).to.be.a('number');
      expect(await store.schemes(ARTICLE)).to.have.lengthOf(1);
      await store.settle(w.id, [ARTICLE]);
      await store.clear();
      await expectMiss(store, seven);
    }
  });

  it('is separate from a client that was given, which is neither used nor closed', async () => {
    const client = await openClient({ connectionName: crypto.randomUUID() });
    await client.ping();
    const before = client.listenerCount('error');
    const store = new RedisStore(client, { prefix: freshPrefix(), ...patient });
    await cache(store, seven, 'seven');
    await store.clear();
    await store.close();

    expect(client.status).to.equal('ready');
    expect(client.listenerCount('error')).to.equal(before);
    expect(await client.ping()).to.equal('PONG');
  });

  it('ignores options that would queue commands or send them again', async () => {
    const proxy = await startProxy(Number(new URL(await redisUrl()).port));
    ends.push(() => proxy.stop());
    const store = new RedisStore(
      `${proxy.url}?enableOfflineQueue=true&autoResendUnfulfilledCommands=true&maxRetriesPerRequest=20`,
      { prefix: freshPrefix(), ...patient },
    );
    ends.push(() => store.close());
    await store.read(seven);
    proxy.mode = 'stall';
    const reading = store.read(seven).catch(error => error);
    proxy.cut();
    proxy.mode = 'pass';

    expect(await reading).to.be.instanceOf(Error);
  });

  it('uses the configured database', async () => {
    const redis = await startRedis();
    ends.push(() => redis.stop());
    const store = open(`${redis.url}/3`);
    await cache(store, seven, 'seven');
    const client = new Redis(redis.url);
    ends.push(() => client.disconnect());

    expect(await client.dbsize()).to.equal(0);
    await client.select(3);
    expect(await client.dbsize()).to.equal(4);
  });

  it('includes ioredis’ own key prefix in the prefix', async () => {
    const url = await redisUrl();
    const [keyPrefix, prefix] = [freshPrefix(), 'cache:'];
    const { hostname: host, port } = new URL(url);
    const client = await openClient({ keyPrefix });
    const plain = open(url, keyPrefix + prefix);
    await cache(plain, seven, 'seven');

    for (const source of [client, { host, port: Number(port), keyPrefix }, `${url}?keyPrefix=${keyPrefix}`]) {
      await expectHit(open(source, prefix), seven, 'seven');
    }
    await open(client, prefix).clear();
    await expectMiss(plain, seven);
  });

  it('refuses a client of a Redis Cluster, which has a store of its own', () => {
    const cluster = new Cluster([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true });
    ends.push(() => cluster.disconnect());

    expect(() => new RedisStore(cluster)).to.throw('Use a ClusterStore');
  });

  it('refuses a node of a Redis Cluster', async () => {
    const redis = await startRedis(['--cluster-enabled', 'yes']);
    ends.push(() => redis.stop());
    const store = new RedisStore(redis.url, patient);
    ends.push(() => store.close());
    const error = await store.read(seven).catch(thrown => thrown);

    expect(error.message).to.contain('it is a node of a Redis Cluster. Give a Cluster of ioredis');
  });

  it('works through Sentinel', async () => {
    const redis = await startRedis();
    ends.push(() => redis.stop());
    const sentinel = await startSentinel(redis.port);
    ends.push(() => sentinel.stop());
    const store = open({
      sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
      name: 'main',
      role: 'slave',
    });
    await cache(store, seven, 'seven');

    await expectHit(store, seven, 'seven');
  });

  it('closes once, after pending calls, and leaves nothing open', async () => {
    const url = await redisUrl();
    const prefix = freshPrefix();
    const open = () => process.getActiveResourcesInfo().filter(kind => /TCP|Timeout/.test(kind)).length;
    const before = open();
    const store = new RedisStore(url, { prefix, ...patient });
    const outcomes = Array.from({ length: 20 }, () => trust(store, seven).then(() => store.read(seven)));
    await outcomes[0];
    const rest = Promise.all([
      ...outcomes.slice(1).map(outcome => outcome.catch(() => {})),
      store.drop([ARTICLE]),
    ]);
    await Promise.all([store.close(), store.close()]);
    await rest;

    await until(() => open() <= before);
    await redisSubject(url, { prefix }).end();
  });

  it('can be closed before it is opened, while it opens, and while the server is down', async () => {
    const unused = new RedisStore(await redisUrl());
    await unused.close();

    const opening = new RedisStore(await redisUrl(), patient);
    const read = opening.read(seven).catch(error => error);
    await opening.close();
    expect(await read).to.satisfy((outcome: unknown) => outcome === undefined || outcome instanceof Error);

    const redis = await startRedis();
    ends.push(() => redis.stop());
    const before = process.getActiveResourcesInfo().filter(resource => resource === 'Timeout').length;
    const orphan = new RedisStore(redis.url, patient);
    await trust(orphan, seven);
    await redis.kill9();
    await orphan.close();
    expect(process.getActiveResourcesInfo().filter(resource => resource === 'Timeout').length).to.equal(
      before,
    );
  });

  it('takes one round trip for a read, a lease, a fill, a mark and a settle', async () => {
    const redis = await startRedis();
    ends.push(() => redis.stop());
    const store = open(redis.url);
    const client = new Redis(redis.url);
    ends.push(() => client.disconnect());
    await cache(store, seven, 'seven');
    const w = writer();
    await store.mark(w, [touching(ARTICLE)]);
    await store.settle(w.id, [ARTICLE]);

    const calls = async (operate: () => Promise<unknown>) => {
      await client.config('RESETSTAT');
      await operate();
      const stats = await client.info('commandstats');
      return Object.fromEntries(
        [...stats.matchAll(/cmdstat_(mget|evalsha|eval|set|get|info):calls=(\d+)/g)].map(
          ([, command, count]) => [command, Number(count)],
        ),
      );
    };
    expect(await calls(() => store.read(seven)))
      .to.deep.include({ mget: 1 })
      .and.not.include.keys('evalsha', 'get');
    expect(await calls(() => store.lease(seven, LONG)))
      .to.include({ evalsha: 1 })
      .and.not.include.keys('eval');
    expect(await calls(() => store.mark(w, [touching(ARTICLE)]))).to.include({ evalsha: 1 });
    expect(await calls(() => store.settle(w.id, [ARTICLE]))).to.include({ evalsha: 1 });
    expect(await calls(() => store.fill(seven, 'seal', Buffer.of(), LONG))).to.include({ set: 1 });
  });
});
