import { expect } from 'chai';
import { Article, entities, Tag } from '../../fixtures/legacy/index.js';
import { type AnswerRequest, answer, invalidateTag } from '../../lib/functions/answer.js';
import { cachedAs } from '../../lib/index.js';
import { startBlog } from '../orm/support/blog.js';
import { join, type Started } from '../orm/support/start.js';
import { gate } from '../support/gate.js';
import { until } from '../support/until.js';

type Em = Started['orm']['em'];

describe('a result of a view or fragment', () => {
  let blog: Started;
  const fork = () => blog.orm.em.fork();

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  /** Where it came from, or why it was not stored. */
  async function ask(request: Partial<AnswerRequest>, em: Em = fork(), compute = async () => 'text') {
    const given = await answer(
      em,
      { kind: 'view', name: 'GET /', key: 'a', timeout: 60, ...request },
      async () => {
        const value = await compute();
        return { value, payload: Buffer.from(value) };
      },
    );
    await blog.cache.idle();
    return given.source === 'cache' ? `cache: ${Buffer.from(given.payload)}` : (given.reason ?? given.source);
  }

  it('is stored, and served until its samples change', async () => {
    const request = { samples: [Tag] };
    expect(await ask(request)).to.equal('computed');
    expect(await ask(request)).to.equal('cache: text');
    expect(await ask({ ...request, key: 'b' })).to.equal('computed');
    expect(await ask({ ...request, kind: 'fragment' })).to.equal('computed');
    await fork().nativeUpdate(Tag, { id: 1 }, { name: 'x' });
    expect(await ask(request)).to.equal('computed');
  });

  it('invalidateTag() invalidates it, also while it is computed', async () => {
    const request = {
      tags: [
        ['url', '/a'],
        ['url', '/b'],
      ] as const,
    };
    expect(await ask(request)).to.equal('computed');
    await invalidateTag(blog.orm, 'url', '/c');
    expect(await ask(request)).to.equal('cache: text');
    await invalidateTag(fork(), 'url', '/b');
    const slow = gate();
    const computing = ask(request, fork(), async () => {
      await slow.pass();
      return 'old';
    });
    await slow.reached;
    await invalidateTag(blog.orm, 'url', '/a');
    slow.open();
    await computing;
    expect(await ask(request)).to.equal('computed');
  });

  it('is not stored if the EntityManager has loaded rows of its samples before: they may be old', async () => {
    const em = fork();
    await em.findOneOrFail(Tag, 1);
    expect(await ask({ samples: [Tag] }, em)).to.equal('rows that were loaded before');
    expect(await ask({ samples: [Article] }, em)).to.equal('computed');
    expect(await ask({ samples: [Tag] })).to.equal('computed');
    expect(await ask({ samples: [Tag] }, em)).to.equal('cache: text');
  });

  it('is not stored without a payload, nor if the computation throws', async () => {
    const request: AnswerRequest = { kind: 'view', name: 'GET /', key: 'a', timeout: 60 };
    const none = await answer(fork(), request, async () => ({ value: 1, payload: undefined }));
    expect(none).to.deep.equal({ source: 'computed', value: 1, reason: 'not storable' });
    const error = new Error('no');
    const failing = answer(fork(), request, () => Promise.reject(error));
    expect(await failing.catch(caught => caught)).to.equal(error);
    expect(await ask({})).to.equal('computed');
  });

  it('runs in the caller’s own EntityManager', async () => {
    const em = fork();
    await ask({ samples: [Article] }, em, async () => {
      await em.findOneOrFail(Tag, 1);
      return 'x';
    });
    expect([...em.getUnitOfWork().getIdentityMap()]).to.have.lengthOf(1);
  });

  it('with lock, is computed by one of several processes, and by all if that one fails', async () => {
    const other = await join({ entities, cacheops: { store: blog.store } });
    let slow = gate();
    try {
      let computed = 0;
      let fails = false;
      const fn = cachedAs(Tag, { name: 'locked', lock: true })(async (_em: Em, n: number) => {
        computed++;
        await slow.pass();
        if (fails) {
          fails = false;
          throw new Error('once');
        }
        return n;
      });
      // ends the quarantine of registries that are new
      slow.open();
      await fn(fork(), 0);
      await blog.cache.idle();
      let looks = 0;
      const { lease } = blog.store;
      blog.store.lease = (address, ttl) => {
        looks += Number(address.key === 'lock');
        return lease.call(blog.store, address, ttl);
      };
      for (const [n, expected] of [
        [1, 1],
        [2, 2],
      ] as const) {
        [computed, looks, slow, fails] = [0, 0, gate(), n === 2];
        const first = fn(fork(), n).catch(() => n);
        await slow.reached;
        const second = fn(other.orm.em.fork(), n);
        await until(() => looks > 2 || computed > 1); // it has seen that it is the second, and waits
        expect(computed).to.equal(1);
        slow.open();
        expect([await first, await second]).to.deep.equal([n, n]);
        await blog.cache.idle();
        expect(computed, `try ${n}`).to.equal(expected);
      }
    } finally {
      slow.open();
      await other.orm.close();
    }
  });
});
