import { expect } from 'chai';
import { Cluster, type Redis } from 'ioredis';
import sinon from 'sinon';
import { MARKER } from '../../../lib/store/keys.js';
import { ClusterStore } from '../../../lib/store/redis/cluster_store.js';
import { RedisStore, type RedisStoreOptions } from '../../../lib/store/redis/redis_store.js';
import { slotOf } from '../../../lib/store/redis/slot.js';
import type { Store } from '../../../lib/store/store.js';
import { type RedisCluster, startRedisCluster } from '../../support/redis_cluster.js';
import { until } from '../../support/until.js';
import { describeStore } from '../conformance.js';
import type { Subject } from '../subject.js';
import {
  ARTICLE,
  articles,
  ask,
  cache,
  category,
  expectHit,
  LONG,
  leaseTrusted,
  on,
  query,
  touching,
  writer,
} from '../words.js';

let cluster: RedisCluster | undefined;

interface ClusterSubject extends Subject {
  readonly prefix: string;
}

function clusterSubject(options: RedisStoreOptions = {}): ClusterSubject {
  const prefix = `spec:${crypto.randomUUID()}:`;
  const open = () => {
    const source = new Cluster([{ host: '127.0.0.1', port: cluster!.ports[0]! }], { lazyConnect: true });
    return new ClusterStore(source as never, { commandTimeout: 10_000, ...options, prefix });
  };
  const [store, other] = [open(), open()];
  const client = new Cluster([{ host: '127.0.0.1', port: cluster!.ports[0]! }]);
  client.on('error', () => {});
  return {
    store,
    other,
    prefix,
    evict: async key => {
      await client.del(prefix + MARKER + key);
    },
    async pass(seconds) {
      for (const node of cluster!.clients.slice(0, 3)) {
        for (const key of await node.keys(`${prefix}*`)) {
          const left = (await node.pttl(key)) - seconds * 1000;
          await (left > 0 ? node.pexpire(key, left) : node.del(key));
        }
      }
    },
    async end() {
      const cleaner = open();
      await cleaner.clear().catch(() => {});
      await Promise.all([store.close(), other.close(), cleaner.close()]);
      client.disconnect();
    },
  };
}

