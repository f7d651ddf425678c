import { expect } from 'chai';
import sinon from 'sinon';
import { GuardedStore, type GuardOptions } from '../../lib/store/guarded_store.js';
import { MemoryStore } from '../../lib/store/memory/memory_store.js';
import type { EntryAddress, Lease, Store } from '../../lib/store/store.js';
import { EVERYTHING } from '../../lib/store/store.js';
import { WHOLE_TABLE } from '../../lib/values/scheme.js';
import { ask } from './words.js';

const ADDRESS: EntryAddress = {
  key: 'articles',
  tables: [{ table: 'article', dependencies: [{ scheme: WHOLE_TABLE, values: '' }] }],
};
const CHANGE = { table: 'article', touched: () => undefined };
const WRITER = { id: 'writer', xid: '7' };
const RETRY_AFTER = 1000;

/** A store that can be down, and that counts its calls. */
class FallibleStore extends MemoryStore {
  isDown = false;
  calls = 0;
}
for (const method of [
  'read',
  'reseal',
  'lease',
  'fill',
  'schemes',
  'mark',
  'settle',
  'lift',
  'drop',
  'clear',
] as const) {
  const works = MemoryStore.prototype[method] as (...args: unknown[]) => Promise<unknown>;
  Object.defineProperty(FallibleStore.prototype, method, {
    async value(this: FallibleStore, ...args: unknown[]) {
      this.calls++;
      if (this.isDown) {
        throw new Error('down');
      }
      return works.apply(this, args);
    },
  });
}

