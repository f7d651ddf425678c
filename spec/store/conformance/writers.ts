import { expect } from 'chai';
import { type MakeSubject, subjects } from '../subject.js';
import {
  ALL,
  ARTICLE,
  AUTHOR,
  articles,
  cache,
  category,
  expectHit,
  expectMiss,
  LONG,
  leaseGranted,
  leaseRefused,
  leaseTrusted,
  on,
  query,
  status,
  touching,
  trust,
  writer,
} from '../words.js';

export function describeWriters(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const seven = articles(category('7'));
  const eight = articles(category('8'));

  it('does not serve what a slow reader read before the commit', async () => {
    const { store, other } = await make();
    const seal = await leaseTrusted(store, seven);
    const w = writer();
    await other.mark(w, [touching(ARTICLE, category('7'))]);
    await other.settle(w.id, [ARTICLE]);
    await store.fill(seven, seal, Buffer.from('old'), LONG);

    await expectMiss(store, seven);
    await expectMiss(other, seven);
  });

  it('never serves an entry that is filled while the writer is in flight', async () => {
    const { store, other } = await make();
    const seal = await leaseTrusted(store, seven);
    const w = writer();
    await other.mark(w, [touching(ARTICLE, category('7'))]);
    await store.fill(seven, seal, Buffer.from('old'), LONG);
    await expectMiss(store, seven);
    await other.settle(w.id, [ARTICLE]);

    await expectMiss(store, seven);
  });

  it('drops what a writer touches, and nothing else', async () => {
    const { store, other } = await make();
    await cache(store, seven, 'seven');
    await cache(store, eight, 'eight');
    await other.mark(writer(), [touching(ARTICLE, category('7'))]);

    await expectMiss(store, seven);
    await expectHit(store, eight, 'eight');
  });

  it('drops an entry if any of its dependencies is touched', async () => {
    const { store } = await make();
    const either = articles(category('7'), category('8'), status('new'));
    const both = query(on(ARTICLE, category('7')), on(AUTHOR, ALL));
    for (const change of [
      touching(ARTICLE, category('7')),
      touching(ARTICLE, category('8')),
      touching(ARTICLE, status('new')),
    ]) {
      await cache(store, either, 'either');
      const w = writer();
      await store.mark(w, [change]);
      await expectMiss(store, either);
      await store.settle(w.id, [ARTICLE]);
    }
    await cache(store, both, 'both');
    await store.mark(writer(), [touching(AUTHOR, ALL)]);

    await expectMiss(store, both);
  });

  it('refuses a lease on what a writer in flight touches, and names the writer', async () => {
    const { store, other } = await make();
    await trust(store, seven);
    const w = writer('4711');
    await other.mark(w, [touching(ARTICLE, category('7'))]);

    const refusal = await leaseRefused(store, seven);
    expect(refusal.quarantines).to.deep.equal([]);
    expect(refusal.writers).to.have.lengthOf(1);
    expect(refusal.writers[0]).to.deep.include({ id: w.id, xid: '4711', tables: [ARTICLE] });
    expect(refusal.writers[0]!.age).to.be.within(0, 60_000);
  });

  it('names a writer without a transaction id', async () => {
    const { store } = await make();
    await trust(store, seven);
    await store.mark(writer(undefined), [touching(ARTICLE, category('7'))]);

    expect((await leaseRefused(store, seven)).writers[0]!.xid).to.equal(undefined);
  });

  it('grants a lease on what a writer in flight does not touch', async () => {
    const { store } = await make();
    await cache(store, seven, 'seven');
    await trust(store, eight);
    await store.mark(writer(), [touching(ARTICLE, category('7'))]);
    await cache(store, eight, 'eight');

    await expectHit(store, eight, 'eight');
  });

  it('grants a lease once the writer has settled', async () => {
    const { store, other } = await make();
    await cache(store, seven, 'old');
    const w = writer();
    await store.mark(w, [touching(ARTICLE, category('7'))]);
    await store.settle(w.id, [ARTICLE]);
    await other.fill(seven, await leaseGranted(other, seven), Buffer.from('new'), LONG);

    await expectHit(store, seven, 'new');
  });

  it('refuses until the last of several writers has settled', async () => {
    const { store, other } = await make();
    await trust(store, seven);
    const [first, second] = [writer(), writer()];
    await store.mark(first, [touching(ARTICLE, category('7'))]);
    await other.mark(second, [touching(ARTICLE, category('7'))]);
    const both = await leaseRefused(store, seven);
    await store.settle(first.id, [ARTICLE]);
    const one = await leaseRefused(store, seven);
    await store.settle(second.id, [ARTICLE]);

    expect(both.writers.map(w => w.id)).to.have.members([first.id, second.id]);
    expect(one.writers.map(w => w.id)).to.deep.equal([second.id]);
    await leaseGranted(store, seven);
  });

  it('allows a writer to settle twice, or without a mark', async () => {
    const { store } = await make();
    await trust(store, seven);
    const [first, second] = [writer(), writer()];
    await store.mark(first, [touching(ARTICLE, category('7'))]);
    await store.mark(second, [touching(ARTICLE, category('7'))]);
    await store.settle(first.id, [ARTICLE, AUTHOR]);
    await store.settle(first.id, [ARTICLE]);
    await store.settle('nobody', [ARTICLE, 'no.such.table']);

    expect((await leaseRefused(store, seven)).writers.map(w => w.id)).to.deep.equal([second.id]);
  });

  it('joins all marks of a writer until it settles', async () => {
    const { store, other } = await make();
    await trust(store, seven);
    const w = writer();
    await store.mark(w, [touching(ARTICLE, category('7'))]);
    await store.mark(w, [touching(ARTICLE, category('8'))]);
    expect((await leaseRefused(other, seven)).writers).to.have.lengthOf(1);
    expect((await leaseRefused(other, eight)).writers).to.have.lengthOf(1);
    await store.settle(w.id, [ARTICLE]);

    await leaseGranted(other, seven);
    await leaseGranted(other, eight);
  });

  it('names a writer on several tables once, with all of its tables', async () => {
    const { store } = await make();
    const joined = query(on(ARTICLE, category('7')), on(AUTHOR, ALL));
    await trust(store, joined);
    const w = writer();
    await store.mark(w, [touching(ARTICLE, category('7')), touching(AUTHOR, ALL)]);

    const { writers } = await leaseRefused(store, joined);
    expect(writers).to.have.lengthOf(1);
    expect(writers[0]!.tables).to.have.members([ARTICLE, AUTHOR]);
  });

  it('refuses a query if a writer is in flight on any of its tables, and settles table by table', async () => {
    const { store } = await make();
    const joined = query(on(ARTICLE, category('7')), on(AUTHOR, ALL));
    await trust(store, joined);
    const w = writer();
    await store.mark(w, [touching(ARTICLE, category('7')), touching(AUTHOR, ALL)]);
    await store.settle(w.id, [ARTICLE]);

    expect((await leaseRefused(store, joined)).writers[0]!.tables).to.deep.equal([AUTHOR]);
    await leaseGranted(store, seven);
  });

  it('records a writer that touches no dependency of a reader', async () => {
    const { store } = await make();
    await trust(store, articles(status('new')));
    await store.mark(writer(), [touching(ARTICLE)]);

    // no reader had registered a category before, so that the writer did not know which it touches
    expect((await leaseRefused(store, seven)).writers).to.have.lengthOf(1);
  });

  it('allows a query to name a dependency twice, and a writer to name a table twice', async () => {
    const { store } = await make();
    const twice = articles(category('7'), status('new'), category('7'), category('8'));
    await cache(store, twice, 'twice');
    await expectHit(store, twice, 'twice');
    await store.mark(writer(), [touching(ARTICLE, category('7')), touching(ARTICLE, category('7'))]);

    await expectMiss(store, twice);
    expect((await leaseRefused(store, twice)).writers).to.have.lengthOf(1);
  });

  it('does nothing for a writer without changes', async () => {
    const { store } = await make();
    await cache(store, seven, 'seven');
    await store.mark(writer(), []);

    await expectHit(store, seven, 'seven');
  });
}