describe('A store in a Redis Cluster', () => {
  before(async () => {
    cluster = await startRedisCluster();
  }).timeout(300_000);
  after(() => cluster?.stop());

  describeStore('ClusterStore', async limits => clusterSubject(limits));

  it('computes the slot of a key as Redis does', async () => {
    for (const key of ['', 'a', 'a{b}c', '{}x', 'x{é}', '{a}{b}', 'a{', '}{a}']) {
      expect(slotOf(key), key).to.equal(await cluster!.clients[0]!.call('CLUSTER', 'KEYSLOT', key));
    }
  });

  it('does not return one entry from before a write and one from after it if the write comes between its requests', async () => {
    const subject = clusterSubject();
    const { store, other } = subject;
    const { fetch } = RedisStore.prototype;
    try {
      const [seven, eight] = [articles(category('7')), articles(category('8'))];
      await cache(store, seven, 'before');
      const early = await leaseTrusted(store, eight);
      let written: Promise<void> | undefined;
      const write = async () => {
        const w = writer();
        await other.mark(w, [touching(ARTICLE, category('7'), category('8'))]);
        await other.settle(w.id, [ARTICLE]);
        await other.fill(eight, early, Buffer.from('after'), LONG);
      };
      RedisStore.prototype.fetch = async function (keys) {
        const fetched = await fetch.call(this, keys);
        written ??= write();
        await written;
        return fetched;
      };
      const found = await store.readMany([seven, eight]);
      expect(found.map(each => each && String(each.payload))).to.deep.equal([undefined, undefined]);
    } finally {
      RedisStore.prototype.fetch = fetch;
      await subject.end();
    }
  });

  describe('with a node that lags', () => {
    let subject: ClusterSubject;
    let master: Redis;
    let replica: Redis;

    beforeEach(async () => {
      subject = clusterSubject();
      const { clients, ports } = cluster!;
      const ranges = (await clients[0]!.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][];
      const slot = slotOf(`{${ARTICLE}}`);
      const [, , [, port]] = ranges.find(([first, last]) => first <= slot && slot <= last)!;
      master = clients[ports.indexOf(port)]!;
      const roles = await Promise.all(clients.map(client => client.role()));
      replica = clients[roles.findIndex(([role, , of]) => role === 'slave' && of === port)]!;
      await isFollowed(master, replica);
      const works = (work: () => Promise<unknown>) => () =>
        work().then(
          () => true,
          () => false,
        );
      await until(
        works(() => cache(subject.store, address, 'old')),
        { timeout: 60_000 },
      );
      await until(
        works(() => expectHit(subject.other, address, 'old')),
        { timeout: 60_000 },
      );
    });

    afterEach(async () => {
      await Promise.all([master, replica].map(node => node.config('SET', 'requirepass', '')));
      if ((await replica.role())[0] === 'master') {
        await isFollowed(replica, master);
        await master.call('CLUSTER', 'FAILOVER', 'TAKEOVER');
      }
      await isFollowed(master, replica);
      await subject.end();
    });

    const address = articles(category('7'));

    async function isMaster(one: Redis, other: Redis): Promise<[Redis, Redis]> {
      await until(async () => (await one.role())[0] === 'master' && (await other.role())[0] === 'slave', {
        timeout: 60_000,
      });
      return [one, other];
    }

    async function isFollowed(one: Redis, other: Redis): Promise<void> {
      await isMaster(one, other);
      const isLinked = async () => (await other.info('replication')).includes('master_link_status:up');
      await until(isLinked, { timeout: 60_000 });
    }

    /** The replica receives no more data of its master. */
    async function cutOff(from: Redis, follower: Redis): Promise<void> {
      await from.config('SET', 'requirepass', 'secret');
      await from.call('CLIENT', 'KILL', 'TYPE', 'replica');
      await until(async () => (await follower.info('replication')).includes('master_link_status:down'));
    }

    async function change(): Promise<void> {
      const w = writer();
      await subject.other.mark(w, [touching(ARTICLE, category('7'))]);
      await subject.other.settle(w.id, [ARTICLE]);
    }

    /** When the nodes agree about the slot's master. */
    async function firstAnswer(): Promise<string | undefined> {
      let answer: string | undefined;
      await until(
        () =>
          ask(subject.store, address).then(
            hit => {
              answer = hit;
              return true;
            },
            () => false,
          ),
        { timeout: 60_000 },
      );
      return answer;
    }

    it('treats everything in a replica that lagged when it was promoted as a miss', async () => {
      await cutOff(master, replica);
      await change();
      await replica.call('CLUSTER', 'FAILOVER', 'TAKEOVER');
      await isMaster(replica, master);
      expect(await firstAnswer()).to.equal(undefined);
    }).timeout(300_000);

    it('treats everything in a master that was demoted, lagged, and was promoted again as a miss', async () => {
      await replica.call('CLUSTER', 'FAILOVER', 'TAKEOVER');
      await isFollowed(replica, master);
      await until(() =>
        ask(subject.other, address).then(
          () => true,
          () => false,
        ),
      );
      await cutOff(replica, master);
      await change();
      await master.call('CLUSTER', 'FAILOVER', 'TAKEOVER');
      await isMaster(master, replica);
      // an election takes longer than that
      const { now } = performance;
      const later = sinon.stub(performance, 'now').callsFake(() => now.call(performance) + 300);
      try {
        expect(await firstAnswer()).to.equal(undefined);
      } finally {
        later.restore();
      }
    }).timeout(300_000);

    it('learns the topology from a replica if it knows no other node', async () => {
      const port = cluster!.ports[cluster!.clients.indexOf(replica)]!;
      const source = new Cluster([{ host: '127.0.0.1', port }], { lazyConnect: true });
      const { prefix } = subject;
      const store = new ClusterStore(source as never, { commandTimeout: 10_000, prefix });
      try {
        await expectHit(store, address, 'old');
      } finally {
        await store.close();
      }
    });
  });

  describe('under load', () => {
    let subject: ClusterSubject;
    beforeEach(() => {
      subject = clusterSubject({ commandTimeout: 1000 });
    });
    afterEach(() => subject.end());

    const tables = ['one', 'two', 'three', 'four'];
    const addressOf = (table: string) => query(on(table, category('7')));

    /** Readers and writers of one row per table, whose versions are numbers, until it is stopped. */
    function load() {
      const committed = new Map(tables.map(table => [table, 0]));
      const tally = { reads: 0, hits: 0, stale: 0, writes: 0, running: true };
      const write = async (table: string, via: Store) => {
        while (tally.running) {
          const w = writer();
          let isMarked = true;
          await via.mark(w, [touching(table, category('7'))]).catch(() => {
            isMarked = false; // this transaction fails
          });
          if (isMarked) {
            committed.set(table, committed.get(table)! + 1);
            tally.writes++;
          }
          await until(() =>
            via.settle(w.id, [table]).then(
              () => true,
              () => !tally.running,
            ),
          );
          const before = tally.hits;
          await until(() => tally.hits > before + 3 || !tally.running, { timeout: 60_000 });
        }
      };
      const read = async (table: string, via: Store) => {
        const address = addressOf(table);
        while (tally.running) {
          const before = committed.get(table)!;
          const hit = await ask(via, address).catch(() => undefined);
          tally.reads++;
          if (hit !== undefined) {
            tally.hits++;
            tally.stale += Number(hit) < before ? 1 : 0;
          } else {
            const lease = await via.lease(address, LONG).catch(() => undefined);
            if (lease?.granted) {
              const value = String(committed.get(table));
              await via.fill(address, lease.seal, Buffer.from(value), LONG).catch(() => {});
            } else {
              // no earlier writer is in flight, because each table has one writer, which continues
              await Promise.all(lease?.quarantines.map(each => via.lift(each).catch(() => {})) ?? []);
            }
          }
          await new Promise<void>(resolve => setImmediate(resolve));
        }
      };
      const work = tables.flatMap(table => [
        write(table, subject.store),
        read(table, subject.store),
        read(table, subject.other),
      ]);
      return { tally, done: Promise.all(work) };
    }

    it('serves nothing stale while slots move between nodes', async () => {
      const { tally, done } = load();
      await until(() => tally.hits > 100, { timeout: 60_000 });
      const ids = await Promise.all(cluster!.clients.map(client => client.call('CLUSTER', 'MYID')));
      for (const target of [1, 2, 0]) {
        for (const table of tables) {
          await move(slotOf(`{${table}}`), target, ids.map(String));
        }
        const before = tally.hits;
        await until(() => tally.hits > before + 100, { timeout: 60_000 });
      }
      tally.running = false;
      await done;

      expect(tally.stale).to.equal(0);
      expect(tally.writes).to.be.greaterThan(20);
    }).timeout(300_000);

    it('serves nothing stale while a master fails and its replica is promoted', async () => {
      const { tally, done } = load();
      await until(() => tally.hits > 100, { timeout: 60_000 });
      await cluster!.servers[0]!.kill9();
      await until(async () => (await cluster!.clients[3]!.info('replication')).includes('role:master'), {
        timeout: 60_000,
      });
      const before = tally.hits;
      await until(() => tally.hits > before + 100, { timeout: 60_000 });
      tally.running = false;
      await done;

      expect(tally.stale).to.equal(0);
      await until(() =>
        cache(subject.store, articles(category('7')), 'seven').then(
          () => true,
          () => false,
        ),
      );
      await expectHit(subject.other, articles(category('7')), 'seven');
    }).timeout(300_000);

    /** As `redis-cli --cluster reshard` does it. */
    async function move(slot: number, target: number, ids: readonly string[]): Promise<void> {
      const owners = (await cluster!.clients[0]!.call('CLUSTER', 'SLOTS')) as [
        number,
        number,
        [string, number],
      ][];
      const [, , [, port]] = owners.find(([first, last]) => first <= slot && slot <= last)!;
      const source = cluster!.ports.indexOf(port);
      if (source === target) {
        return;
      }
      const [from, to] = [cluster!.clients[source]!, cluster!.clients[target]!];
      await to.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', ids[source]!);
      await from.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', ids[target]!);
      for (;;) {
        const keys = (await from.call('CLUSTER', 'GETKEYSINSLOT', String(slot), '1')) as string[];
        if (keys.length === 0) {
          break;
        }
        await from.call('MIGRATE', '127.0.0.1', String(cluster!.ports[target]), keys[0]!, '0', '5000');
      }
      for (const client of [to, from, ...cluster!.clients.slice(0, 3)]) {
        await client.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', ids[target]!);
      }
    }
  });
});
