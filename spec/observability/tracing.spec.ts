import { AsyncLocalStorage } from 'node:async_hooks';
import { tracingChannel } from 'node:diagnostics_channel';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, Tag } from '../../fixtures/legacy/index.js';
import {
  CacheMiss,
  cachedAs,
  channels,
  MemoryStore,
  type ReadMessage,
  type StoreMessage,
} from '../../lib/index.js';
import { fragments } from '../../lib/integrations/templates/index.js';
import { startBlog } from '../orm/support/blog.js';
import type { Started } from '../orm/support/start.js';

type Phase = 'start' | 'end' | 'asyncStart' | 'asyncEnd' | 'error';
const PHASES: readonly Phase[] = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'];

describe('channels', () => {
  let blog: Started;

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  const fork = () => blog.orm.em.fork();

  /** The messages published while it ran. A message is the same object from start to end. */
  async function heard<M extends object>(
    name: string,
    run: () => unknown,
  ): Promise<{ readonly phase: Phase; readonly message: M; readonly now: Partial<M> }[]> {
    const told: { phase: Phase; message: M; now: Partial<M> }[] = [];
    const channel = tracingChannel<unknown, M>(name);
    const subscribers = Object.fromEntries(
      PHASES.map(phase => [phase, (message: M) => told.push({ phase, message, now: { ...message } })]),
    );
    channel.subscribe(subscribers as never);
    try {
      await run();
      await blog.cache.idle();
    } finally {
      channel.unsubscribe(subscribers as never);
    }
    return told;
  }

  const reads = async (run: () => unknown) =>
    (await heard<ReadMessage>('mikro-orm-cacheops:read', run))
      .filter(({ phase }) => phase === 'asyncEnd')
      .map(({ message: { op, entity, outcome, reason } }) => [op, entity, outcome, reason].join(' ').trim());

  it('publish the start and end of a read', async () => {
    const told = await heard<ReadMessage>('mikro-orm-cacheops:read', () => fork().find(Tag, {}));
    expect(told.map(({ phase }) => phase)).to.deep.equal(['start', 'end', 'asyncStart', 'asyncEnd']);
    expect(new Set(told.map(({ message }) => message)).size).to.equal(1);
    const [start, , , end] = told;
    const given = {
      entity: 'Tag',
      op: 'fetch',
      database: blog.cache.events.database,
      events: blog.cache.events,
    };
    expect(start!.now).to.deep.equal(given);
    expect(end!.now).to.deep.equal({
      ...given,
      outcome: 'miss',
      reason: 'miss',
      key: end!.message.key,
      result: undefined,
    });
    expect(end!.message.key).to.match(/^Tag:/);
  });

  it('publish the outcome of queries, functions, fragments and values', async () => {
    const fn = cachedAs(Article, { name: 'traced' })(async (_em: EntityManager) => 1);
    const all = async () => {
      await fork().count(Tag, {});
      await fork().find(Tag, {}, { cacheops: false });
      await fn(fork());
      await fragments(blog.orm)('menu', Tag, () => 'x');
      await blog.cache.cache.through('motd', async () => 'x');
      await blog.cache.cache.get('nothing').catch(error => expect(error).to.be.instanceOf(CacheMiss));
      await blog.cache.idle();
    };
    expect(await reads(all)).to.deep.equal([
      'count Tag miss miss',
      'fetch Tag bypass call',
      'function traced miss miss',
      'fragment menu miss miss',
      'value motd miss miss',
      'value nothing miss miss',
    ]);
    expect(await reads(all)).to.deep.equal([
      'count Tag hit',
      'fetch Tag bypass call',
      'function traced hit',
      'fragment menu hit',
      'value motd hit',
      'value nothing miss miss',
    ]);
    expect(await reads(() => blog.cache.disabled(all))).to.deep.equal(
      [
        'count Tag bypass disabled',
        'fetch Tag bypass disabled',
        'function traced bypass disabled',
        'fragment menu bypass disabled',
        'value motd bypass disabled',
        'value nothing bypass disabled',
      ].map((line, i) => (i === 1 ? 'fetch Tag bypass call' : line)),
    );
  });

  it('publish the error of a read, which still rejects with it', async () => {
    const fn = cachedAs(Article, { name: 'failing' })(async (_em: EntityManager) => {
      throw new Error('no');
    });
    let failure: unknown;
    const told = await heard<ReadMessage>('mikro-orm-cacheops:read', () =>
      fn(fork()).catch(error => {
        failure = error;
      }),
    );
    expect(told.map(({ phase }) => phase)).to.deep.equal(['start', 'end', 'error', 'asyncStart', 'asyncEnd']);
    expect(told[2]!.message.error).to.equal(failure).and.to.have.property('message', 'no');
  });

  it('contain no results', async () => {
    const told = await heard<ReadMessage>('mikro-orm-cacheops:read', () => fork().find(Tag, { name: 'red' }));
    const values = Object.entries(told.at(-1)!.message).filter(([name]) => name !== 'events');
    expect(JSON.stringify(values)).not.to.contain('red');
  });

  it('let a subscriber run a read within an AsyncLocalStorage', async () => {
    const storage = new AsyncLocalStorage<ReadMessage>();
    let around: ReadMessage | undefined;
    const { read } = blog.store;
    blog.store.read = address => {
      around = storage.getStore();
      return read.call(blog.store, address);
    };
    channels.read.start.bindStore(storage as never, message => message);
    try {
      await fork().findOne(Tag, 1);
    } finally {
      channels.read.start.unbindStore(storage as never);
    }
    expect(around).to.include({ entity: 'Tag', op: 'get' });
    expect(storage.getStore()).to.equal(undefined);
  });

  it('publish the calls of the store by readers and writers', async () => {
    await blog.cache.invalidateModel(Tag); // once the catalog is known
    const told = await heard<StoreMessage>('mikro-orm-cacheops:store', async () => {
      await fork().find(Tag, {});
      await blog.cache.idle();
      await fork().find(Tag, {});
      await fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
      await blog.cache.idle();
      await blog.cache.invalidateModel(Tag);
      await blog.cache.invalidateAll();
    });
    const ended = told.filter(({ phase }) => phase === 'asyncEnd').map(({ message }) => message);
    expect(ended.map(({ operation }) => operation)).to.deep.equal([
      'read',
      'lease',
      'lift', // the quarantine of a table that nobody has asked for before
      'lease',
      'fill',
      'read',
      'mark',
      'settle',
      'drop',
      'clear',
    ]);
    const [read] = ended;
    const [mark, settle] = ended.slice(6);
    expect(read!.key).to.match(/^Tag:/);
    expect(mark!.tables).to.have.length(1);
    expect(mark!.tables![0]).to.match(/\/public\.tag$/);
    expect(settle!.tables).to.deep.equal(mark!.tables);
    expect(new Set(ended.map(({ events }) => events))).to.deep.equal(new Set([blog.cache.events]));
  });

  it('publish errors of the store, which do not fail the application', async () => {
    class Broken extends MemoryStore {
      override async read(): Promise<undefined> {
        throw new Error('broken');
      }
    }
    await blog.orm.close();
    blog = await startBlog({ cacheops: { store: new Broken() } });
    const told = await heard<StoreMessage>('mikro-orm-cacheops:store', async () => {
      expect(await fork().find(Tag, {})).to.have.length(3);
    });
    const failed = told.find(({ phase }) => phase === 'error');
    expect(failed!.message).to.include({ operation: 'read' });
    expect(failed!.message.error).to.have.property('message', 'broken');
  });

  it('publish nothing without subscribers', async () => {
    expect([channels.read.hasSubscribers, channels.store.hasSubscribers]).to.deep.equal([false, false]);
  });
});
