import { expect } from 'chai';
import type { Redis } from 'ioredis';
import type { RowDelta } from '../../../lib/values/row_delta.js';
import type { Dependency } from '../../../lib/values/scheme.js';
import { redisUrl } from '../../support/servers.js';
import {
  ARTICLE,
  articles,
  cache,
  expectHit,
  LONG,
  leaseTrusted,
  stepping,
  trust,
  writer,
} from '../words.js';
import { type RedisSubject, redisSubject } from './support.js';

describe('A trail in Redis', () => {
  const PRICED = { id: 'category?price', columns: ['category'], tests: ['price'] };
  const SEVEN: Dependency = { scheme: PRICED, values: '7' };
  const seven = articles(SEVEN);
  const STAMP = `c:{${ARTICLE}}:14:category?price:7`;
  const TRAIL = `s:{${ARTICLE}}:14:category?price:7`;
  const step: RowDelta = [['1'], ['2'], 0];
  let subject: RedisSubject;

  beforeEach(async () => {
    subject = redisSubject(await redisUrl());
  });
  afterEach(() => subject.end());

  async function write(...steps: RowDelta[]): Promise<void> {
    const w = writer();
    await subject.other.mark(w, [stepping(ARTICLE, SEVEN, ...steps)]);
    await subject.other.settle(w.id, [ARTICLE]);
  }

  const damages: Record<string, (client: Redis, stamp: string, trail: string) => Promise<unknown>> = {
    'is a string': (client, _, trail) => client.set(trail, 'x'),
    'contains nonsense': async (client, _, trail) => {
      await client.del(trail);
      await client.rpush(trail, 'x', 'y');
    },
    'contains an invalid row delta': async (client, stamp, trail) => {
      await client.lset(trail, -1, `${await client.get(stamp)} 9 {"a":1}`);
    },
    'lacks its last row delta': (client, _, trail) => client.rpop(trail),
    'has one row delta too many': async (client, _, trail) => {
      await client.rpush(trail, (await client.lindex(trail, 0))!);
    },
    'belongs to another stamp': async (client, stamp) => {
      await client.setrange(stamp, 0, 'another');
    },
    'belongs to a stamp without a count': async (client, stamp) => {
      await client.setrange(stamp, (await client.strlen(stamp)) - 3, 'abc');
    },
    'belongs to a stamp with a decreased count': async (client, stamp) => {
      await client.setrange(stamp, (await client.strlen(stamp)) - 3, '000');
    },
    'belongs to a stamp that is a list': async (client, stamp) => {
      await client.del(stamp);
      await client.rpush(stamp, 'x');
    },
  };

  for (const [what, damage] of Object.entries(damages)) {
    it(`makes a miss if it ${what}, and has no other effect`, async () => {
      const { store, client, key } = subject;
      await write(step);
      await trust(store, seven);
      await leaseTrusted(store, seven);
      await write(step);
      await cache(store, seven, 'seven');
      await write(step, step);
      expect((await store.read(seven))?.moved[0]?.steps).to.deep.equal([step, step]);
      await damage(client, key(STAMP), key(TRAIL));

      expect(await store.read(seven)).to.equal(undefined);
      await write(step);
      const found = await store.read(seven);
      expect(found?.moved[0]?.steps.length ?? 0).to.equal(0);
      await client.del(key(STAMP));
      await cache(store, seven, 'again');
      await expectHit(store, seven, 'again');
      await write(step);
      expect((await store.read(seven))?.moved[0]?.steps).to.deep.equal([step]);
    });
  }

  it('is not created for a dependency without readers', async () => {
    const { store, client } = subject;
    await trust(store, seven);
    await client.del(subject.key(STAMP));
    await write(step);

    expect(await client.keys(subject.key('s:*'))).to.deep.equal([]);
  });

  it('is deleted with its stamp if a writer does not know its row deltas', async () => {
    const { store, client } = subject;
    await cache(store, seven, 'seven');
    await write(step);
    expect(await client.keys(subject.key('s:*'))).to.have.lengthOf(1);
    await write(...Array.from({ length: 300 }, () => step));

    expect(await client.keys(subject.key('[sc]:*'))).to.deep.equal([]);
  });

  it('is deleted with its stamp before the count overflows', async () => {
    const { store, client, key } = subject;
    await cache(store, seven, 'seven');
    const stamp = (await client.get(key(STAMP)))!;
    await client.set(key(STAMP), `${stamp.slice(0, -10)}9999999998`, 'KEEPTTL');
    await cache(store, seven, 'seven');
    await write(step);
    expect((await store.read(seven))?.moved[0]?.steps).to.deep.equal([step]);
    await write(step);

    expect(await store.read(seven)).to.equal(undefined);
    expect(await client.exists(key(STAMP), key(TRAIL))).to.equal(0);
  });

  it('makes resealing a large result as cheap as a small one', async () => {
    const { store, client } = subject;
    const received = async () => Number(/total_net_input_bytes:(\d+)/.exec(await client.info('stats'))![1]);
    await store.fill(seven, await leaseTrusted(store, seven), Buffer.alloc(5_000_000, 'x'), LONG);
    await write(step);
    const found = (await store.read(seven))!;
    const before = await received();
    await store.reseal(seven, found);

    expect((await received()) - before).to.be.lessThan(5000);
    expect((await store.read(seven))?.moved).to.deep.equal([]);
  });
});
