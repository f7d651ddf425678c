import { createServer } from 'node:net';
import { expect } from 'chai';
import { RedisStore, type RedisStoreOptions } from '../../../lib/store/redis/redis_store.js';
import type { Store } from '../../../lib/store/store.js';
import { StoreError } from '../../../lib/store/store_error.js';
import type { Dependency } from '../../../lib/values/scheme.js';
import { freePort } from '../../support/free_port.js';
import { redisUrl } from '../../support/servers.js';
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
  stepping,
  touching,
  trust,
  writer,
} from '../words.js';
import { type RedisProxy, startProxy } from './proxy.js';
import { quietClient, type RedisSubject, redisSubject } from './support.js';

describe('An outage of Redis', () => {
  const seven = articles(category('7'));
  const ends: (() => unknown)[] = [];

  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) {
      await end();
    }
  });

  function storeAt(url: string, options: RedisStoreOptions = {}): RedisStore {
    const store = new RedisStore(url, {
      commandTimeout: 200,
      prefix: `spec:${crypto.randomUUID()}:`,
      ...options,
    });
    ends.push(() => store.close());
    return store;
  }

  async function proxyTo(target?: number): Promise<RedisProxy> {
    const proxy = await startProxy(target);
    ends.push(() => proxy.stop());
    return proxy;
  }

  async function behindProxy(options: RedisStoreOptions = {}): Promise<RedisSubject & { proxy: RedisProxy }> {
    const url = await redisUrl();
    const proxy = await proxyTo(Number(new URL(url).port || 6379));
    const prefix = `spec:${crypto.randomUUID()}:`;
    const direct = redisSubject(url, { prefix });
    ends.push(() => direct.end());
    const store = storeAt(proxy.url, { prefix, ...options });
    return { ...direct, store, proxy };
  }

  const OPERATIONS: Record<string, (store: Store) => Promise<unknown>> = {
    read: store => store.read(seven),
    lease: store => store.lease(seven, LONG),
    fill: store => store.fill(seven, 'seal', Buffer.of(), LONG),
    mark: store => store.mark(writer(), [touching(ARTICLE)]),
    schemes: store => store.schemes(ARTICLE),
    settle: store => store.settle('w', [ARTICLE]),
    lift: store => store.lift({ table: ARTICLE, nonce: 'nonce' }),
    drop: store => store.drop([ARTICLE]),
    clear: store => store.clear(),
  };

  function works(store: Store): Promise<boolean> {
    return store.read(seven).then(
      () => true,
      () => false,
    );
  }

  async function expectAllToFail(store: Store, within: number): Promise<void> {
    for (const [name, operate] of Object.entries(OPERATIONS)) {
      const start = performance.now();
      const error = await operate(store).then(
        () => undefined,
        thrown => thrown,
      );
      expect(error, name).to.be.instanceOf(StoreError);
      expect(error.operation).to.equal(name);
      expect(error.message).to.match(new RegExp(`^The store has failed at "${name}": `));
      expect(error.cause).to.be.instanceOf(Error);
      expect(performance.now() - start, name).to.be.lessThan(within);
    }
  }

  it('fails every operation in time if no server listens', async () => {
    await expectAllToFail(storeAt(`redis://127.0.0.1:${await freePort()}`), 1000);
  });

  it('fails an operation at once if the next attempt to connect comes after its timeout', async () => {
    const store = storeAt(`redis://127.0.0.1:${await freePort()}`, { commandTimeout: 50 });
    let waits = 0;
    await until(async () => {
      const start = performance.now();
      await works(store);
      waits++;
      return performance.now() - start < 10 && waits > 5;
    });
    const start = performance.now();
    for (let i = 0; i < 100; i++) {
      expect(await works(store)).to.equal(false);
    }

    expect(performance.now() - start).to.be.lessThan(2500);
  });

  it('fails every operation in time if the server accepts and never answers', async () => {
    const silent = await proxyTo();
    await expectAllToFail(storeAt(silent.url), 1000);
  });

  it('fails every operation in time if the server stops answering', async () => {
    const { store, proxy } = await behindProxy();
    await trust(store, seven);
    proxy.mode = 'stall';

    await expectAllToFail(store, 1000);
  });

  it('ends when the server answers again', async () => {
    const { store, proxy } = await behindProxy();
    await cache(store, seven, 'seven');
    proxy.mode = 'stall';
    await expectAllToFail(store, 1000);
    proxy.mode = 'pass';

    await until(() => works(store));
    await cache(store, seven, 'seven again');
    await expectHit(store, seven, 'seven again');
  });

  it('replaces a connection without answers before TCP does', async () => {
    const { store, proxy } = await behindProxy();
    await cache(store, seven, 'seven');
    proxy.swallow();
    expect(await works(store)).to.equal(false);
    await until(() => works(store));

    expect(proxy.connections).to.equal(2);
    await expectHit(store, seven, 'seven');
  });

  it('loses no mark whose answer was lost', async () => {
    const { store, other, proxy } = await behindProxy();
    await cache(store, seven, 'seven');
    await store.schemes(ARTICLE);
    await other.mark(writer(), [touching('another')]); // so that the server has the script
    proxy.swallow();
    const w = writer();
    const error = await store.mark(w, [touching(ARTICLE, category('7'))]).catch(thrown => thrown);
    expect(error).to.be.instanceOf(StoreError);

    await until(async () => (await other.lease(seven, LONG)).granted === false);
    await expectMiss(other, seven);
    await other.settle(w.id, [ARTICLE]);
    await leaseGranted(other, seven);
  });

  it('fails pending operations when the connection is cut, and the store connects again', async () => {
    const { store, proxy } = await behindProxy({ commandTimeout: 5000 });
    await cache(store, seven, 'seven');
    proxy.mode = 'stall';
    const underWay = Object.values(OPERATIONS).map(operate => operate(store).catch(error => error));
    proxy.cut();
    for (const outcome of await Promise.all(underWay)) {
      expect(outcome).to.be.instanceOf(StoreError);
    }
    proxy.mode = 'pass';

    await cache(store, seven, 'seven');
    await expectHit(store, seven, 'seven');
  });

  it('ends with a new connection after the server has killed the old one', async () => {
    const url = await redisUrl();
    const subject = redisSubject(`${url}?connectionName=${crypto.randomUUID()}`);
    ends.push(() => subject.end());
    const { store, client } = subject;
    await cache(store, seven, 'seven');
    for (let round = 0; round < 3; round++) {
      const [, own] = ((await client.client('LIST')) as string)
        .split('\n')
        .filter(
          line => line.includes(`name=${client.options.connectionName}`) && !line.includes('cmd=client'),
        )
        .map(line => /^id=(\d+)/.exec(line)!)[0]!;
      await client.client('KILL', 'ID', own!);
      await until(() => works(store));
    }

    await expectHit(store, seven, 'seven');
  });

  it('fails operations of a server with nonsensical answers', async () => {
    const { store, proxy } = await behindProxy({ commandTimeout: 2000 });
    await cache(store, seven, 'seven');
    for (const nonsense of [
      'HTTP/1.1 400 Bad Request\r\n\r\n',
      '\0\0\0\r\n',
      '*-5\r\n',
      ':7\r\n',
      '$3\r\nabc\r\n',
    ]) {
      const reading = store.read(seven).then(
        found => found && String(found.payload),
        error => error,
      );
      proxy.say(nonsense);
      const outcome = await reading;
      if (outcome !== undefined && outcome !== 'seven') {
        expect(outcome).to.be.instanceOf(StoreError);
      }
      proxy.cut();
      await until(() => works(store));
    }

    await cache(store, seven, 'seven');
    await expectHit(store, seven, 'seven');
  });

  it('makes a miss of an answer that belongs to another command', async () => {
    const { store, proxy } = await behindProxy({ commandTimeout: 2000 });
    const eight = articles(category('8'));
    await cache(store, seven, 'seven');
    await cache(store, eight, 'eight');
    for (let round = 0; round < 5; round++) {
      proxy.say('*3\r\n$-1\r\n$-1\r\n$-1\r\n');
      for (const [address, result] of [
        [seven, 'seven'],
        [eight, 'eight'],
      ] as const) {
        const found = await store.read(address).catch(() => undefined);
        expect([undefined, result]).to.include(found && String(found.payload));
      }
    }
  });

  it('replaces a connection on which every answer is shifted by one command', async () => {
    const { store, proxy } = await behindProxy();
    await cache(store, seven, 'seven');
    const { connections } = proxy;
    proxy.loseAnswer();
    await until(() => works(store));
    expect(proxy.connections).to.be.above(connections);

    await cache(store, seven, 'seven');
    await expectHit(store, seven, 'seven');
  });

  describe('when a request never arrives, and the next answer belongs to another one', () => {
    const eight = articles(category('8'));

    /** Loses the request of an operation, and sends one of the same kind behind it. */
    async function loseOneOf(
      proxy: RedisProxy,
      lost: () => Promise<unknown>,
      next: () => Promise<unknown>,
      command?: string,
    ) {
      const losing = proxy.loseRequest(command);
      const first = lost().then(
        () => 'done',
        error => error,
      );
      await losing;
      await next().catch(() => {});
      return first;
    }

    const LOST: Record<string, (store: Store) => Promise<unknown>> = {
      mark: store => store.mark(writer(), [touching(ARTICLE, category('7'))]),
      drop: store => store.drop([ARTICLE]),
      clear: store => store.clear(),
      settle: store => store.settle('w', [ARTICLE]),
      lift: store => store.lift({ table: ARTICLE, nonce: 'nonce' }),
    };
    const NEXT: Record<string, (store: Store) => Promise<unknown>> = {
      mark: store => store.mark(writer(), [touching('another', category('8'))]),
      drop: store => store.drop(['another']),
      clear: store => store.clear(),
      settle: store => store.settle('v', ['another']),
      lift: store => store.lift({ table: 'another', nonce: 'nonce' }),
    };

    for (const [name, operate] of Object.entries(LOST)) {
      it(`a ${name} fails, and the connection is replaced`, async () => {
        const { store, other, proxy } = await behindProxy({ commandTimeout: 1000 });
        await cache(other, seven, 'seven');
        // so that the server has the scripts, and this store the schemes
        await NEXT[name]!(store);
        await store.schemes(ARTICLE);
        const { connections } = proxy;
        const outcome = await loseOneOf(
          proxy,
          () => operate(store),
          () => NEXT[name]!(store),
        );

        expect(outcome).to.be.instanceOf(StoreError);
        await until(() => works(store));
        expect(proxy.connections).to.be.above(connections);
        await operate(store);
      });
    }

    it('a read that asks for row deltas fails', async () => {
      const { store, other, proxy } = await behindProxy({ commandTimeout: 1000 });
      const priced: Dependency = {
        scheme: { id: 'category?price', columns: ['category'], tests: ['price'] },
        values: '7',
      };
      const address = articles(priced);
      await cache(other, address, 'old');
      await NEXT.mark!(store);
      await other.mark(writer(), [stepping(ARTICLE, priced, [['1'], ['2'], 0])]);
      await store.read(eight);
      const outcome = await loseOneOf(
        proxy,
        () => store.read(address),
        () => NEXT.mark!(store),
        'evalsha',
      );

      expect(outcome).to.be.instanceOf(StoreError);
      expect((await other.read(address))?.moved).to.have.length(1);
    });

    it('a lease fails', async () => {
      const { store, proxy } = await behindProxy({ commandTimeout: 1000 });
      await trust(store, eight);
      const outcome = await loseOneOf(
        proxy,
        () => store.lease(seven, LONG),
        () => store.lease(eight, LONG),
      );

      expect(outcome).to.be.instanceOf(StoreError);
    });
  });

  for (const answer of ['$-1\r\n', '$-1\r\n$-1\r\n', '*0\r\n:1\r\n', '-ERR for nobody\r\n']) {
    it(`replaces a connection with an answer without a command (${JSON.stringify(answer)})`, async () => {
      const { store, proxy } = await behindProxy({ commandTimeout: 2000 });
      await cache(store, seven, 'seven');
      const { connections } = proxy;
      proxy.say(answer);
      await until(() => proxy.connections > connections);

      await until(() => works(store));
      await expectHit(store, seven, 'seven');
    });
  }

  describe('is not assumed when the process itself is busy', () => {
    /** Nothing else happens in this process meanwhile. */
    function block(milliseconds: number): void {
      const end = performance.now() + milliseconds;
      while (performance.now() < end) {}
    }

    it('while it waits for an answer', async () => {
      const { store, other } = await behindProxy();
      await cache(store, seven, 'seven');
      await store.schemes(ARTICLE);
      const reading = ask(store, seven);
      block(600);
      expect(await reading).to.equal('seven');

      const w = writer();
      const marking = store.mark(w, [touching(ARTICLE, category('7'))]);
      block(600);
      await marking;
      await expectMiss(other, seven);
      const settling = store.settle(w.id, [ARTICLE]);
      block(600);
      await settling;
      await leaseGranted(other, seven);
    });

    it('while an answer takes long, but less than the timeout', async () => {
      const { store, proxy } = await behindProxy();
      await cache(store, seven, 'seven');
      proxy.mode = 'stall';
      const reading = ask(store, seven);
      setTimeout(() => {
        proxy.mode = 'pass';
      }, 700);
      block(600);

      expect(await reading).to.equal('seven');
    });

    it('while it connects', async () => {
      const { proxy } = await behindProxy();
      const store = storeAt(proxy.url);
      const opening = store.read(seven);
      await new Promise<void>(resolve => setImmediate(resolve));
      block(1300);

      expect(await opening).to.equal(undefined);
    });

    it('more than once: a missing answer still fails in time', async () => {
      const { store, proxy } = await behindProxy();
      await cache(store, seven, 'seven');
      proxy.mode = 'stall';
      const start = performance.now();
      const reading = store.read(seven).catch(error => error);
      block(300);
      expect(await reading).to.be.instanceOf(StoreError);
      expect(performance.now() - start).to.be.within(300, 2000);
    });
  });

  it('replaces a connection to a server that accepts it and never answers', async () => {
    const { store, proxy, other } = await behindProxy();
    await cache(other, seven, 'seven');
    proxy.mode = 'stall';
    await store.read(seven).catch(() => {});
    await until(() => proxy.connections > 1);
    proxy.mode = 'pass';

    await until(() => works(store));
    await expectHit(store, seven, 'seven');
  });

  it('fails operations if the server is not Redis', async () => {
    const server = createServer(socket => {
      socket.on('error', () => {});
      socket.on('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    });
    const port = await freePort();
    await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
    ends.push(() => server.close());

    await expectAllToFail(storeAt(`redis://127.0.0.1:${port}`), 1000);
  });

  it('fails operations if the password is wrong', async () => {
    const url = new URL(await redisUrl());
    url.password = 'wrong';
    url.username = 'nobody';
    await expectAllToFail(storeAt(url.href), 1000);
  });

  it('fails operations if the server lacks the database, and uses no other database', async () => {
    const store = storeAt(`${await redisUrl()}/2147483647`);
    await expectAllToFail(store, 1000);
    const error: Error = await store.read(seven).then(
      () => expect.fail('it has read'),
      thrown => thrown,
    );
    expect(error.message).to.include('database 2147483647 cannot be selected: ERR');
  });

  describe('when another program writes to its keys', () => {
    const names = [`t:{${ARTICLE}}`, `g:{${ARTICLE}}`, `c:{${ARTICLE}}:8:category:7`, `e:${seven.key}`];
    const meddling: Record<string, (subject: RedisSubject, key: string) => Promise<unknown>> = {
      'a string': ({ client }, key) => client.set(key, 'something else'),
      'an empty string': ({ client }, key) => client.set(key, ''),
      'a hash': ({ client }, key) => client.hset(key, 'field', 'value'),
      'a list': ({ client }, key) => client.rpush(key, 'value'),
    };

    for (const [what, meddle] of Object.entries(meddling)) {
      for (const name of names) {
        it(`serves nothing stale, and recovers, if ${name[0]} is ${what}`, async () => {
          const subject = redisSubject(await redisUrl());
          ends.push(() => subject.end());
          const { store, other, client } = subject;
          await cache(store, seven, 'old');
          await client.del(subject.key(name));
          await meddle(subject, subject.key(name));

          // the registry alone does not decide about a hit
          await (name.startsWith('t:') ? expectHit(store, seven, 'old') : expectMiss(store, seven));
          const w = writer();
          await other.mark(w, [touching(ARTICLE, category('7'))]);
          await expectMiss(store, seven);
          await other.settle(w.id, [ARTICLE]);
          await expectMiss(store, seven);
          await cache(store, seven, 'new');
          await expectHit(store, seven, 'new');
        });
      }
    }

    it('neither settles nor lifts a value that is not a registry', async () => {
      const subject = redisSubject(await redisUrl());
      ends.push(() => subject.end());
      const { store, client } = subject;
      await client.set(subject.key(names[0]!), 'something else');
      await store.settle('w', [ARTICLE]);
      await store.lift({ table: ARTICLE, nonce: 'something else' });

      expect(await store.schemes(ARTICLE)).to.deep.equal([]);
    });
  });

  it('causes no unhandled errors', async () => {
    const client = quietClient(await redisUrl());
    ends.push(() => client.disconnect());
    const unhandled: unknown[] = [];
    const note = (error: unknown) => unhandled.push(error);
    process.on('unhandledRejection', note);
    try {
      const { store, proxy } = await behindProxy();
      await cache(store, seven, 'seven');
      proxy.mode = 'stall';
      const attempts = Object.values(OPERATIONS).map(operate => operate(store).catch(() => {}));
      proxy.cut();
      await store.close();
      await Promise.all(attempts);
      await new Promise(setImmediate);
    } finally {
      process.off('unhandledRejection', note);
    }

    expect(unhandled).to.deep.equal([]);
  });
});
