import { expect } from 'chai';
import fc from 'fast-check';
import type { EntryAddress, Found, Store, TableChange } from '../../../lib/store/store.js';
import type { RowDelta } from '../../../lib/values/row_delta.js';
import type { Dependency } from '../../../lib/values/scheme.js';
import { ANY_TEXT } from '../any_text.js';
import { type MakeSubject, subjects } from '../subject.js';
import {
  ARTICLE,
  AUTHOR,
  articles,
  ask,
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
  stepping,
  touching,
  touchingEverything,
  trust,
  writer,
} from '../words.js';

/** `category = 7`, to readers who want to see prices. */
const PRICED = { id: 'category?price', columns: ['category'], tests: ['price'] };
const SEVEN: Dependency = { scheme: PRICED, values: '7' };
const EIGHT: Dependency = { scheme: PRICED, values: '8' };

/** The price of a row goes from one to another. */
const price = (from: number, to = from + 1): RowDelta => [[String(from)], [String(to)], 0];

export function describeTrails(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const seven = articles(SEVEN);

  async function write(store: Store, ...changes: TableChange[]): Promise<void> {
    const w = writer();
    await store.mark(w, changes);
    await store.settle(
      w.id,
      changes.map(({ table }) => table),
    );
  }

  async function found(store: Store, address: EntryAddress): Promise<Found> {
    const found = await store.read(address);
    if (!found) {
      throw new Error('Nothing was found.');
    }
    return found;
  }

  async function stepsFound(store: Store, address = seven): Promise<readonly RowDelta[]> {
    return (await found(store, address)).moved.flatMap(({ steps }) => steps);
  }

  /** Neither found as it was, nor with steps. */
  async function expectNothing(store: Store, address = seven): Promise<void> {
    expect(await store.read(address)).to.equal(undefined);
  }

  it('returns the entry with its row deltas since the fill', async () => {
    const { store, other } = await make();
    await cache(store, seven, 'seven');
    await expectHit(other, seven, 'seven');
    const leaves: RowDelta = [['1', null], null, 1];
    await write(store, stepping(ARTICLE, SEVEN, price(1), leaves));
    await write(other, stepping(ARTICLE, SEVEN, price(2)));

    for (const each of [store, other]) {
      const { payload, moved } = await found(each, seven);
      expect(String(payload)).to.equal('seven');
      expect(moved).to.deep.equal([
        { table: ARTICLE, dependency: SEVEN, steps: [price(1), leaves, price(2)] },
      ]);
    }
  });

  it('returns the row deltas since the lease, and none from before', async () => {
    const { store, other } = await make();
    await trust(store, seven);
    await write(other, stepping(ARTICLE, SEVEN, price(1)));
    const seal = await leaseGranted(store, seven);
    await write(other, stepping(ARTICLE, SEVEN, price(2)));
    await store.fill(seven, seal, Buffer.from('seven'), LONG);
    expect(await stepsFound(store)).to.deep.equal([price(2)]);
    await cache(store, seven, 'seven again');

    await expectHit(store, seven, 'seven again');
  });

  it('returns the row deltas of each dependency', async () => {
    const { store, other } = await make();
    const several = query(on(ARTICLE, SEVEN, category('1'), EIGHT), on(AUTHOR, SEVEN));
    await cache(store, several, 'several');
    await write(
      other,
      stepping(ARTICLE, EIGHT, price(8)),
      stepping(AUTHOR, SEVEN, price(7)),
      stepping('another', SEVEN, price(1)),
    );

    expect((await found(store, several)).moved).to.deep.equal([
      { table: ARTICLE, dependency: EIGHT, steps: [price(8)] },
      { table: AUTHOR, dependency: SEVEN, steps: [price(7)] },
    ]);
    await write(other, touching(ARTICLE, category('1')));
    await expectNothing(store, several);
  });

  it('grants no lease while a writer is in flight, but returns its row deltas', async () => {
    const { store, other } = await make();
    await cache(store, seven, 'seven');
    const w = writer();
    await other.mark(w, [stepping(ARTICLE, SEVEN, price(1))]);

    expect(await stepsFound(store)).to.deep.equal([price(1)]);
    expect((await leaseRefused(store, seven)).writers.map(({ id }) => id)).to.deep.equal([w.id]);
    await other.settle(w.id, [ARTICLE]);
    await leaseGranted(store, seven);
  });

  it('returns all row deltas of a writer that marks twice, and records a writer without deltas', async () => {
    const { store } = await make();
    await cache(store, seven, 'seven');
    const w = writer();
    await store.mark(w, [stepping(ARTICLE, SEVEN)]);
    await expectHit(store, seven, 'seven');
    await leaseRefused(store, seven);
    await store.mark(w, [stepping(ARTICLE, SEVEN, price(1))]);
    await store.mark(w, [stepping(ARTICLE, SEVEN, price(1), price(2))]);

    expect(await stepsFound(store)).to.deep.equal([price(1), price(1), price(2)]);
  });

  it('passes the columns that are read and tested to writers', async () => {
    const { store, other } = await make();
    const scheme = { id: 'a!b?c', columns: ['a'], reads: ['b'], tests: ['c'] };
    await cache(store, articles({ scheme, values: '1' }), 'one');
    await trust(store, articles({ scheme: { id: '!', columns: [], reads: [] }, values: '' }));
    const asked: unknown[] = [];
    const touched = (asking: unknown) => {
      asked.push(asking);
      return new Map();
    };
    await other.mark(writer(), [{ table: ARTICLE, touched }]);

    expect(asked).to.have.deep.members([scheme, { id: '!', columns: [], reads: [] }]);
  });

  it('stores values of any kind and length within its limits', async () => {
    const { store, other } = await make();
    await cache(store, seven, 'seven');
    const value = fc.option(ANY_TEXT.map(text => text.toWellFormed()));
    const image = fc.option(fc.array(value, { maxLength: 2 }));
    const step = fc.tuple(image, image, fc.constantFrom(0 as const, 1 as const));
    let told: RowDelta[] = [];

    await fc.assert(
      fc.asyncProperty(step, async step => {
        if (told.length === 40) {
          await cache(store, seven, 'seven');
          told = [];
        }
        told.push(step);
        await write(other, stepping(ARTICLE, SEVEN, step));
        expect(await stepsFound(store)).to.deep.equal(told);
      }),
      { numRuns: 100 },
    );
  });

  it('returns row deltas whatever the dependency looks like', async () => {
    const { store, other } = await make();
    let run = 0;

    await fc.assert(
      fc.asyncProperty(ANY_TEXT, ANY_TEXT, async (id, values) => {
        const table = `T${run++}`;
        const dependency = { scheme: { id, columns: ['a'], tests: ['b'] }, values };
        const address = query(on(table, dependency));
        await cache(store, address, 'result');
        await write(other, stepping(table, dependency, price(1)));
        expect(await stepsFound(store, address)).to.deep.equal([price(1)]);
      }),
      { numRuns: 60 },
    );
  });

  describe('a miss', () => {
    it('follows a writer without known row deltas', async () => {
      const { store, other } = await make();
      await cache(store, seven, 'seven');
      await write(store, stepping(ARTICLE, SEVEN, price(1)));
      await write(other, touching(ARTICLE, SEVEN));
      await expectNothing(store);
      await cache(store, seven, 'seven');
      await write(other, touchingEverything(ARTICLE));
      await expectNothing(store);
    });

    it('follows a row delta that is too large, or too many of them', async () => {
      const { store, other } = await make();
      const large: RowDelta = [['x'.repeat(10_000)], null, 1];
      const many = Array.from({ length: 300 }, (_, i) => price(i));
      for (const steps of [[large], many]) {
        await cache(store, seven, 'seven');
        await write(other, stepping(ARTICLE, SEVEN, ...steps));
        await expectNothing(store);
      }
    });

    it('follows when the trail no longer has all row deltas', async () => {
      const { store, other } = await make();
      const eighth = articles(EIGHT);
      await cache(store, seven, 'seven');
      await cache(store, eighth, 'eight');
      for (let i = 0; i < 8; i++) {
        const steps = Array.from({ length: 32 }, (_, j) => price(32 * i + j));
        await write(other, stepping(ARTICLE, SEVEN, ...steps));
      }
      expect(await stepsFound(store)).to.have.lengthOf(256);
      const late = articles(SEVEN, EIGHT);
      await cache(store, late, 'late');
      await write(other, stepping(ARTICLE, SEVEN, price(256)));

      await expectNothing(store);
      expect(await stepsFound(store, late)).to.deep.equal([price(256)]);
      await expectHit(store, eighth, 'eight');
    });

    it('follows when large row deltas have shortened the trail', async () => {
      const { store, other } = await make();
      const large = (i: number): RowDelta => [[String(i), 'x'.repeat(4000)], null, 1];
      await cache(store, seven, 'seven');
      for (let i = 0; i < 14; i++) {
        await write(other, stepping(ARTICLE, SEVEN, large(i)));
      }
      expect(await stepsFound(store)).to.have.lengthOf(14);
      for (let i = 14; i < 18; i++) {
        await write(other, stepping(ARTICLE, SEVEN, large(i)));
      }
      await expectNothing(store);
    });

    for (const [what, key] of Object.entries({
      stamp: 'c:{T}:14:category?price:7',
      trail: 's:{T}:14:category?price:7',
      registry: 't:{T}',
      'table stamp': 'g:{T}',
    })) {
      it(`follows the loss of the ${what}, also after it was created again`, async () => {
        const { store, other, evict } = await make();
        const address = query(on('T', SEVEN));
        await cache(store, address, 'seven');
        await write(other, stepping('T', SEVEN, price(1)));
        await evict(key);
        await trust(store, address);
        await expectMiss(store, address);
        if (what !== 'trail') {
          await expectNothing(store, address);
        }
        const seal = await leaseTrusted(store, address);
        await write(other, stepping('T', SEVEN, price(2)));
        await expectNothing(store, address);
        await store.fill(address, seal, Buffer.from('new'), LONG);
        expect(await stepsFound(store, address)).to.deep.equal([price(2)]);
      });
    }

    it('follows the deletion of a plain stamp, or a dropped table', async () => {
      const { store, other } = await make();
      await cache(store, seven, 'seven');
      await write(other, stepping(ARTICLE, SEVEN, price(1)));
      await other.drop([ARTICLE]);
      await expectNothing(store);
    });

    it('follows the expiry of a stamp', async () => {
      const { store, other, pass } = await make();
      const seal = await leaseTrusted(store, seven, 60);
      await store.fill(seven, seal, Buffer.from('seven'), LONG);
      await write(other, stepping(ARTICLE, SEVEN, price(1)));
      await pass(50);
      expect(await stepsFound(store)).to.deep.equal([price(1)]);
      await pass(20);
      await expectNothing(store);
    });
  });

  it('keeps a trail for as long as its stamp', async () => {
    const { store, other, pass } = await make();
    await cache(store, seven, 'seven', 60);
    await write(other, stepping(ARTICLE, SEVEN, price(1)));
    const long = { ...seven, key: 'another' };
    await cache(store, long, 'long', 600);
    await store.fill(seven, await leaseGranted(store, seven), Buffer.from('seven'), 600);
    await write(other, stepping(ARTICLE, SEVEN, price(2)));
    await pass(500);

    expect(await stepsFound(store, long)).to.deep.equal([price(2)]);
    expect(await stepsFound(store, seven)).to.deep.equal([price(2)]);
  });

  describe('resealing', () => {
    it('makes the entry a hit in every process', async () => {
      const { store, other } = await make();
      await cache(store, seven, 'seven');
      await write(other, stepping(ARTICLE, SEVEN, price(1)));
      await store.reseal(seven, await found(store, seven));
      await expectHit(store, seven, 'seven');
      await expectHit(other, seven, 'seven');
      await write(other, stepping(ARTICLE, SEVEN, price(2)));

      expect(await stepsFound(store)).to.deep.equal([price(2)]);
    });

    it('works for a large result, and for one with many dependencies', async () => {
      const { store, other } = await make();
      const many = articles(
        ...Array.from({ length: 200 }, (_, i) => ({ scheme: PRICED, values: `many ${i}` })),
      );
      const payload = Buffer.alloc(5_000_000, 'article');
      await store.fill(many, await leaseTrusted(store, many), payload, LONG);
      const touched = [3, 99, 199].map(i => many.tables[0]!.dependencies[i]!);
      await write(other, stepping(ARTICLE, touched[1]!, price(1)));
      await write(other, ...touched.map(each => stepping(ARTICLE, each, price(2))));
      await store.reseal(many, await found(store, many));

      const { payload: now, moved } = await found(other, many);
      expect(moved).to.deep.equal([]);
      expect(Buffer.compare(now, payload)).to.equal(0);
    });

    it('does nothing if nothing has changed', async () => {
      const { store } = await make();
      await cache(store, seven, 'seven');
      await store.reseal(seven, await found(store, seven));

      await expectHit(store, seven, 'seven');
    });

    it('does not hide changes before it arrives', async () => {
      const { store, other } = await make();
      await cache(store, seven, 'seven');
      await write(other, stepping(ARTICLE, SEVEN, price(1)));
      const early = await found(store, seven);
      await write(other, stepping(ARTICLE, SEVEN, price(2)));
      await store.reseal(seven, early);
      expect(await stepsFound(store)).to.deep.equal([price(2)]);
      const later = await found(store, seven);
      await write(other, touching(ARTICLE, SEVEN));
      await store.reseal(seven, later);
      await expectNothing(store);
      await trust(store, seven);
      await expectNothing(store);
    });

    it('does not affect an entry that was filled meanwhile, even under the same stamps', async () => {
      const { store, other } = await make();
      const seal = await leaseTrusted(store, seven);
      await store.fill(seven, seal, Buffer.from('seven'), LONG);
      await write(other, stepping(ARTICLE, SEVEN, price(1)));
      const early = await found(store, seven);
      await other.fill(seven, seal, Buffer.from('other'), LONG);
      await store.reseal(seven, early);

      const now = await found(store, seven);
      expect(String(now.payload)).to.equal('other');
      expect(now.moved).to.have.lengthOf(1);
    });

    it('changes the id of the entry, as another fill does', async () => {
      const { store, other } = await make();
      const moved = async (value: number) => {
        await write(other, stepping(ARTICLE, SEVEN, price(value)));
        return found(store, seven);
      };
      const seal = await leaseTrusted(store, seven);
      await store.fill(seven, seal, Buffer.from('seven'), LONG);
      const ids = [(await moved(1)).id];
      expect((await moved(2)).id).to.equal(ids[0]);
      await store.reseal(seven, await found(store, seven));
      ids.push((await moved(3)).id);
      await other.fill(seven, seal, Buffer.from('seven'), LONG);
      ids.push((await moved(4)).id);

      expect(new Set(ids).size).to.equal(3);
    });

    it('does not restore a deleted entry', async () => {
      const { store, other, evict } = await make();
      const address = { ...seven, key: 'seven' };
      await cache(store, address, 'seven');
      await write(other, stepping(ARTICLE, SEVEN, price(1)));
      const early = await found(store, address);
      await evict('e:seven');
      await store.reseal(address, early);

      await expectNothing(store, address);
    });

    it('may be done by several readers at once', async () => {
      const { store, other } = await make();
      await cache(store, seven, 'seven');
      await write(other, stepping(ARTICLE, SEVEN, price(1)));
      const [one, two] = [await found(store, seven), await found(other, seven)];
      await write(other, stepping(ARTICLE, SEVEN, price(2)));
      const three = await found(store, seven);
      await Promise.all([store.reseal(seven, one), other.reseal(seven, two), store.reseal(seven, three)]);
      const left = await stepsFound(other);
      expect([0, 1]).to.include(left.length);
      await write(other, stepping(ARTICLE, SEVEN, price(3)));

      expect(await stepsFound(store)).to.deep.equal([...left, price(3)]);
    });

    it('does not extend the time to live of an entry', async () => {
      const { store, other, pass } = await make();
      await store.fill(seven, await leaseTrusted(store, seven), Buffer.from('seven'), 60);
      await write(other, stepping(ARTICLE, SEVEN, price(1)));
      await pass(50);
      await store.reseal(seven, await found(store, seven));
      await expectHit(store, seven, 'seven');
      await pass(20);

      await expectNothing(store);
    });
  });

  it('loses no row delta with concurrent writers and readers', async () => {
    const { store, other } = await make();
    const eight = articles(EIGHT);
    await cache(store, seven, 'seven');
    await cache(store, eight, 'eight');
    let committed = 0;
    const writers = [store, other, store, other].map(async via => {
      for (let i = 0; i < 30; i++) {
        await write(via, stepping(ARTICLE, SEVEN, price(committed), price(0)));
        committed += 2;
      }
    });
    let reads = 0;
    let seen = 0;
    const readers = [store, other].map(async via => {
      while (committed < 240) {
        const before = committed;
        const entry = await via.read(seven);
        if (!entry && via === other) {
          continue; // where it is not read at one moment, it may take a seal meanwhile that is ahead of what was read
        }
        expect(entry).not.to.equal(undefined);
        const told = seen + entry!.moved.reduce((sum, { steps }) => sum + steps.length, 0);
        if (via === store && entry!.moved.length > 0) {
          await via.reseal(seven, entry!);
          seen = told;
        }
        // the other reader cannot know how far the entry has been resealed
        if (via === store) {
          expect(told).to.be.within(before, 240);
        }
        reads++;
      }
    });
    await Promise.all([...writers, ...readers]);

    expect(reads).to.be.greaterThan(2);
    expect(seen + (await stepsFound(store)).length).to.equal(240);
    expect(await ask(store, eight)).to.equal('eight');
  });
}
