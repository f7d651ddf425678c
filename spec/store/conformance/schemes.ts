import { expect } from 'chai';
import type { Scheme } from '../../../lib/values/scheme.js';
import { type MakeSubject, subjects } from '../subject.js';
import {
  ARTICLE,
  articles,
  CATEGORY,
  cache,
  category,
  dropping,
  expectHit,
  expectMiss,
  LONG,
  leaseGranted,
  leaseRefused,
  STATUS,
  scheme,
  status,
  touching,
  trust,
  writer,
} from '../words.js';

export function describeSchemes(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const seven = articles(category('7'));
  const fresh = articles(status('new'));

  it('asks a writer about the schemes that readers use, with their columns', async () => {
    const { store, other } = await make();
    const both: Scheme = scheme('category', 'status');
    await cache(store, articles({ scheme: both, values: '7,new' }), 'both');
    await cache(other, seven, 'seven');
    const asked = new Map<string, Scheme>();
    await other.mark(writer(), [
      {
        table: ARTICLE,
        touched: asking => {
          asked.set(asking.id, asking);
          return new Map();
        },
      },
    ]);

    expect([...asked.values()]).to.have.deep.members([both, category('7').scheme]);
  });

  it('passes schemes that were registered since its last write to a writer', async () => {
    const { store, other } = await make();
    await cache(store, seven, 'seven');
    const first = writer();
    await other.mark(first, [touching(ARTICLE, category('7'))]);
    await other.settle(first.id, [ARTICLE]);
    await cache(store, fresh, 'fresh');
    await other.mark(writer(), [touching(ARTICLE, status('new'))]);

    await expectMiss(store, fresh);
    expect((await leaseRefused(store, fresh)).writers).to.have.lengthOf(1);
  });

  it('refuses leases on a scheme that a writer in flight did not know, until it settles', async () => {
    const { store, other } = await make();
    await trust(store, seven);
    const w = writer();
    await store.mark(w, [touching(ARTICLE, category('7'))]);

    for (const values of ['new', 'old', 'new']) {
      for (const reader of [store, other]) {
        const refusal = await leaseRefused(reader, articles(status(values)));
        expect(refusal.writers.map(({ id }) => id)).to.deep.equal([w.id]);
      }
    }
    await store.settle(w.id, [ARTICLE]);
    await leaseGranted(store, fresh);
  });

  it('refuses such leases for each writer that did not know the scheme, and not for later writers', async () => {
    const { store, other } = await make();
    await trust(store, seven);
    const [first, second, later] = [writer(), writer(), writer()];
    await store.mark(first, [touching(ARTICLE)]);
    await other.mark(second, [touching(ARTICLE)]);
    await leaseRefused(store, fresh);
    await other.mark(later, [touching(ARTICLE)]);
    await store.settle(first.id, [ARTICLE]);

    expect((await leaseRefused(store, fresh)).writers.map(({ id }) => id)).to.deep.equal([second.id]);
    await store.settle(second.id, [ARTICLE]);
    await leaseGranted(store, fresh);
  });

  it('grants a lease on a new scheme eventually, although some writer is always in flight', async () => {
    const { store, other } = await make();
    await trust(store, seven);
    let last = writer();
    await other.mark(last, [touching(ARTICLE, category('7'))]);
    await leaseRefused(store, fresh);
    const next = writer();
    await other.mark(next, [touching(ARTICLE, category('7'))]);
    await other.settle(last.id, [ARTICLE]);
    last = next;

    await store.fill(fresh, await leaseGranted(store, fresh), Buffer.from('fresh'), LONG);
    await expectHit(store, fresh, 'fresh');
  });

  it('refuses a query with a known and an unknown scheme', async () => {
    const { store } = await make();
    await trust(store, seven);
    const w = writer();
    await store.mark(w, [touching(ARTICLE, category('8'))]);

    await leaseRefused(store, articles(category('7'), status('new')));
    await leaseGranted(store, seven);
  });

  it('returns the readers’ schemes to a process that has not written yet', async () => {
    const { store, other } = await make();
    await cache(store, articles(category('7'), status('new')), 'cached');

    expect(await other.schemes(ARTICLE)).to.have.deep.members([CATEGORY, STATUS]);
    expect(await other.schemes('no.such.table')).to.deep.equal([]);
  });

  it('returns the schemes that a process has learnt by writing', async () => {
    const { store, other } = await make();
    expect(await other.schemes(ARTICLE)).to.deep.equal([]);
    await cache(store, seven, 'seven');
    const w = writer();
    await other.mark(w, [touching(ARTICLE)]);
    await other.settle(w.id, [ARTICLE]);

    expect(await other.schemes(ARTICLE)).to.deep.equal([CATEGORY]);
  });

  it('returns the schemes that readers of the same process have registered', async () => {
    const { store } = await make();
    expect(await store.schemes(ARTICLE)).to.deep.equal([]);
    await cache(store, seven, 'seven');
    expect(await store.schemes(ARTICLE)).to.deep.equal([CATEGORY]);
    await cache(store, fresh, 'fresh');

    expect(await store.schemes(ARTICLE)).to.have.deep.members([CATEGORY, STATUS]);
  });

  it('separates the schemes of tables', async () => {
    const { store, other } = await make();
    await cache(store, seven, 'seven');
    const asked: string[] = [];
    await other.mark(writer(), [
      {
        table: 'another',
        touched: ({ id }) => {
          asked.push(id);
          return dropping(['7']);
        },
      },
    ]);

    expect(asked).to.deep.equal([]);
    await expectHit(store, seven, 'seven');
  });
}
