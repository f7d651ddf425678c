import { expect } from 'chai';
import type { EntryAddress, Found, Store } from '../../../lib/store/store.js';
import type { RowDelta } from '../../../lib/values/row_delta.js';
import type { Dependency } from '../../../lib/values/scheme.js';
import { type MakeSubject, subjects } from '../subject.js';
import {
  ARTICLE,
  AUTHOR,
  articles,
  cache,
  category,
  LONG,
  leaseGranted,
  on,
  query,
  stepping,
  touching,
  trust,
  writer,
} from '../words.js';

/** `category = 7`, to readers who want to see prices. */
const PRICED = { id: 'category?price', columns: ['category'], tests: ['price'] };
const SEVEN: Dependency = { scheme: PRICED, values: '7' };
const DEARER: RowDelta = [['1'], ['2'], 0];

export function describeMany(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const [one, two, three] = ['1', '2', '3'].map(value => articles(category(value))) as [
    EntryAddress,
    EntryAddress,
    EntryAddress,
  ];
  const joined = query(on(ARTICLE, category('1')), on(AUTHOR, { ...category('9') }));

  async function payloads(store: Store, ...addresses: EntryAddress[]): Promise<(string | undefined)[]> {
    return (await store.readMany(addresses)).map(payloadOf);
  }

  async function ids(store: Store, ...addresses: EntryAddress[]): Promise<(string | undefined)[]> {
    return (await store.readMany(addresses)).map(found => found?.id);
  }

  it('are returned in the requested order, with gaps for misses', async () => {
    const { store, other } = await make();
    await cache(store, one, 'one');
    await cache(store, three, 'three');
    await cache(store, joined, 'joined');

    expect(await payloads(store, three, two, joined, one)).to.deep.equal([
      'three',
      undefined,
      'joined',
      'one',
    ]);
    expect(await payloads(other, one, one)).to.deep.equal(['one', 'one']);
    expect(await payloads(store, two)).to.deep.equal([undefined]);
    expect(await payloads(store)).to.deep.equal([]);
  });

  it('are the same entries as each read by itself', async () => {
    const { store, other } = await make();
    const seven = articles(SEVEN);
    await cache(store, one, 'one');
    await cache(store, joined, 'joined');
    await cache(store, seven, 'seven');
    const w = writer();
    await other.mark(w, [stepping(ARTICLE, SEVEN, DEARER), touching(AUTHOR, category('9'))]);
    await other.settle(w.id, [ARTICLE, AUTHOR]);
    for (const each of [store, other]) {
      const alone = [await each.read(one), await each.read(joined), await each.read(seven)];
      const together = await each.readMany([one, joined, seven]);
      expect(together.map(payloadOf)).to.deep.equal(['one', undefined, 'seven']);
      expect(together.map(payloadOf)).to.deep.equal(alone.map(payloadOf));
      expect(together.map(found => found?.moved)).to.deep.equal(alone.map(found => found?.moved));
      expect(together[2]!.moved).to.deep.equal([{ table: ARTICLE, dependency: SEVEN, steps: [DEARER] }]);
      expect(together[2]!.seal).to.equal(alone[2]!.seal);
      expect(together[2]!.id).to.equal(alone[2]!.id);
    }
  });

  it('are resealed like each by itself', async () => {
    const { store } = await make();
    const seven = articles(SEVEN);
    await cache(store, seven, 'seven');
    const w = writer();
    await store.mark(w, [stepping(ARTICLE, SEVEN, DEARER)]);
    await store.settle(w.id, [ARTICLE]);
    const [found] = await store.readMany([seven]);
    await store.reseal(seven, found!);

    const [again] = await store.readMany([seven]);
    expect(again!.moved).to.deep.equal([]);
    expect(again!.id).not.to.equal(found!.id);
  });

  it('have ids that change only when they are filled again', async () => {
    const { store, other } = await make();
    await cache(store, one, 'one');
    await cache(store, two, 'two');
    const before = await ids(store, one, two);
    expect(new Set(before).size).to.equal(2);
    expect(before).not.to.include('').and.not.to.include(undefined);
    expect(await ids(other, two, one)).to.deep.equal(before.toReversed());

    // with the same content, and under the same seal
    await store.fill(one, await leaseGranted(store, one), Buffer.from('one'), LONG);
    const after = await ids(other, one, two);
    expect(after[0]).not.to.equal(before[0]);
    expect(after[1]).to.equal(before[1]);
  });

  it('are never mixed from before and after a write', async () => {
    const { store, other } = await make();
    // two rows on two tables, which are only written together; a row is the number of times that it has been written
    const rows = [query(on(ARTICLE, category('1'))), query(on(AUTHOR, category('1')))];
    const both = query(on(AUTHOR, category('1')), on(ARTICLE, category('1')));
    let database = 0;
    for (const address of rows) {
      await trust(store, address);
    }
    let together = 0;
    let writing = true;

    async function write(via: Store, times: number): Promise<void> {
      for (let i = 0; i < times; i++) {
        const w = writer();
        await via.mark(w, [touching(ARTICLE, category('1')), touching(AUTHOR, category('1'))]);
        database++;
        await via.settle(w.id, [ARTICLE, AUTHOR]);
        const before = together;
        while (i % 10 === 0 && together === before) {
          await turn();
        }
      }
    }

    async function fill(via: Store, address: EntryAddress): Promise<void> {
      while (writing) {
        const lease = await via.lease(address, LONG);
        if (lease.granted) {
          const selected = String(database);
          await turn();
          await via.fill(address, lease.seal, Buffer.from(selected), LONG);
        }
        await turn();
      }
    }

    async function read(via: Store): Promise<void> {
      while (writing) {
        const found = (await payloads(via, ...rows, both)).filter(payload => payload !== undefined);
        expect(new Set(found).size, found.join()).to.be.at.most(1);
        together += Number(found.length > 1);
        await turn();
      }
    }

    const others = [
      ...[...rows, both].flatMap(address => [fill(store, address), fill(other, address)]),
      ...[store, other, store].map(read),
    ];
    await Promise.race([Promise.all([write(store, 60), write(other, 60)]), Promise.all(others)]);
    writing = false;
    await Promise.all(others);
    expect(together).to.be.at.least(6);
  });
}

function payloadOf(found: Found | undefined): string | undefined {
  return found && Buffer.from(found.payload).toString();
}

/** Lets the others have theirs, also where the store itself never waits for anything. */
function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
