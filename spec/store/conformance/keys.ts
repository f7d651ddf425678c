import fc from 'fast-check';
import type { EntryAddress } from '../../../lib/store/store.js';
import type { Dependency } from '../../../lib/values/scheme.js';
import { ANY_TEXT } from '../any_text.js';
import { type MakeSubject, subjects } from '../subject.js';
import {
  cache,
  expectHit,
  expectMiss,
  leaseGranted,
  leaseRefused,
  on,
  query,
  touching,
  trust,
  writer,
} from '../words.js';

export function describeKeys(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const numRuns = 60;

  const dependency: fc.Arbitrary<Dependency> = fc.record({
    scheme: ANY_TEXT.map(id => ({ id, columns: [id, 'another'] })),
    values: ANY_TEXT,
  });

  it('separates dependencies, whatever their values and columns', async () => {
    const { store, other } = await make();
    let run = 0;

    await fc.assert(
      fc.asyncProperty(dependency, dependency, async (a, b) => {
        fc.pre(a.scheme.id !== b.scheme.id || a.values !== b.values);
        const table = `T${run++}`;
        const [ofA, ofB] = [query(on(table, a)), query(on(table, b))];
        await trust(store, query(on(table, a, b)));
        await cache(store, ofA, 'a');
        await cache(store, ofB, 'b');
        const w = writer();
        await other.mark(w, [touching(table, a)]);

        await expectMiss(store, ofA);
        await expectHit(store, ofB, 'b');
        await leaseRefused(store, ofA);
        await leaseGranted(store, ofB);
        await other.settle(w.id, [table]);
        await leaseGranted(store, ofA);
      }),
      { numRuns },
    );
  });

  it('separates tables, whatever their names', async () => {
    const { store, other } = await make();

    await fc.assert(
      fc.asyncProperty(dependency, ANY_TEXT, ANY_TEXT, async (any, a, b) => {
        fc.pre(a !== b);
        const [inA, inB] = [query(on(a, any)), query(on(b, any))];
        await cache(store, inA, 'a');
        await cache(store, inB, 'b');
        const w = writer();
        await other.mark(w, [touching(a, any)]);
        await expectMiss(store, inA);
        await expectHit(store, inB, 'b');
        await other.drop([b]);
        await other.settle(w.id, [a, b]);

        await expectMiss(store, inB);
      }),
      { numRuns },
    );
  });

  it('separates entries, whatever their keys', async () => {
    const { store } = await make();
    const tables = [on('T', { scheme: { id: '', columns: [] }, values: '' })];

    await fc.assert(
      fc.asyncProperty(ANY_TEXT, ANY_TEXT, async (a, b) => {
        fc.pre(a !== b);
        const [underA, underB]: EntryAddress[] = [
          { key: a, tables },
          { key: b, tables },
        ];
        await cache(store, underA!, 'a');
        await cache(store, underB!, 'b');

        await expectHit(store, underA!, 'a');
      }),
      { numRuns },
    );
  });

  it('does not take an entry for a stamp or a registry', async () => {
    const { store, evict } = await make();
    const address = query(on('T', { scheme: { id: '', columns: [] }, values: '' }));
    await cache(store, address, 'result');
    for (const key of ['t:{T}', 'g:{T}', 'c:{T}:0::']) {
      await cache(store, { ...address, key }, 'another');
      await evict(`e:${key}`);
    }

    await expectHit(store, address, 'result');
  });
}
