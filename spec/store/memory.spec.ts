import { expect } from 'chai';
import sinon from 'sinon';
import { MemoryStore } from '../../lib/store/memory/memory_store.js';
import { describeStore } from './conformance.js';
import type { Subject } from './subject.js';
import {
  ARTICLE,
  articles,
  cache,
  category,
  expectHit,
  expectMiss,
  leaseRefused,
  touching,
  trust,
  writer,
} from './words.js';

describeStore('MemoryStore', async (limits): Promise<Subject> => {
  let now = 0;
  const store = new MemoryStore({ ...limits, now: () => now });
  return {
    store,
    other: store,
    evict: async key => store.evict(key),
    pass: async seconds => {
      now += seconds * 1000;
    },
    end: () => store.close(),
  };
});

describe('MemoryStore', () => {
  const seven = articles(category('7'));

  it('reports the age of a writer in flight since its last mark', async () => {
    let now = 5000;
    const store = new MemoryStore({ now: () => now });
    await trust(store, seven);
    const w = writer();
    await store.mark(w, [touching(ARTICLE, category('7'))]);
    now += 1000;
    expect((await leaseRefused(store, seven)).writers[0]!.age).to.equal(1000);
    await store.mark(w, [touching(ARTICLE)]);
    now += 10;

    expect((await leaseRefused(store, seven)).writers[0]!.age).to.equal(10);
  });

  it('uses the clock of the process, even a fake one', async () => {
    const clock = sinon.useFakeTimers();
    try {
      const store = new MemoryStore();
      await cache(store, seven, 'seven', 60);
      clock.tick(59_000);
      await expectHit(store, seven, 'seven');
      clock.tick(2000);

      await expectMiss(store, seven);
      expect(clock.countTimers()).to.equal(0);
    } finally {
      clock.restore();
    }
  });

  it('evicts the least recently used items above its size limit', async () => {
    const store = new MemoryStore({ maxSize: 100_000 });
    const hot = articles(category('hot'));
    await cache(store, hot, 'hot');
    for (let i = 0; i < 200; i++) {
      await cache(store, articles(category(`cold ${i}`)), 'x'.repeat(1000));
      await expectHit(store, hot, 'hot');
    }

    await expectMiss(store, articles(category('cold 0')));
    await expectHit(store, articles(category('cold 199')), 'x'.repeat(1000));
  });

  it('does not store an item that is larger than its size limit', async () => {
    const store = new MemoryStore({ maxSize: 10_000 });
    await cache(store, seven, 'seven');
    await cache(store, seven, 'x'.repeat(20_000));

    await expectMiss(store, seven);
  });
});
