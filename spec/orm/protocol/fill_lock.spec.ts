import { type ChildProcess, fork as forkProcess } from 'node:child_process';
import { once } from 'node:events';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Article, entities, Tag } from '../../../fixtures/legacy/index.js';
import { type CallOptions, MemoryStore } from '../../../lib/index.js';
import { FillLocks } from '../../../lib/orm/protocol/fill_lock.js';
import { type Gate, gate } from '../../support/gate.js';
import { freshDatabase, redisUrl } from '../../support/servers.js';
import { until } from '../../support/until.js';
import { createBlog } from '../support/blog.js';
import type { Order, Outcome } from '../support/lock_child.js';
import { readsOf, sourcesOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';

describe('lock: true', () => {
  let blog: Started;
  let other: Started;
  /** number of questions whether the process is the first */
  let looks: number;

  beforeEach(async () => {
    await createBlog();
    const store = new MemoryStore();
    blog = await join({ entities, cacheops: { store } });
    other = await join({ entities, cacheops: { store, profiles: { Tag: { lock: true, timeout: 60 } } } });
    looks = 0;
    const { lease } = store;
    store.lease = (address, ttl) => {
      looks += Number(address.key === 'lock');
      return lease.call(store, address, ttl);
    };
  });

  afterEach(async () => {
    await blog.orm.close();
    await other.orm.close();
  });

  const read = ({ orm }: Started, cacheops?: CallOptions) => orm.em.fork().find(Tag, {}, { cacheops });

  /** Stands for another process that asks the same. */
  async function hold(cacheops: CallOptions = true) {
    const [event] = await readsOf(blog.cache, () => read(blog, cacheops));
    await blog.cache.invalidateAll();
    const lock = await new FillLocks(blog.store, () => {}).take(event!.key!, async () => undefined);
    looks = 0;
    return lock as Extract<typeof lock, { release: unknown }>;
  }

  it('is an option of the call, the repository, the query builder and the profile', async () => {
    const { em } = blog.orm;
    const ways: (() => Promise<unknown>)[] = [
      () => read(blog, { lock: true }),
      () => em.fork().getRepository(Tag).cache({ lock: true }).findAll(),
      () => em.fork().createQueryBuilder(Tag).cacheops({ lock: true }).getResult(),
      () =>
        em.fork().find(Article, {}, { populate: ['tags'], strategy: 'select-in', cacheops: { lock: true } }),
      () => read(other),
      () => read(other, { timeout: 5 }),
    ];
    for (const way of ways) {
      await blog.cache.invalidateAll();
      looks = 0;
      await way();
      await blog.cache.idle();
      expect(looks, String(way)).to.be.above(0);
    }
    for (const way of [() => read(blog), () => read(other, { lock: false })]) {
      await blog.cache.invalidateAll();
      looks = 0;
      await way();
      expect(looks, String(way)).to.equal(0);
    }
  });

  it('sends no further command on a hit', async () => {
    await read(other);
    await other.cache.idle();
    looks = 0;
    expect(await sourcesOf(other.cache, () => read(other))).to.deep.equal(['cache']);
    expect(looks).to.equal(0);
  });

  it('waits for the query of another process and returns the result that it has stored', async () => {
    const lock = await hold();
    const late = sourcesOf(other.cache, () => Promise.all([read(other), read(other)]));
    await until(() => looks > 1);
    await read(blog);
    await blog.cache.idle();
    expect(await late).to.deep.equal(['shared', 'shared']);
    lock.release();
  });

  it('does not return a result from before a commit to a reader that begins after it', async () => {
    const lock = await hold();
    const early = read(other);
    await until(() => looks > 1);
    await read(blog);
    await blog.cache.idle();
    // the waiting reader has looked for the entry, and is about to find it
    const found: Gate = gate();
    const { read: readStore } = blog.store;
    let reads = 0;
    blog.store.read = async address => {
      const answer = await readStore.call(blog.store, address);
      if (++reads === 1) {
        await found.pass();
      }
      return answer;
    };
    await found.reached;
    await blog.orm.em.fork().nativeUpdate(Tag, { id: 1 }, { name: 'renamed' });
    const late = read(other);
    await until(() => reads === 2);
    found.open();
    await early;
    expect((await late).map(({ name }) => name)).to.include('renamed');
    lock.release();
  });

  it('never waits in a transaction, nor with a signal that may end it', async () => {
    const lock = await hold();
    const inTransaction = () => other.orm.em.fork().transactional(em => em.find(Tag, {}));
    expect(await sourcesOf(other.cache, inTransaction)).to.deep.equal(['miss']);
    await blog.cache.invalidateAll();
    const { signal } = new AbortController();
    expect(await sourcesOf(other.cache, () => other.orm.em.fork().find(Tag, {}, { signal }))).to.deep.equal([
      'miss',
    ]);
    expect(looks).to.equal(0);
    lock.release();
  });

  it('does not wait if the store fails', async () => {
    const lock = await hold();
    const failing = new MemoryStore();
    const broken = await join({ entities, cacheops: { store: failing } });
    const fail = () => Promise.reject(new Error('down'));
    Object.assign(failing, { mark: fail, lease: fail, settle: fail, read: fail });
    try {
      expect(await read(broken, { lock: true })).to.have.lengthOf(3);
      expect(broken.cache.stats().errors).to.be.above(0);
    } finally {
      await broken.orm.close();
      lock.release();
    }
  });
});

describe('lock: true, with several processes on PostgreSQL and Redis', function () {
  this.timeout(300_000);
  const PROCESSES = 3;
  let orm: MikroORM;
  let children: ChildProcess[];
  let start: () => ChildProcess;

  before(async () => {
    const url = await freshDatabase('locks');
    const redis = await redisUrl();
    orm = await MikroORM.init({ clientUrl: url, entities: [], discovery: { warnWhenNoEntities: false } });
    await orm.em.execute(`create table tag (id serial primary key, name varchar(255) not null)`);
    await orm.em.execute(`insert into tag (name) select 'tag ' || i from generate_series(1, 9) as i`);
    start = () =>
      forkProcess(new URL('../support/lock_child.js', import.meta.url), [url, redis, 'locks:'], {
        execArgv: [],
      });
    children = Array.from({ length: PROCESSES }, start);
    await Promise.all(children.map(hear));
    for (const child of children) {
      // lifts the quarantines of new registries
      await ask(child, { id: 1, reads: 1, lock: true });
    }
  });

  after(async () => {
    await Promise.all(children.map(end));
    await orm.close();
  });

  const hear = async (child: ChildProcess): Promise<any> => (await once(child, 'message'))[0];

  async function end(child: ChildProcess): Promise<void> {
    const ended = once(child, 'exit');
    child.disconnect();
    await ended;
  }

  async function ask(child: ChildProcess, order: Order): Promise<Outcome> {
    child.send(order);
    for (;;) {
      const heard = await hear(child);
      if (typeof heard === 'object') {
        return heard;
      }
    }
  }

  /** Makes every query of the table wait, so that nothing of it is stored. */
  async function stall() {
    const em = orm.em.fork();
    await em.begin();
    await em.execute('lock table tag in access exclusive mode');
    return () => em.rollback();
  }

  const queries = async () => {
    const [row] = await orm.em.fork().execute(
      `select count(*)::int as n from pg_stat_activity
       where datname = current_database() and wait_event_type = 'Lock' and query like 'select%"tag"%'`,
    );
    return row!.n as number;
  };

  /** Each process reads the same cold entry many times at once, while the database is busy. */
  async function race(id: number, lock: boolean): Promise<string[]> {
    const resume = await stall();
    const waiting = lock ? children.map(child => heardOf(child, 'waits')) : [];
    const outcomes = children.map(child => ask(child, { id, reads: 10, lock }));
    if (lock) {
      await until(queries);
      // all but the one that asks
      let others = 0;
      waiting.forEach(heard => void heard.then(() => others++));
      await until(() => others === PROCESSES - 1);
    } else {
      await until(async () => (await queries()) === PROCESSES);
    }
    await resume();
    return (await Promise.all(outcomes)).flatMap(({ sources }) => sources);
  }

  async function heardOf(child: ChildProcess, news: string): Promise<void> {
    while ((await hear(child)) !== news) {}
  }

  it('asks the database once for a key that all of them miss', async () => {
    const sources = await race(2, true);
    expect(sources).to.have.lengthOf(10 * PROCESSES);
    expect(sources.filter(source => source !== 'shared')).to.deep.equal(['miss']);
  });

  it('asks the database once for each process without the option', async () => {
    const sources = await race(3, false);
    expect(sources.filter(source => source === 'miss')).to.have.lengthOf(PROCESSES);
  });

  it('waits at most five seconds for a process that dies during its query', async () => {
    const doomed = start();
    await hear(doomed);
    const resume = await stall();
    const order = { id: 4, reads: 1, lock: true };
    doomed.send(order);
    await until(queries);
    const waits = heardOf(children[0]!, 'waits');
    const outcome = ask(children[0]!, order);
    await waits;
    const dead = once(doomed, 'exit');
    doomed.kill('SIGKILL');
    await dead;
    await resume();
    const { sources, duration } = await outcome;
    expect(sources).to.deep.equal(['miss']);
    // plus the time of a query on a busy machine
    expect(duration).to.be.within(4000, 8000);
  });
});
