import { expect } from 'chai';
import fc from 'fast-check';
import { type MakeSubject, subjects } from '../subject.js';
import { articles, cache, category, expectHit, expectMiss, LONG, leaseTrusted } from '../words.js';

export function describePayloads(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const address = articles(category('7'));

  it('misses an entry that was never filled', async () => {
    const { store } = await make();
    await expectMiss(store, address);
  });

  it('returns the payload that was filled, byte for byte, in every process', async () => {
    const { store, other } = await make();
    const seal = await leaseTrusted(store, address);

    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 5000 }), async payload => {
        await store.fill(address, seal, payload, LONG);
        expect(Buffer.compare((await store.read(address))!.payload, payload)).to.equal(0);
        expect(Buffer.compare((await other.read(address))!.payload, payload)).to.equal(0);
      }),
      { numRuns: 50 },
    );
  });

  it('returns a large payload', async () => {
    const { store } = await make();
    const payload = Buffer.alloc(5_000_000, 'article');
    await store.fill(address, await leaseTrusted(store, address), payload, LONG);

    expect(Buffer.compare((await store.read(address))!.payload, payload)).to.equal(0);
  });

  it('keeps the payload as it was filled, even if the caller changes the buffer later', async () => {
    const { store } = await make();
    const payload = Buffer.from('as it was');
    const filled = store.fill(address, await leaseTrusted(store, address), payload, LONG);
    payload.fill('x');
    await filled;
    payload.fill('y');

    await expectHit(store, address, 'as it was');
  });

  it('returns separate payloads to readers', async () => {
    const { store } = await make();
    await cache(store, address, 'as it was');
    (await store.read(address))!.payload.fill(0);

    await expectHit(store, address, 'as it was');
  });

  it('keeps the latest of two fills', async () => {
    const { store, other } = await make();
    const seal = await leaseTrusted(store, address);
    await store.fill(address, seal, Buffer.from('first'), LONG);
    await other.fill(address, seal, Buffer.from('second'), LONG);

    await expectHit(store, address, 'second');
  });

  it('does not serve an entry with a seal that it never issued', async () => {
    const { store } = await make();
    const seal = await leaseTrusted(store, address);
    for (const forged of ['', ',', seal.slice(1), `${seal},`, seal.replace(',', '')]) {
      await store.fill(address, forged, Buffer.from('forged'), LONG);
      await expectMiss(store, address);
    }
  });
}