describe('the guarded store', () => {
  let clock: sinon.SinonFakeTimers;
  let store: FallibleStore;
  let reports: string[];

  beforeEach(() => {
    clock = sinon.useFakeTimers({ toFake: ['performance', 'Date', 'setTimeout', 'clearTimeout'] });
    store = new FallibleStore();
    reports = [];
  });

  afterEach(() => clock.restore());

  function guard(onStoreFailure: GuardOptions['onStoreFailure'] = 'degrade'): GuardedStore {
    return new GuardedStore(store, {
      onStoreFailure,
      retryAfter: RETRY_AFTER,
      report: operation => reports.push(operation),
    });
  }

  /** Puts a result into the store, as a reader would. */
  async function fill(to: Store): Promise<void> {
    let lease: Lease = await to.lease(ADDRESS, 60);
    if (!lease.granted) {
      await Promise.all(lease.quarantines.map(quarantine => to.lift(quarantine)));
      lease = await to.lease(ADDRESS, 60);
    }
    expect(lease.granted).to.equal(true);
    await to.fill(ADDRESS, (lease as { seal: string }).seal, Buffer.from('result'), 60);
  }

  /** Lets the attempt to recover, which goes on in the background, come to its end. */
  async function recovered(guarded: GuardedStore): Promise<void> {
    await guarded.read(ADDRESS);
    await clock.tickAsync(0);
  }

  it('answers with a miss while the store is down, and rejects only a fill, because it has stored nothing', async () => {
    const guarded = guard();
    await fill(guarded);
    store.isDown = true;

    expect(await guarded.read(ADDRESS)).to.equal(undefined);
    expect((await guarded.lease(ADDRESS, 60)).granted).to.equal(false);
    const filled = await guarded.fill(ADDRESS, 'seal', Buffer.from('x'), 60).catch(String);
    expect(filled).to.equal('StoreError: The store has failed at "fill": it has failed a moment ago');
    await guarded.reseal(ADDRESS, {
      payload: Buffer.from('x'),
      moved: [],
      seal: 'seal',
      id: 'id',
      carried: () => 'seal',
    });
    expect(await guarded.schemes('article')).to.deep.equal([]);
    expect(reports).to.deep.equal(['read']);
  });

  it('calls a store that is down once, and not once per query', async () => {
    const guarded = guard();
    store.isDown = true;
    for (let i = 0; i < 1000; i++) {
      await guarded.read(ADDRESS);
      await guarded.lease(ADDRESS, 60);
    }
    expect(store.calls).to.equal(1);
  });

  it('drops everything for a writer with unknown changes', async () => {
    const guarded = guard();
    await fill(guarded);
    await guarded.mark(WRITER, [{ table: EVERYTHING, touched: () => undefined }]);
    expect(await ask(store, ADDRESS)).to.equal(undefined);
    await guarded.settle(WRITER.id, [EVERYTHING]);
    await fill(guarded);
    expect(await ask(guarded, ADDRESS)).to.equal('result');
    await guarded.drop(['other', EVERYTHING]);
    expect(await ask(store, ADDRESS)).to.equal(undefined);
  });

  it('drops everything when the store is back, if the store has missed that, with `degrade`', async () => {
    const guarded = guard();
    await fill(guarded);
    store.isDown = true;
    await guarded.mark(WRITER, [{ table: EVERYTHING, touched: () => undefined }]);
    await guarded.settle(WRITER.id, [EVERYTHING]);
    store.isDown = false;
    expect(await ask(store, ADDRESS), 'what others still see').to.equal('result');
    await clock.tickAsync(RETRY_AFTER);
    await recovered(guarded);
    expect(await ask(store, ADDRESS)).to.equal(undefined);
  });

  it('fails the transaction of a writer that cannot drop everything, with `throw`', async () => {
    const guarded = guard('throw');
    store.isDown = true;
    let failure: unknown;
    await guarded.mark(WRITER, [{ table: EVERYTHING, touched: () => undefined }]).catch(error => {
      failure = error;
    });
    expect(failure).to.be.an.instanceOf(Error);
  });

  it('notices in the background that the store is back', async () => {
    const guarded = guard();
    await fill(guarded);
    store.isDown = true;
    await guarded.read(ADDRESS);
    store.isDown = false;

    await clock.tickAsync(RETRY_AFTER - 1);
    expect(await guarded.read(ADDRESS)).to.equal(undefined);
    await clock.tickAsync(1);
    await recovered(guarded);
    expect(await ask(guarded, ADDRESS)).to.equal('result');
  });

  it('fails the transaction of a writer whose mark the store does not take, with `throw`', async () => {
    const guarded = guard('throw');
    store.isDown = true;
    const failures: unknown[] = [];
    for (let i = 0; i < 2; i++) {
      await guarded.mark(WRITER, [CHANGE]).catch(error => failures.push(error));
    }
    expect(failures).to.have.length(2);
  });

  it('does not trust the store before it has delivered what the store has missed, with `degrade`', async () => {
    const guarded = guard();
    await fill(guarded);
    store.isDown = true;
    await guarded.mark(WRITER, [CHANGE]);
    await guarded.settle(WRITER.id, ['article']);
    store.isDown = false;

    expect(await ask(store, ADDRESS), 'what others still see').to.equal('result');
    await clock.tickAsync(RETRY_AFTER);
    expect(await guarded.read(ADDRESS), 'not trusted yet').to.equal(undefined);
    await recovered(guarded);
    expect(await guarded.read(ADDRESS)).to.equal(undefined);
    expect(await store.read(ADDRESS), 'delivered').to.equal(undefined);
  });

  /** The lease of another process after a miss. */
  async function leaseOfOthers(): Promise<Lease> {
    const lease = await store.lease(ADDRESS, 60);
    if (lease.granted || lease.quarantines.length === 0) {
      return lease;
    }
    await Promise.all(lease.quarantines.map(quarantine => store.lift(quarantine)));
    return store.lease(ADDRESS, 60);
  }

  it('sends the mark of a writer that has not ended late, before it trusts the store', async () => {
    const guarded = guard();
    await fill(store);
    store.isDown = true;
    await guarded.mark(WRITER, [CHANGE]);
    store.isDown = false;
    await clock.tickAsync(RETRY_AFTER - 1);
    expect(await ask(store, ADDRESS), 'what others still see').to.equal('result');
    expect(await guarded.read(ADDRESS), 'not trusted yet').to.equal(undefined);

    await clock.tickAsync(1);
    expect(await store.read(ADDRESS)).to.equal(undefined);
    expect(await leaseOfOthers()).to.deep.include({ granted: false, quarantines: [] });
    const lease = await guarded.lease(ADDRESS, 60);
    expect(lease, 'trusted: it says what stands in the way').to.have.nested.property('writers[0].xid', '7');

    await guarded.settle(WRITER.id, ['article']);
    await fill(guarded);
    expect(await ask(guarded, ADDRESS)).to.equal('result');
  });

  it('sends all tables of a writer that has marked more than once late', async () => {
    const guarded = guard();
    store.isDown = true;
    await guarded.mark(WRITER, [CHANGE]);
    await guarded.mark(WRITER, [{ ...CHANGE, table: 'author' }]);
    store.isDown = false;
    const mark = sinon.spy(store, 'mark');
    await clock.tickAsync(RETRY_AFTER);

    expect(mark.args.map(([writer, changes]) => [writer, changes.map(({ table }) => table)])).to.deep.equal([
      [WRITER, ['article', 'author']],
    ]);
  });

  it('leaves no mark of a writer that settles while its late mark is sent', async () => {
    const guarded = guard();
    store.isDown = true;
    await guarded.mark(WRITER, [CHANGE]);
    store.isDown = false;
    const marked = Promise.withResolvers<void>();
    const mark = sinon.stub(store, 'mark').callsFake(async (...args) => {
      await marked.promise;
      await MemoryStore.prototype.mark.apply(store, args);
    });
    await clock.tickAsync(RETRY_AFTER);
    expect(mark.callCount).to.equal(1);
    const settling = guarded.settle(WRITER.id, ['article']);
    await clock.tickAsync(0);
    marked.resolve();
    await settling;
    expect((await leaseOfOthers()).granted).to.equal(true);
  });

  it('still delivers a later write to a table whose earlier write was delivered', async () => {
    const guarded = guard();
    const later = { id: 'later', xid: '8' };
    await fill(store);
    store.isDown = true;
    await guarded.mark(WRITER, [CHANGE]);
    await guarded.settle(WRITER.id, ['article']);
    store.isDown = false;

    const dropped = Promise.withResolvers<void>();
    const drop = sinon.stub(store, 'drop').callsFake(async tables => {
      await MemoryStore.prototype.drop.call(store, tables);
      await dropped.promise;
    });
    await clock.tickAsync(RETRY_AFTER);
    expect(drop.args).to.deep.equal([[['article']]]);
    drop.restore();
    store.isDown = true;
    await guarded.mark(later, [CHANGE]);
    store.isDown = false;
    await fill(store); // a healthy process reads before the later writer commits
    await guarded.settle(later.id, ['article']);
    dropped.resolve();
    await clock.tickAsync(RETRY_AFTER);
    expect(await store.read(ADDRESS)).to.equal(undefined);
  });

  it('delivers even if it is never used again', async () => {
    const guarded = guard();
    await fill(guarded);
    store.isDown = true;
    await guarded.mark(WRITER, [CHANGE]);
    await guarded.settle(WRITER.id, ['article']);
    await clock.tickAsync(RETRY_AFTER);
    store.isDown = false;
    await clock.tickAsync(RETRY_AFTER);
    expect(await store.read(ADDRESS)).to.equal(undefined);
  });

  it('delivers before it is closed', async () => {
    const guarded = guard();
    await fill(guarded);
    store.isDown = true;
    await guarded.mark(WRITER, [CHANGE]);
    await guarded.settle(WRITER.id, ['article']);
    store.isDown = false;
    const drop = sinon.spy(store, 'drop');
    await guarded.close();
    expect(drop.args).to.deep.equal([[['article']]]);
  });

  it('sends the late mark of a writer that has not ended before it is closed', async () => {
    const guarded = guard();
    store.isDown = true;
    await guarded.mark(WRITER, [CHANGE]);
    store.isDown = false;
    const mark = sinon.spy(store, 'mark');
    await guarded.close();
    expect(mark.args.map(([writer]) => writer)).to.deep.equal([WRITER]);
    expect(reports).to.deep.equal(['mark']);
  });

  it('announces the beginning and the end of an outage once', async () => {
    const announced: string[] = [];
    const guarded = new GuardedStore(store, {
      onStoreFailure: 'degrade',
      retryAfter: RETRY_AFTER,
      report: () => undefined,
      onOutage: error => announced.push(error ? 'down' : 'up'),
    });
    for (const _ of [1, 2]) {
      store.isDown = true;
      await guarded.read(ADDRESS);
      await guarded.mark(WRITER, [CHANGE]);
      clock.tick(RETRY_AFTER + 1);
      await recovered(guarded);
      await guarded.settle(WRITER.id, ['article']);
      store.isDown = false;
      clock.tick(RETRY_AFTER + 1);
      await recovered(guarded);
    }
    expect(announced).to.deep.equal(['down', 'up', 'down', 'up']);
  });

  it('reports the tables of invalidations that it could not deliver before it was closed', async () => {
    const messages: string[] = [];
    const guarded = new GuardedStore(store, {
      onStoreFailure: 'degrade',
      retryAfter: RETRY_AFTER,
      report: (_operation, error) => messages.push((error as Error).message),
    });
    store.isDown = true;
    await guarded.mark(WRITER, [CHANGE]);
    await guarded.settle(WRITER.id, ['article']);
    await guarded.mark({ id: 'prepared', xid: '8' }, [{ ...CHANGE, table: 'author' }]);
    await guarded.close();
    expect(messages.at(-1)).to.equal(
      'The store has not received the invalidations of writes to article, author.',
    );
  });

  it('delivers after reopening what it could not deliver before closing, before it trusts the store', async () => {
    const guarded = guard();
    store.isDown = true;
    await guarded.mark(WRITER, [CHANGE]);
    await guarded.settle(WRITER.id, ['article']);
    await guarded.close();

    const next = new FallibleStore();
    await fill(next);
    guarded.reopen(next);
    expect(await guarded.read(ADDRESS), 'not trusted yet').to.equal(undefined);
    await clock.tickAsync(0);
    expect(await next.read(ADDRESS)).to.equal(undefined);
    await fill(guarded);
    expect(await ask(guarded, ADDRESS)).to.equal('result');
  });

  it('retries until it has delivered', async () => {
    const guarded = guard();
    await fill(guarded);
    store.isDown = true;
    await guarded.mark(WRITER, [CHANGE]);
    await guarded.settle(WRITER.id, ['article']);
    for (let i = 0; i < 3; i++) {
      await clock.tickAsync(RETRY_AFTER);
      await recovered(guarded);
    }
    store.isDown = false;
    await clock.tickAsync(RETRY_AFTER);
    await recovered(guarded);
    expect(await store.read(ADDRESS)).to.equal(undefined);
    expect(reports).to.deep.equal(['mark', 'recover', 'recover', 'recover']);
  });

  it('rejects a manual invalidation that failed', async () => {
    store.isDown = true;
    const failures: unknown[] = [];
    await guard()
      .drop(['article'])
      .catch(error => failures.push(error));
    await guard()
      .clear()
      .catch(error => failures.push(error));
    expect(failures.map(String)).to.deep.equal(['Error: down', 'Error: down']);
  });
});
