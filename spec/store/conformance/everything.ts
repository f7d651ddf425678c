import { expect } from 'chai';
import { type MakeSubject, subjects } from '../subject.js';
import {
  ALL,
  ARTICLE,
  AUTHOR,
  articles,
  cache,
  category,
  dropping,
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
  touchingEverything,
  trust,
  writer,
} from '../words.js';

export function describeEverything(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const seven = articles(category('7'));
  const fresh = articles(status('new'));
  const authors = query(on(AUTHOR, ALL));

  it('drops everything on a table if it is unknown what a writer touches', async () => {
    const { store, other } = await make();
    await cache(store, seven, 'seven');
    await cache(store, fresh, 'fresh');
    await cache(store, authors, 'authors');
    await other.mark(writer(), [touchingEverything(ARTICLE)]);

    await expectMiss(store, seven);
    await expectMiss(store, fresh);
    await expectHit(store, authors, 'authors');
  });

  it('refuses leases on that table until the writer settles', async () => {
    const { store, other } = await make();
    await trust(store, articles(category('7'), status('new')));
    const [first, second] = [writer(), writer()];
    await other.mark(first, [touchingEverything(ARTICLE)]);
    await store.mark(second, [touchingEverything(ARTICLE)]);

    expect((await leaseRefused(store, seven)).writers).to.have.lengthOf(2);
    await store.settle(second.id, [ARTICLE]);
    expect((await leaseRefused(store, fresh)).writers.map(({ id }) => id)).to.deep.equal([first.id]);
    await store.settle(first.id, [ARTICLE]);
    await leaseGranted(store, seven);
  });

  it('drops everything on a table even if the touched values are known for some schemes', async () => {
    const { store } = await make();
    await cache(store, seven, 'seven');
    await cache(store, fresh, 'fresh');
    await store.mark(writer(), [
      { table: ARTICLE, touched: ({ id }) => (id === 'status' ? undefined : dropping(['8'])) },
    ]);

    await expectMiss(store, seven);
    await expectMiss(store, fresh);
  });

  it('does not forget that a writer touches everything when it marks again', async () => {
    const { store } = await make();
    await trust(store, seven);
    const w = writer();
    await store.mark(w, [touchingEverything(ARTICLE)]);
    await store.mark(w, [touchingEverything(ARTICLE)]);
    await store.mark(w, [touching(ARTICLE, category('8'))]);
    expect((await leaseRefused(store, seven)).writers).to.have.lengthOf(1);
    await store.settle(w.id, [ARTICLE]);

    await leaseGranted(store, seven);
    await leaseGranted(store, articles(category('8')));
  });

  it('treats a writer that touches too many dependencies as touching everything', async () => {
    const { store } = await make({ maxTouched: 3 });
    const categories = (count: number) => Array.from({ length: count }, (_, i) => category(`many ${i}`));
    await cache(store, seven, 'seven');
    const [few, many] = [writer(), writer()];
    await store.mark(few, [touching(ARTICLE, ...categories(3))]);
    await expectHit(store, seven, 'seven');
    await store.mark(many, [touching(ARTICLE, ...categories(4))]);

    await expectMiss(store, seven);
    expect((await leaseRefused(store, seven)).writers.map(({ id }) => id)).to.deep.equal([many.id]);
  });

  it('marks, and settles, thousands of dependencies', async () => {
    const { store } = await make();
    const values = Array.from({ length: 2000 }, (_, i) => category(`many ${i}`));
    const some = articles(values[0]!, values[999]!, values[1000]!, values[1999]!);
    await cache(store, some, 'some');
    await cache(store, seven, 'seven');
    const w = writer();
    await store.mark(w, [touching(ARTICLE, ...values)]);
    await expectMiss(store, some);
    await expectHit(store, seven, 'seven');
    for (const value of [values[0]!, values[1000]!, values[1999]!]) {
      await leaseRefused(store, articles(value));
    }
    await store.settle(w.id, [ARTICLE]);

    await leaseGranted(store, some);
  });

  it('takes a lease on thousands of dependencies', async () => {
    const { store } = await make();
    const values = Array.from({ length: 9000 }, (_, i) => category(`many ${i}`));
    const many = articles(...values);
    await cache(store, many, 'many');
    await expectHit(store, many, 'many');
    await store.mark(writer(), [touching(ARTICLE, values[8500]!)]);

    await expectMiss(store, many);
  });

  it('drops what depends on a table', async () => {
    const { store, other } = await make();
    await cache(store, seven, 'seven');
    await cache(store, authors, 'authors');
    const seal = await leaseTrusted(store, fresh);
    await other.drop([ARTICLE, 'no.such.table']);
    await store.fill(fresh, seal, Buffer.from('fresh'), LONG);

    await expectMiss(store, seven);
    await expectMiss(store, fresh);
    await expectHit(store, authors, 'authors');
    await cache(store, seven, 'seven again');
    await expectHit(store, seven, 'seven again');
  });

  it('drops nothing without a table', async () => {
    const { store } = await make();
    await cache(store, seven, 'seven');
    await store.drop([]);

    await expectHit(store, seven, 'seven');
  });

  it('still refuses leases on what a writer in flight touches after that was dropped', async () => {
    const { store } = await make();
    await trust(store, seven);
    await store.mark(writer(), [touching(ARTICLE, category('7'))]);
    await store.drop([ARTICLE]);

    await leaseRefused(store, seven);
  });
}
