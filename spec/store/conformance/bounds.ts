import { expect } from 'chai';
import { type MakeSubject, type Subject, subjects } from '../subject.js';
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
  leaseTrusted,
  scheme,
  touching,
  trust,
  writer,
} from '../words.js';

export function describeBounds(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const seven = articles(category('7'));
  const byColumn = (column: string) => articles({ scheme: scheme(column), values: '1' });

  /** As a writer learns them. */
  async function schemesKnown({ store }: Subject): Promise<string[]> {
    const w = writer();
    await store.mark(w, [touching(ARTICLE)]);
    await store.settle(w.id, [ARTICLE]);
    return (await store.schemes(ARTICLE)).map(({ id }) => id);
  }

  it('forgets the least recently used schemes', async () => {
    const subject = await make({ maxSchemes: 3 });
    const { store } = subject;
    for (const column of ['a', 'b', 'c', 'a', 'd', 'e']) {
      await cache(store, byColumn(column), column);
    }

    expect(await schemesKnown(subject)).to.have.members(['a', 'd', 'e']);
  });

  it('forgets several schemes at once, because each time drops all entries', async () => {
    const subject = await make({ maxSchemes: 32 });
    const { store } = subject;
    for (let i = 0; i < 32; i++) {
      await trust(store, byColumn(`c${i}`));
    }
    expect(await schemesKnown(subject)).to.have.lengthOf(32);
    await cache(store, byColumn('one more'), 'one more');
    expect(await schemesKnown(subject)).to.have.lengthOf(29);
    for (const column of ['d', 'e', 'f']) {
      await cache(store, byColumn(column), column);
    }

    await expectHit(store, byColumn('one more'), 'one more');
  });

  it('never forgets a scheme that the lease itself needs', async () => {
    const subject = await make({ maxSchemes: 2 });
    const { store } = subject;
    const wide = articles(...['a', 'b', 'c', 'd'].map(column => ({ scheme: scheme(column), values: '1' })));
    await cache(store, wide, 'wide');

    await expectHit(store, wide, 'wide');
    expect(await schemesKnown(subject)).to.have.members(['a', 'b', 'c', 'd']);
  });

  it('serves no entry with a scheme that writers no longer know', async () => {
    const { store, other } = await make({ maxSchemes: 2 });
    await cache(store, seven, 'old');
    const early = await leaseTrusted(store, seven);
    await trust(store, byColumn('a'));
    await trust(store, byColumn('b'));
    const w = writer();
    await other.mark(w, [touching(ARTICLE, category('7'))]);
    await other.settle(w.id, [ARTICLE]);

    await expectMiss(store, seven);
    await store.fill(seven, early, Buffer.from('old'), LONG);
    await expectMiss(store, seven);
    await cache(store, seven, 'new');
    await expectHit(store, seven, 'new');
  });

  it('treats a forgotten scheme that is registered again as unknown to writers in flight', async () => {
    const { store, other } = await make({ maxSchemes: 2 });
    await cache(store, seven, 'old');
    await trust(store, byColumn('a'));
    await trust(store, byColumn('b'));
    const w = writer();
    await other.mark(w, [touching(ARTICLE)]);

    expect((await leaseRefused(store, seven)).writers.map(({ id }) => id)).to.deep.equal([w.id]);
  });

  it('replaces the registry by one in quarantine when too many writers died without settling', async () => {
    const { store } = await make();
    await cache(store, seven, 'seven');
    const thousands = (n: number) => Array.from({ length: 2000 }, (_, i) => category(`${n} ${i}`));
    for (let n = 0; n < 24; n++) {
      await store.mark(writer(), [touching(ARTICLE, ...thousands(n))]);
    }
    await expectHit(store, seven, 'seven');
    const last = writer();
    await store.mark(last, [touching(ARTICLE, ...thousands(24))]);

    await expectMiss(store, seven);
    expect((await leaseRefused(store, seven)).quarantines).to.have.lengthOf(1);
    await trust(store, seven);
    expect((await leaseRefused(store, seven)).writers.map(({ id }) => id)).to.deep.equal([last.id]);
    await store.settle(last.id, [ARTICLE]);
    await leaseGranted(store, articles(category('0 0'), category('24 0')));
  }).timeout(300_000);

  it('refuses limits that make no sense', async () => {
    for (const limits of [{ maxSchemes: 0 }, { maxTouched: 1.5 }, { maxSchemes: Number.NaN }]) {
      const error = await make(limits).then(
        () => undefined,
        thrown => thrown,
      );
      expect(error).to.be.instanceOf(RangeError);
    }
  });
}
