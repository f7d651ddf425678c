import { expect } from 'chai';
import type { Redis } from 'ioredis';
import type { RedisStoreOptions } from '../../../lib/store/redis/redis_store.js';
import type { EntryAddress } from '../../../lib/store/store.js';
import { StoreError } from '../../../lib/store/store_error.js';
import { type RedisServer, startRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';
import {
  ARTICLE,
  articles,
  ask,
  cache,
  category,
  expectHit,
  expectMiss,
  LONG,
  leaseGranted,
  leaseRefused,
  leaseTrusted,
  touching,
  trust,
  writer,
} from '../words.js';
import { quietClient, type RedisSubject, redisSubject } from './support.js';

describe('A loss of data in Redis', () => {
  const seven = articles(category('7'));
  const eight = articles(category('8'));
  const servers: RedisServer[] = [];
  const subjects: RedisSubject[] = [];
  const clients: Redis[] = [];

  async function server(...args: string[]): Promise<RedisServer> {
    // a replica is served at once, not only after others had time to join it
    const started = await startRedis(['--repl-diskless-sync-delay', '0', ...args]);
    servers.push(started);
    return started;
  }

  function subjectOn({ url }: RedisServer, options?: RedisStoreOptions): RedisSubject {
    const subject = redisSubject(url, options);
    subjects.push(subject);
    return subject;
  }

  function clientOf({ url }: RedisServer): Redis {
    const client = quietClient(url);
    clients.push(client);
    return client;
  }

  afterEach(async () => {
    for (const client of clients.splice(0)) {
      client.disconnect();
    }
    await Promise.all(subjects.splice(0).map(({ end }) => end()));
    await Promise.all(servers.splice(0).map(({ stop }) => stop()));
  });

  /** What the store answers, once it has found its way back. */
  async function found({ store }: RedisSubject, address: EntryAddress): Promise<string | undefined> {
    let answer: string | undefined;
    await until(() =>
      ask(store, address).then(
        result => {
          answer = result;
          return true;
        },
        () => false,
      ),
    );
    return answer;
  }

  it('is safe for the latest invalidations after a restart with an old snapshot', async () => {
    const redis = await server();
    const subject = subjectOn(redis);
    const { store, other, client } = subject;
    await cache(store, seven, 'old');
    await cache(store, eight, 'unchanged');
    await client.save();
    const w = writer();
    await other.mark(w, [touching(ARTICLE, category('7'))]);
    await other.settle(w.id, [ARTICLE]);
    await redis.kill9();
    await redis.restart();

    expect(await found(subject, seven)).to.equal(undefined);
    // the old entry and its stamps did come back
    await until(() => client.ping().catch(() => undefined));
    expect(await client.exists(subject.key(`g:{${ARTICLE}}`))).to.equal(1);
    expect((await leaseRefused(store, seven)).quarantines).to.have.lengthOf(1);
    await cache(store, seven, 'new');
    await expectHit(store, seven, 'new');
    await expectMiss(store, eight);
  });

  it('is safe for the last second of an append-only file', async () => {
    const redis = await server('--appendonly', 'yes', '--appendfsync', 'always');
    const subject = subjectOn(redis);
    const { store } = subject;
    await cache(store, seven, 'old');
    await redis.kill9();
    await redis.restart();

    expect(await found(subject, seven)).to.equal(undefined);
    await cache(store, seven, 'new');
    await expectHit(store, seven, 'new');
  });

  it('is safe for a writer in flight after a restart: no lease is granted until it cannot be in flight any more', async () => {
    const redis = await server();
    const subject = subjectOn(redis);
    const { store, other, client } = subject;
    await trust(store, seven);
    await client.save();
    const w = writer();
    await other.mark(w, [touching(ARTICLE, category('7'))]);
    await redis.kill9();
    await redis.restart();
    await found(subject, seven);

    expect((await leaseRefused(store, seven)).quarantines).to.have.lengthOf(1);
  });

  it('is safe for everything that a replica had not received when it was promoted', async () => {
    const [master, replica] = [await server(), await server()];
    const subject = subjectOn(master);
    const later = subjectOn(replica, { prefix: subject.prefix });
    await cache(subject.store, seven, 'old');
    await follow(clientOf(replica), master);
    await lead(clientOf(replica));
    const w = writer();
    await subject.store.mark(w, [touching(ARTICLE, category('7'))]);
    await subject.store.settle(w.id, [ARTICLE]);
    await master.kill9();

    await expectMiss(later.store, seven);
    expect((await leaseRefused(later.store, seven)).quarantines).to.have.lengthOf(1);
    await cache(later.store, seven, 'new');
    await expectHit(later.store, seven, 'new');
  });

  it('is safe if the promoted replica was the master before and never restarted', async () => {
    const [first, second] = [await server(), await server()];
    const before = subjectOn(first);
    const between = subjectOn(second, { prefix: before.prefix });
    await cache(before.store, seven, 'old');
    await follow(clientOf(second), first);
    await lead(clientOf(second));
    await follow(clientOf(first), second);
    await lead(clientOf(first));
    const w = writer();
    await between.store.mark(w, [touching(ARTICLE, category('7'))]);
    await between.store.settle(w.id, [ARTICLE]);
    // as Sentinel does after each change
    await clientOf(first).call('CLIENT', 'KILL', 'TYPE', 'normal');

    expect(await found(before, seven)).to.equal(undefined);
  });

  it('cannot come from a replica, or from a master that has become one, because neither is used', async () => {
    const [master, replica] = [await server(), await server()];
    const subject = subjectOn(master, { commandTimeout: 1000 });
    await cache(subject.store, seven, 'old');
    await follow(clientOf(replica), master);
    const onReplica = subjectOn(replica, { prefix: subject.prefix, commandTimeout: 1000 });
    const refusal = await onReplica.store.read(seven).catch(error => error);
    expect(refusal).to.be.instanceOf(StoreError);
    expect(refusal.message).to.contain("its role is 'slave'");

    await lead(clientOf(replica));
    await follow(clientOf(master), replica);
    const mark = await subject.store.mark(writer(), [touching(ARTICLE, category('7'))]).catch(error => error);
    expect(mark).to.be.instanceOf(StoreError);
    const read = await subject.store.read(seven).catch(error => error);
    expect(read, 'the connection is not used any more').to.be.instanceOf(StoreError);
  });

  it('is not assumed forever when the first replica gives a master another replication id', async () => {
    const [master, replica] = [await server(), await server()];
    const early = subjectOn(master);
    await cache(early.store, seven, 'seven');
    await follow(clientOf(replica), master);
    const late = subjectOn(master, { prefix: early.prefix });
    await trust(late.store, seven);
    await cache(early.store, seven, 'seven');

    // both sides have come to take the server for the same one
    await expectHit(early.store, seven, 'seven');
    await expectHit(late.store, seven, 'seven');
    await leaseGranted(early.store, seven);
    await leaseGranted(late.store, seven);
  });

  it('is safe for all data', async () => {
    const redis = await server();
    const { store, client } = subjectOn(redis);
    await cache(store, seven, 'old');
    const seal = await leaseTrusted(store, seven);
    await client.flushall();
    await store.fill(seven, seal, Buffer.from('old'), LONG);
    await expectMiss(store, seven);

    expect((await leaseRefused(store, seven)).quarantines).to.have.lengthOf(1);
    await cache(store, seven, 'new');
    await expectHit(store, seven, 'new');
  });

  it('is safe for the scripts', async () => {
    const redis = await server();
    const { store, other, client } = subjectOn(redis);
    const flush = () => client.script('FLUSH');
    await flush();
    await cache(store, seven, 'seven');
    await flush();
    const w = writer();
    await other.mark(w, [touching(ARTICLE, category('7'))]);
    await expectMiss(store, seven);
    await flush();
    await leaseRefused(store, seven);
    await flush();
    await other.settle(w.id, [ARTICLE]);
    await flush();

    await leaseGranted(store, seven);
    await flush();
    expect(await other.schemes(ARTICLE)).to.have.lengthOf(1);
  });

  for (const policy of ['allkeys-random', 'allkeys-lru', 'volatile-ttl']) {
    it(`is safe for any key that is evicted (${policy})`, async () => {
      const redis = await server('--maxmemory', '3mb', '--maxmemory-policy', policy);
      const { store, other, client } = subjectOn(redis);
      const rows = Array.from({ length: 150 }, (_, i) => String(i));
      const database = new Map(rows.map(row => [row, 0]));
      const addressOf = (row: string) => articles(category(row));
      const filling = '-'.repeat(20_000);
      let hits = 0;

      const check = async (row: string) => {
        const result = await ask(store, addressOf(row));
        if (result !== undefined) {
          hits++;
          expect(Number(result.slice(filling.length))).to.equal(database.get(row));
        }
      };
      // the registry may go at any moment too
      const cacheIfGranted = async (row: string) => {
        const address = addressOf(row);
        await trust(store, address);
        const lease = await store.lease(address, LONG);
        if (lease.granted) {
          await store.fill(address, lease.seal, Buffer.from(filling + database.get(row)), LONG);
        }
      };
      for (let round = 0; round < 6; round++) {
        for (const row of rows) {
          await check(row);
          await cacheIfGranted(row);
          await check(row);
        }
        for (const row of rows.filter((_, i) => i % 3 === round % 3)) {
          const w = writer();
          await other.mark(w, [touching(ARTICLE, category(row))]);
          database.set(row, database.get(row)! + 1);
          await other.settle(w.id, [ARTICLE]);
          await check(row);
        }
      }

      const evicted = /evicted_keys:(\d+)/.exec(await client.info('stats'))![1];
      expect(Number(evicted)).to.be.greaterThan(100);
      expect(hits).to.be.greaterThan(100);
    });
  }

  it('does not happen to marks without free memory; other writes fail', async () => {
    const redis = await server('--maxmemory-policy', 'noeviction');
    const { store, other, client } = subjectOn(redis);
    await cache(store, seven, 'seven');
    await other.schemes(ARTICLE);
    await client.config('SET', 'maxmemory', '1mb');

    const refusal = await store.fill(eight, 'seal', Buffer.alloc(1000), LONG).catch(error => error);
    expect(refusal).to.be.instanceOf(StoreError);
    expect(refusal.message).to.match(/failed at "fill".*OOM/);
    const w = writer();
    await other.mark(w, [touching(ARTICLE, category('7'))]);
    await expectMiss(store, seven);
    await other.settle(w.id, [ARTICLE]);
    await expectMiss(store, seven);
  });
});

async function follow(client: Redis, { port }: RedisServer): Promise<void> {
  await client.replicaof('127.0.0.1', port);
  await until(async () => (await client.info('replication')).includes('master_link_status:up'), {
    timeout: 60_000,
  });
}

async function lead(client: Redis): Promise<void> {
  await client.replicaof('NO', 'ONE');
}
