import { expect } from 'chai';
import type { Store } from '../../../lib/store/store.js';
import { type MakeSubject, subjects } from '../subject.js';
import { ARTICLE, articles, ask, category, LONG, touching, trust, writer } from '../words.js';

export function describeParallel(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);

  it('never answers a read with less than what was committed before it began', async () => {
    const { store, other } = await make();
    const rows = ['1', '2', '3'];
    // a row is the number of times that it has been written
    const database = new Map(rows.map(row => [row, 0]));
    await trust(store, articles(category('1')));
    let hits = 0;
    let writing = true;

    async function write(via: Store, row: string, times: number): Promise<void> {
      for (let i = 0; i < times; i++) {
        const w = writer();
        await via.mark(w, [touching(ARTICLE, category(row))]);
        // nothing is awaited between reading and writing the row: that is its lock
        database.set(row, database.get(row)! + 1);
        await via.settle(w.id, [ARTICLE]);
        // now and then the writers leave the readers time enough for a hit
        const before = hits;
        while (i % 10 === 0 && hits === before) {
          await turn();
        }
      }
    }

    async function fill(via: Store, row: string): Promise<void> {
      const address = articles(category(row));
      const lease = await via.lease(address, LONG);
      if (lease.granted) {
        const selected = String(database.get(row));
        // others may come between
        await turn();
        await via.fill(address, lease.seal, Buffer.from(selected), LONG);
      }
    }

    async function read(via: Store, row: string): Promise<void> {
      const address = articles(category(row));
      while (writing) {
        const committed = database.get(row)!;
        const found = await ask(via, address);
        if (found !== undefined) {
          hits++;
          expect(Number(found)).to.be.at.least(committed);
        } else {
          await fill(via, row);
        }
        await turn();
      }
    }

    const readers = rows.flatMap(row => [store, other, store, other].map(via => read(via, row)));
    await Promise.all(rows.flatMap(row => [write(store, row, 100), write(other, row, 100)]));
    writing = false;
    await Promise.all(readers);

    expect([...database.values()]).to.deep.equal([200, 200, 200]);
    expect(hits).to.be.at.least(10);
  });
}

/** Lets the others have theirs, also where the store itself never waits for anything. */
function turn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
