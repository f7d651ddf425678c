import type { EntityManager } from '@mikro-orm/core';
import { expect } from 'chai';
import { Article, entities, Tag } from '../../fixtures/legacy/index.js';
import { answer } from '../../lib/functions/answer.js';
import { cached, cachedAs, fileCache, MemoryStore } from '../../lib/index.js';
import { fragments } from '../../lib/integrations/templates/index.js';
import { startBlog } from '../orm/support/blog.js';
import { join, type Started } from '../orm/support/start.js';
import { gate } from '../support/gate.js';
import { temporaryDirectory } from '../support/temporary_directory.js';
import { answersOf } from './support/counted.js';

type Em = EntityManager;

let names = 0;
const name = () => `nested ${names++}`;

describe('a cached function that calls cached functions', () => {
  let blog: Started;
  let now = 0;
  let version = 0;
  const fork = () => blog.orm.em.fork();

  beforeEach(async () => {
    version = 0;
    blog = await startBlog({ cacheops: { store: new MemoryStore({ now: () => now }) } });
  });

  afterEach(() => blog.orm.close());

  const rename = (label = `tag ${version++}`) => fork().nativeUpdate(Tag, { id: 1 }, { name: label });
  const nameOfTag = async (em: Em) => (await em.findOneOrFail(Tag, 1)).name;

  /** A function of Article that calls this one, and how often it was computed. */
  function outerOf(inner: (em: Em) => Promise<unknown>, options: object = {}) {
    const calls = { computed: 0 };
    const outer = cachedAs(Article, { name: name(), ...options })(async (em: Em) => {
      calls.computed++;
      return `outer ${await inner(em)}`;
    });
    return { outer, calls };
  }

  /** Calls it, and waits until what can be stored is. */
  async function settled<T>(run: () => Promise<T>): Promise<T> {
    const result = await run();
    await blog.cache.idle();
    return result;
  }

  it('is computed anew when a sample of the inner one changes, whose result was computed', async () => {
    const inner = cachedAs(Tag, { name: name() })(nameOfTag);
    const { outer, calls } = outerOf(inner);
    await rename('one');
    expect(await settled(() => outer(fork()))).to.equal('outer one');
    expect(await settled(() => outer(fork()))).to.equal('outer one');
    expect(calls.computed, 'cached').to.equal(1);
    await rename('two');
    expect(await settled(() => outer(fork()))).to.equal('outer two');
    expect(await settled(() => outer(fork()))).to.equal('outer two');
    expect(calls.computed).to.equal(2);
  });

  it('is computed anew when a sample of the inner one changes, whose result came from the cache', async () => {
    const inner = cachedAs(Tag, { name: name() })(nameOfTag);
    const { outer, calls } = outerOf(inner);
    await rename('one');
    await settled(() => inner(fork()));
    expect(await settled(() => outer(fork()))).to.equal('outer one');
    expect(await settled(() => outer(fork()))).to.equal('outer one');
    expect(calls.computed, 'cached').to.equal(1);
    await rename('two');
    expect(await settled(() => outer(fork()))).to.equal('outer two');
  });

  it('is invalidated by its own sample, and stays cached if neither changes', async () => {
    const inner = cachedAs(Tag, { name: name() })(nameOfTag);
    const { outer, calls } = outerOf(inner);
    await settled(() => outer(fork()));
    await fork().nativeUpdate(Article, { id: 1 }, { title: 'changed' });
    await settled(() => outer(fork()));
    expect(calls.computed).to.equal(2);
    await fork().execute('update author set reputation = 5 where id = 1');
    await settled(() => outer(fork()));
    expect(calls.computed).to.equal(2);
  });

  it('depends on the innermost at any depth, whichever of them came from the cache', async () => {
    const innermost = cachedAs(Tag, { name: name() })(nameOfTag);
    const middle = outerOf(innermost);
    const { outer } = outerOf(middle.outer);
    for (const warm of [[], [innermost], [innermost, middle.outer], [middle.outer]]) {
      const label = `depth ${names++}`;
      await rename(label);
      for (const fn of warm) {
        await settled(() => fn(fork()));
      }
      expect(await settled(() => outer(fork()))).to.equal(`outer outer ${label}`);
      expect(await settled(() => outer(fork()))).to.equal(`outer outer ${label}`);
    }
  });

  it('is served to another process of the same store, which has never computed it', async () => {
    const inner = cachedAs(Tag, { name: name() })(nameOfTag);
    const { outer, calls } = outerOf(inner);
    await rename('one');
    await settled(() => outer(fork()));
    const other = await join({ entities, cacheops: { store: blog.store } });
    try {
      expect(await answersOf(other, () => outer(other.orm.em.fork()))).to.deep.equal(['cache']);
      expect(await answersOf(other, () => outer(other.orm.em.fork()))).to.deep.equal(['cache']);
      expect(calls.computed).to.equal(1);
      await rename('two');
      expect(await outer(other.orm.em.fork())).to.equal('outer two');
    } finally {
      await other.orm.close();
    }
  });

  it('is not stored with a seal that is newer than the read of the inner function', async () => {
    const read = gate();
    const inner = cachedAs(Tag, { name: name() })(nameOfTag);
    const { outer } = outerOf(async em => {
      const found = await inner(em);
      await read.pass();
      return found;
    });
    await rename('one');
    const computing = outer(fork());
    await read.reached;
    await rename('two');
    // its stamps are new now, and so is what the inner one gives
    expect(await inner(fork())).to.equal('two');
    read.open();
    expect(await computing).to.equal('outer one');
    await blog.cache.idle();
    expect(await outer(fork())).to.equal('outer two');
  });

  it('is not stored if two calls of one inner function give results from before and after a write', async () => {
    const between = gate();
    const inner = cachedAs(Tag, { name: name() })(nameOfTag);
    const { outer } = outerOf(async em => {
      const first = await inner(em);
      await between.pass();
      return `${first} ${await inner(em)}`;
    });
    await rename('one');
    const computing = outer(fork());
    await between.reached;
    await rename('two');
    between.open();
    expect(await computing).to.equal('outer one two');
    await blog.cache.idle();
    expect(await outer(fork())).to.equal('outer two two');
  });

  it('depends on an inner function that several outer functions wait for', async () => {
    const held = gate();
    const inner = cachedAs(Tag, { name: name() })(async (em: Em) => {
      const found = await nameOfTag(em);
      await held.pass();
      return found;
    });
    const outers = [outerOf(inner), outerOf(inner, { lock: true }), outerOf(inner)];
    await rename('one');
    const computing = outers.map(({ outer }) => outer(fork()));
    await held.reached;
    held.open();
    expect(await Promise.all(computing)).to.deep.equal(outers.map(() => 'outer one'));
    await blog.cache.idle();
    await rename('two');
    for (const { outer } of outers) {
      expect(await outer(fork())).to.equal('outer two');
    }
  });

  it('is not stored while an inner function that was not awaited is running', async () => {
    const held = gate();
    const inner = cachedAs(Tag, { name: name() })(async (em: Em) => {
      await held.pass();
      return nameOfTag(em);
    });
    const { outer, calls } = outerOf(async em => {
      void inner(em);
      return 'without it';
    });
    await outer(fork());
    held.open();
    await settled(() => outer(fork()));
    expect(calls.computed).to.equal(2);
  });

  it('is not stored if an inner function has thrown', async () => {
    const inner = cachedAs(Tag, { name: name() })(async (em: Em) => {
      if ((await nameOfTag(em)) === 'bad') {
        throw new Error('bad');
      }
      return 'good';
    });
    const { outer } = outerOf(em => inner(em).catch(() => 'caught'));
    await rename('bad');
    expect(await settled(() => outer(fork()))).to.equal('outer caught');
    await rename('better');
    expect(await settled(() => outer(fork()))).to.equal('outer good');
  });

  it('is not stored if an inner function was disabled, or has written', async () => {
    const inner = cachedAs(Tag, { name: name() })(nameOfTag);
    const off = outerOf(em => blog.cache.disabled(() => inner(em)));
    const writing = cachedAs(Tag, { name: name() })(async (em: Em) => {
      await em.nativeUpdate(Tag, { id: 2 }, { name: name() });
      return nameOfTag(em);
    });
    const written = outerOf(writing);
    for (const { outer, calls } of [off, written]) {
      await rename('one');
      expect(await settled(() => outer(fork()))).to.equal('outer one');
      await rename('two');
      expect(await settled(() => outer(fork()))).to.equal('outer two');
      expect(calls.computed).to.equal(2);
    }
  });

  it('is not stored if an inner function uses another store', async () => {
    const other = await join({ entities });
    try {
      const inner = cachedAs(Tag, { name: name() })(nameOfTag);
      const { outer, calls } = outerOf(() => inner(other.orm.em.fork()));
      await settled(() => outer(fork()));
      await other.cache.idle();
      await settled(() => outer(fork()));
      expect(calls.computed).to.equal(2);
    } finally {
      await other.orm.close();
    }
  });

  it('is not stored if an inner function uses an EntityManager that is not in the key', async () => {
    let tenant = 'red';
    const filtered = () => {
      const em = fork();
      em.addFilter({ name: 'tenant', cond: { name: tenant } as never, entity: [Tag] as never });
      return em;
    };
    const inner = cachedAs(Tag, { name: name() })(async (em: Em) => em.count(Tag, { id: 1 }));
    const { outer } = outerOf(() => inner(filtered()));
    expect(await settled(() => outer(fork()))).to.equal('outer 1');
    tenant = 'green';
    expect(await settled(() => outer(fork()))).to.equal('outer 0');
  });

  it('is stored if an inner function uses a fork equal to its own EntityManager', async () => {
    const inner = cachedAs(Tag, { name: name() })(nameOfTag);
    const { outer, calls } = outerOf(() => inner(fork()));
    await settled(() => outer(fork()));
    await settled(() => outer(fork()));
    expect(calls.computed).to.equal(1);
  });

  it('depends on timed functions: on invalidation, set() and expiry', async () => {
    let made = 0;
    const timed = cached({ timeout: 10, name: name() })(async (_em: Em, _key: string) => ++made);
    const { outer } = outerOf(em => timed(em, 'a'), { timeout: 3600 });
    expect(await settled(() => outer(fork()))).to.equal('outer 1');
    expect(await settled(() => outer(fork()))).to.equal('outer 1');
    await timed.invalidate(fork(), 'a');
    expect(await settled(() => outer(fork()))).to.equal('outer 2');
    await timed.key(fork(), 'a').set(7);
    expect(await settled(() => outer(fork()))).to.equal('outer 7');
    now += 10_001;
    expect(await settled(() => outer(fork()))).to.equal('outer 3');
  });

  it('depends on values by key', async () => {
    const { outer } = outerOf(async () => blog.cache.cache.get('motd').catch(() => 'none'));
    expect(await settled(() => outer(fork()))).to.equal('outer none');
    await blog.cache.cache.set('motd', 'Hello');
    expect(await settled(() => outer(fork()))).to.equal('outer Hello');
    await blog.cache.cache.set('motd', 'Bye');
    expect(await settled(() => outer(fork()))).to.equal('outer Bye');
    await blog.cache.cache.delete('motd');
    expect(await settled(() => outer(fork()))).to.equal('outer none');
  });

  it('expires with an inner result', async () => {
    let made = 0;
    const inner = cachedAs(Tag, { name: name(), timeout: 10 })(async (_em: Em) => ++made);
    const middle = outerOf(inner, { timeout: 600 });
    const { outer } = outerOf(middle.outer, { timeout: 3600 });
    expect(await settled(() => outer(fork()))).to.equal('outer outer 1');
    now += 9_000;
    expect(await settled(() => outer(fork()))).to.equal('outer outer 1');
    now += 1_001;
    expect(await settled(() => outer(fork()))).to.equal('outer outer 2');
  });

  it('is not stored when a value comes from a file, which may be deleted', async () => {
    const directory = temporaryDirectory('nested');
    try {
      let made = 0;
      const timed = cached({ timeout: 60, name: name(), cache: fileCache({ directory: directory.path }) })(
        async () => ++made,
      );
      const { outer } = outerOf(() => timed());
      expect(await settled(() => outer(fork()))).to.equal('outer 1');
      await timed.invalidate();
      expect(await settled(() => outer(fork()))).to.equal('outer 2');
    } finally {
      directory.remove();
    }
  });

  it('is not stored if a function that a timed function has called has written', async () => {
    const inner = cachedAs(Tag, { name: name() })(nameOfTag);
    const between = cached({ timeout: 60, name: name() })(async (em: Em) => inner(em));
    const { outer } = outerOf(between);
    await rename('one');
    expect(await settled(() => outer(fork()))).to.equal('outer one');
    await rename('two');
    // what is timed stays as it is for its time, in whatever it is called
    expect(await settled(() => outer(fork()))).to.equal('outer one');
    await between.invalidate(fork());
    expect(await settled(() => outer(fork()))).to.equal('outer two');
  });

  it('fragments and views depend on the functions that they call', async () => {
    const inner = cachedAs(Tag, { name: name() })(nameOfTag);
    const fragment = fragments(blog.orm);
    const page = () =>
      settled(() =>
        fragment('page', Article, async () => `page ${await fragment('menu', Article, () => inner(fork()))}`),
      );
    const view = () =>
      settled(async () => {
        const found = await answer(
          fork(),
          { kind: 'view', name: 'page', key: '', samples: [Article] },
          async () => {
            const value = `view ${await inner(fork())}`;
            return { value, payload: Buffer.from(value) };
          },
        );
        return found.source === 'cache' ? String(Buffer.from(found.payload)) : found.value;
      });
    for (const label of ['one', 'two', 'three']) {
      await rename(label);
      for (let i = 0; i < 3; i++) {
        expect(await page()).to.equal(`page ${label}`);
        expect(await view()).to.equal(`view ${label}`);
      }
    }
  });

  it('is stored in a transaction that only reads, and not in one that has written', async () => {
    const inner = cachedAs(Tag, { name: name() })(nameOfTag);
    const { outer } = outerOf(inner);
    await rename('one');
    await fork().transactional(async em => {
      expect(await outer(em)).to.equal('outer one');
    });
    await blog.cache.idle();
    await rename('two');
    await fork().transactional(async em => {
      expect(await outer(em)).to.equal('outer two');
      await em.nativeUpdate(Tag, { id: 1 }, { name: 'mine' });
      expect(await outer(em)).to.equal('outer mine');
      await em.nativeUpdate(Tag, { id: 1 }, { name: 'three' });
    });
    expect(await settled(() => outer(fork()))).to.equal('outer three');
  });
});
