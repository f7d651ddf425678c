import { expect } from 'chai';
import fc from 'fast-check';
import { faultOf } from '../../../lib/store/keys.js';
import { startRedis } from '../../support/redis.js';
import { redisUrl } from '../../support/servers.js';
import {
  ALL,
  ARTICLE,
  AUTHOR,
  articles,
  cache,
  category,
  expectHit,
  expectMiss,
  LONG,
  leaseRefused,
  on,
  query,
  touching,
  trust,
  writer,
} from '../words.js';
import { quietClient, type RedisSubject, redisSubject } from './support.js';

describe('The keys in Redis', () => {
  const seven = articles(category('7'));
  const joined = query(on(ARTICLE, category('7')), on(AUTHOR, ALL));
  const subjects: RedisSubject[] = [];

  afterEach(async () => {
    await Promise.all(subjects.splice(0).map(({ end }) => end()));
  });

  async function make(prefix?: string): Promise<RedisSubject> {
    const subject = redisSubject(await redisUrl(), prefix === undefined ? {} : { prefix });
    subjects.push(subject);
    return subject;
  }

  it('all have a time to live', async () => {
    const { store, client, prefix, key: named } = await make();
    await cache(store, joined, 'joined', 100);
    await store.mark(writer(), [touching(ARTICLE, category('8'))]);
    await store.mark(writer(), [touching('another')]);

    const keys = await client.keys(`${prefix}*`);
    expect(keys).to.have.lengthOf(8);
    for (const key of keys) {
      const registry = key.startsWith(named('t:'));
      expect(await client.ttl(key), key).to.be.within(
        registry ? 29 * 86_400 : 90,
        registry ? 30 * 86_400 : 100,
      );
    }
  });

  it('include stamps that live longer than their entries', async () => {
    const { store, client, prefix, key } = await make();
    const years = 10 * 365 * 86_400;
    await cache(store, seven, 'seven', years);
    for (const found of await client.keys(`${prefix}*`)) {
      expect(await client.ttl(found), found).to.be.within(years - 60, years);
    }
    // nor does a later, shorter lease change that
    await cache(store, articles(category('8')), 'eight', 10);
    expect(await client.ttl(key(`g:{${ARTICLE}}`))).to.be.within(years - 60, years);
  });

  it('include no stamps of dependencies of a writer in flight or of a table in quarantine', async () => {
    const { store, client, key } = await make();
    await leaseRefused(store, seven);
    expect(await client.exists(key(`g:{${ARTICLE}}`), key(`c:{${ARTICLE}}:8:category:7`))).to.equal(0);
    await trust(store, seven);
    await store.mark(writer(), [touching(ARTICLE, category('7'))]);
    await leaseRefused(store, seven);

    expect(await client.exists(key(`c:{${ARTICLE}}:8:category:7`))).to.equal(0);
  });

  it('contain nothing about a writer that has settled', async () => {
    const { store, client, key } = await make();
    await cache(store, joined, 'joined');
    const before = await client.hkeys(key(`t:{${ARTICLE}}`));
    const [first, second] = [writer(), writer()];
    await store.mark(first, [touching(ARTICLE, category('7'), category('8'))]);
    await store.mark(first, [touching(ARTICLE, category('9'))]);
    await store.mark(second, [{ table: ARTICLE, touched: () => undefined }]);
    await store.mark(second, [touching(ARTICLE, category('7'))]);
    await store.settle(first.id, [ARTICLE]);
    await store.settle(second.id, [ARTICLE]);

    expect(await client.hkeys(key(`t:{${ARTICLE}}`))).to.have.members(before);
  });

  it('are cleared without touching other programs’ keys', async () => {
    const [ours, another] = [await make(), await make()];
    const strangers = [
      ...['session:1', 'e', 'e:1', 's:1', 't:{article}', 'g:x', 'c#1'].map(name => ours.prefix + name),
      ...['', 'e', 'x:1', 'toe'].map(ours.key),
      `x${ours.key('e:1')}`,
    ];
    await ours.client.mset(...strangers.flatMap(key => [key, 'theirs']));
    await cache(ours.store, joined, 'joined');
    await ours.store.fill({ ...seven, key: 'long '.repeat(1000) }, 'seal', Buffer.of(), LONG);
    await cache(another.store, joined, 'another');
    await ours.other.clear();

    try {
      await expectMiss(ours.store, joined);
      await expectHit(another.store, joined, 'another');
      expect(await ours.client.keys(`*${ours.prefix}*`)).to.have.members(strangers);
    } finally {
      await ours.client.del(...strangers);
    }
  });

  it('are cleared by the literal prefix, even if it looks like a pattern', async () => {
    const unique = crypto.randomUUID();
    for (const [prefix, lookalike] of [
      ['a*b:', 'axxb:'],
      ['a?b:', 'axb:'],
      ['[ab]:', 'a:'],
      ['a\\*:', 'a*:'],
      ['[^a]:', 'b:'],
    ]) {
      const [ours, theirs] = [await make(unique + prefix), await make(unique + lookalike)];
      await cache(ours.store, seven, 'ours');
      await cache(theirs.store, seven, 'theirs');
      await ours.store.clear();

      await expectMiss(ours.store, seven);
      expect(await ours.client.exists(ours.key(`e:${seven.key}`))).to.equal(0);
      await expectHit(theirs.store, seven, 'theirs');
    }
  });

  it('belong to one prefix only, even if other prefixes begin alike', async () => {
    const url = await redisUrl();
    const unique = crypto.randomUUID();
    // what may follow a prefix: letters for the kinds of keys, and parts of the marker
    const part = fc.constantFrom(
      '',
      'a',
      's',
      'e',
      't',
      'g',
      'c',
      ':',
      '#',
      '@',
      '@cacheops',
      '{x}',
      'e:1',
      '*',
      '?',
    );
    const prefixes = fc.uniqueArray(
      fc
        .array(part, { maxLength: 3 })
        .map(parts => parts.join(''))
        .filter(prefix => !faultOf(prefix)),
      { minLength: 2, maxLength: 4 },
    );
    const client = quietClient(url);
    try {
      await fc.assert(
        fc.asyncProperty(prefixes, async ends => {
          const made = ends.map(end => redisSubject(url, { prefix: unique + end }));
          try {
            for (const [i, { store }] of made.entries()) {
              await cache(store, seven, ends[i]!);
            }
            for (const [i, { store }] of made.entries()) {
              await expectHit(store, seven, ends[i]!);
            }
            const [first, ...others] = made;
            const [keys, before] = [await first!.store.contents(), await client.keys(`${unique}*`)];
            const ours = keys.entries.keys + keys.stamps.keys + keys.tables.keys;
            await first!.store.clear();
            expect(await client.keys(`${unique}*`)).to.have.lengthOf(before.length - ours);
            for (const [i, { store }] of others.entries()) {
              await expectHit(store, seven, ends[i + 1]!);
            }
          } finally {
            await Promise.all(made.map(({ end }) => end()));
          }
        }),
        { numRuns: 30 },
      );
    } finally {
      client.disconnect();
    }
  });

  it('are cleared without a prefix, and other keys are not', async () => {
    await using server = await startRedis();
    const subject = redisSubject(server.url, { prefix: '' });
    subjects.push(subject);
    const strangers = [
      's:1',
      'e:1',
      't:{article}',
      'g:1',
      'c:1',
      'e#1',
      'session',
      '@cacheops',
      '@cacheop:e:1',
    ];
    await subject.client.mset(...strangers.flatMap(key => [key, 'theirs']));
    await cache(subject.store, seven, 'seven');
    await subject.store.clear();

    expect(await subject.client.keys('*')).to.have.members(strangers);
    await subject.end();
    subjects.pop();
  });

  it('are reported as not cleared if the server refuses', async () => {
    await using server = await startRedis();
    const subject = redisSubject(server.url, {});
    await cache(subject.store, seven, 'seven');
    await subject.client.call('ACL', 'SETUSER', 'default', '-unlink');
    const error = await subject.store.clear().catch(reason => reason);
    expect(String(error)).to.match(/failed at "clear"/);
    await subject.client.call('ACL', 'SETUSER', 'default', '+unlink');
    await subject.end();
  });

  it('are cleared even if there are many', async () => {
    const { store, client, prefix, key } = await make();
    await cache(store, seven, 'seven');
    const pipeline = client.pipeline();
    for (let i = 0; i < 5000; i++) {
      pipeline.set(key(`e:${i}`), 'entry');
    }
    await pipeline.exec();
    await store.clear();

    expect(await client.keys(`${prefix}*`)).to.deep.equal([]);
  });
});
