import { expect } from 'chai';
import { StoreError } from '../../../lib/store/store_error.js';
import { type MakeSubject, subjects } from '../subject.js';
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
  touching,
  trust,
  writer,
} from '../words.js';

export function describeLifetime(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const seven = articles(category('7'));

  it('returns the stamps of an entry, so that another entry may carry them', async () => {
    const { store } = await make();
    const seal = await leaseTrusted(store, seven);
    await store.fill(seven, seal, Buffer.from('seven'), LONG);
    const found = await store.read(seven);
    expect(found!.carried()).to.equal(seal);
    const other = { ...seven, key: 'another' };
    await store.fill(other, found!.carried(), Buffer.from('other'), LONG);
    await expectHit(store, other, 'other');
    await store.mark(writer(), [touching(ARTICLE, category('7'))]);
    await expectMiss(store, other);
  });

  it('drops an entry after its timeout', async () => {
    const { store, pass } = await make();
    const seal = await leaseTrusted(store, seven);
    await store.fill(seven, seal, Buffer.from('seven'), 60);
    await pass(50);
    await expectHit(store, seven, 'seven');
    await pass(20);

    await expectMiss(store, seven);
  });

  it('misses after the stamps have expired, and creates new ones', async () => {
    const { store, pass } = await make();
    const seal = await leaseTrusted(store, seven, 60);
    await store.fill(seven, seal, Buffer.from('seven'), 1000);
    await pass(50);
    await expectHit(store, seven, 'seven');
    await pass(20);

    await expectMiss(store, seven);
    await leaseGranted(store, seven);
    await expectMiss(store, seven);
  });

  it('keeps stamps for the longest of all leases', async () => {
    const { store, pass } = await make();
    await trust(store, seven);
    await leaseGranted(store, seven, 10);
    const seal = await leaseGranted(store, seven, 100);
    expect(await leaseGranted(store, seven, 10)).to.equal(seal);
    await store.fill(seven, seal, Buffer.from('seven'), 100);
    await pass(90);

    await expectHit(store, seven, 'seven');
  });

  it('keeps a writer in flight until it settles', async () => {
    const { store, pass } = await make();
    await trust(store, seven);
    await store.mark(writer(), [touching(ARTICLE, category('7'))]);
    await pass(7 * 24 * 3600);

    expect((await leaseRefused(store, seven)).writers).to.have.lengthOf(1);
  });

  it('supports a timeout below one second', async () => {
    const { store, pass } = await make();
    await store.fill(seven, await leaseTrusted(store, seven), Buffer.from('seven'), 0.0001);
    await pass(1);

    await expectMiss(store, seven);
  });

  it('rejects every call after it was closed', async () => {
    const { store } = await make();
    await cache(store, seven, 'seven');
    await store.close();
    await store.close();
    const attempts = {
      read: () => store.read(seven),
      reseal: () =>
        store.reseal(seven, { payload: Buffer.of(), moved: [], seal: '', id: '', carried: () => '' }),
      lease: () => store.lease(seven, LONG),
      fill: () => store.fill(seven, '', Buffer.of(), LONG),
      mark: () => store.mark(writer(), [touching(ARTICLE)]),
      schemes: () => store.schemes(ARTICLE),
      settle: () => store.settle('w', [ARTICLE]),
      lift: () => store.lift({ table: ARTICLE, nonce: 'n' }),
      drop: () => store.drop([ARTICLE]),
      clear: () => store.clear(),
    };

    for (const [operation, attempt] of Object.entries(attempts)) {
      const error = await attempt().then(
        () => undefined,
        thrown => thrown,
      );
      expect(error, operation).to.be.instanceOf(StoreError);
      expect(error.operation).to.equal(operation);
      expect(error.message).to.contain('closed');
    }
  });
}
