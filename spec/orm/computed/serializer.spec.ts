import { deserialize, serialize } from 'node:v8';
import { wrap } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Packr } from 'msgpackr';
import { Article, Author, entities, Tag } from '../../../fixtures/legacy/index.js';
import { CacheMiss, cachedAs, MemoryStore, type Serializer, type UnstoredEvent } from '../../../lib/index.js';
import { resultCodec } from '../../../lib/orm/reads/result_codec.js';
import { createBlog, startBlog } from '../support/blog.js';
import { join, joinUncached, type Started } from '../support/start.js';

const json: Serializer = { encode: JSON.stringify, decode: text => JSON.parse(text as string) };
const structured: Serializer = {
  encode: value => serialize(value),
  decode: bytes => deserialize(bytes as Buffer),
};
/** Its Buffers are views of what it was given. */
const packr = new Packr({ useBigIntExtension: true, moreTypes: true });
const aliasing: Serializer = {
  name: 'aliasing',
  encode: value => packr.pack(value),
  decode: bytes => packr.unpack(bytes as Buffer),
};

describe('the codec of a serializer', () => {
  it("passes the serializer a copy of the store's bytes", () => {
    const codec = resultCodec(aliasing);
    const payload = codec.encode('find', [{ bytes: Buffer.from('abc') }]) as Uint8Array;
    const [row] = codec.decode('find', payload) as { bytes: Buffer }[];
    row!.bytes.fill(0);
    expect(codec.decode('find', payload)).to.deep.equal([{ bytes: Buffer.from('abc') }]);
  });
});

describe('the option serializer', () => {
  let blog: Started;

  afterEach(() => blog.orm.close());

  const fork = () => blog.orm.em.fork();

  const begin = async (serializer: Serializer) => {
    blog = await startBlog({ cacheops: { serializer } });
  };

  async function unstored(run: () => Promise<unknown>): Promise<UnstoredEvent[]> {
    const events: UnstoredEvent[] = [];
    const listener = (event: UnstoredEvent) => events.push(event);
    blog.cache.events.on('unstored', listener);
    await run();
    await blog.cache.idle();
    blog.cache.events.off('unstored', listener);
    return events;
  }

  for (const [name, serializer] of Object.entries({ json, structured, aliasing })) {
    it(`rows and counts are served as the database gives them, with ${name}`, async () => {
      await begin(serializer);
      const uncached = await joinUncached({ entities });
      const queries: readonly ((em: EntityManager) => Promise<unknown>)[] = [
        em => em.find(Tag, {}, { orderBy: { id: 1 } }),
        em => em.find(Article, {}, { orderBy: { id: 1 }, populate: ['author', 'tags'], strategy: 'joined' }),
        em => em.findOne(Author, 1),
        em => em.count(Article, { status: 'published' }),
      ];
      for (const query of queries) {
        const expected = JSON.stringify(await query(uncached.em.fork()), withTypes);
        for (const _ of [1, 2, 3]) {
          const em = fork();
          expect(JSON.stringify(await query(em), withTypes)).to.equal(expected);
          em.getUnitOfWork().computeChangeSets();
          expect(em.getUnitOfWork().getChangeSets()).to.deep.equal([]);
          await blog.cache.idle();
        }
      }
      // JSON has no bigint, as an article's views are
      const stored =
        name === 'json' ? { hits: 6, misses: 6, unstored: 3 } : { hits: 8, misses: 4, unstored: 0 };
      expect(blog.cache.stats()).to.include({ ...stored, errors: 0 });
      await uncached.close();
    });
  }

  it('the serializer encodes what is stored', async () => {
    const given: unknown[] = [];
    await begin({
      encode: value => {
        given.push(value);
        return `mine ${JSON.stringify(value)}`;
      },
      decode: text => JSON.parse((text as string).slice(5)),
    });
    let payload: Uint8Array | undefined;
    const { fill } = blog.store;
    blog.store.fill = (address, seal, bytes, timeout) => {
      payload = bytes;
      return fill.call(blog.store, address, seal, bytes, timeout);
    };
    await fork().findOne(Tag, 1);
    await blog.cache.idle();
    expect(Buffer.from(payload!).toString()).to.contain('mine [{"id":1,"name":"red"}]');
    expect(given).to.deep.equal([[{ id: 1, name: 'red' }]]);
  });

  it('a result that the serializer changes is not stored, and an event names the difference', async () => {
    await begin({
      encode: value => JSON.stringify(value, (_key, part) => (part === 7 ? '7' : part)),
      decode: text => JSON.parse(text as string),
    });
    const read = async () => expect((await fork().findOneOrFail(Author, 1)).reputation).to.equal(7);
    const events = await unstored(read);
    expect(events).to.have.length(1);
    expect(events[0]).to.include({
      entity: 'Author',
      op: 'get',
      reason: 'the serializer does not restore it: [0].reputation: a number came back as a string',
    });
    expect(await unstored(read)).to.have.length(1);
    expect(blog.cache.stats()).to.include({ hits: 0, misses: 2, fills: 0, unstored: 2, errors: 0 });
    // of the same entity, what does come back is stored
    await fork().findOne(Author, 2);
    await blog.cache.idle();
    await fork().findOne(Author, 2);
    expect(blog.cache.stats()).to.include({ hits: 1, fills: 1 });
  });

  it('if the serializer throws, or gives neither text nor bytes, only the fill is lost', async () => {
    let behaviour: () => unknown = () => {
      throw new Error('cannot');
    };
    await begin({ name: 'broken', encode: () => behaviour() as string, decode: () => [] });
    const read = async () => expect(await fork().find(Tag, {})).to.have.length(3);
    const reasons = async () => (await unstored(read)).map(({ reason }) => reason);
    expect(await reasons()).to.deep.equal(['the serializer has thrown: Error: cannot']);
    behaviour = () => 5;
    expect(await reasons()).to.deep.equal([
      'the serializer has given a number, and neither a string nor bytes',
    ]);
    behaviour = () => 'text';
    expect((await reasons())[0]).to.match(/^the serializer does not restore it: /);
  });

  it('if the serializer cannot decode an entry, the read is a miss', async () => {
    let broken = false;
    await begin({
      name: 'ages',
      encode: JSON.stringify,
      decode: text => {
        if (broken) {
          throw new Error('forgotten');
        }
        return JSON.parse(text as string);
      },
    });
    await fork().find(Tag, {});
    await blog.cache.idle();
    broken = true;
    expect(await fork().find(Tag, {})).to.have.length(3);
    await blog.cache.idle();
    expect(blog.cache.stats()).to.include({ hits: 0, misses: 2, errors: 1 });
    broken = false;
    expect(await fork().find(Tag, {})).to.have.length(3);
    expect(blog.cache.stats()).to.include({ hits: 1 });
  });

  it('the serializer does not encode the bounds of results', async () => {
    await begin(json);
    const cheap = () =>
      fork().find(Article, { price: { $lt: '10' } }, { orderBy: { id: 1 }, fields: ['price'] });
    const ids = async () => (await cheap()).map(({ id }) => id);
    expect(await ids()).to.deep.equal([1, 4]);
    await blog.cache.idle();
    await fork().nativeUpdate(Article, { id: 2 }, { price: '12' });
    await blog.cache.idle();
    expect(await ids()).to.deep.equal([1, 4]);
    expect(blog.cache.stats()).to.include({ hits: 1, revalidated: 1 });
    await fork().nativeUpdate(Article, { id: 2 }, { price: '9' });
    await blog.cache.idle();
    expect(await ids()).to.deep.equal([1, 2, 4]);
    const page = () => fork().find(Article, {}, { orderBy: { id: 1 }, limit: 2, fields: ['price'] });
    await page();
    await blog.cache.idle();
    await fork().nativeDelete(Article, { id: 4 });
    await blog.cache.idle();
    expect((await page()).map(({ id }) => id)).to.deep.equal([1, 2]);
    expect(blog.cache.stats()).to.include({ hits: 2, revalidated: 2 });
  });

  it('the auditor uses the serializer, too', async () => {
    blog = await startBlog({ cacheops: { serializer: json, audit: { share: 1 } } });
    for (const _ of [1, 2]) {
      await fork().find(Tag, {});
      await blog.cache.idle();
    }
    expect(blog.cache.stats()).to.include({ audited: 1, mismatches: 0, errors: 0 });
  });

  describe('shared with other processes', () => {
    let store: MemoryStore;
    let all: Started[];

    beforeEach(async () => {
      await createBlog();
      store = new MemoryStore();
      all = [];
    });

    afterEach(async () => {
      for (const { orm } of all.slice(1)) {
        await orm.close();
      }
    });

    /** Processes with these serializers, on one store. */
    async function processes(...serializers: (Serializer | undefined)[]): Promise<void> {
      for (const serializer of serializers) {
        all.push(await join({ entities, cacheops: { store, ...(serializer && { serializer }) } }));
      }
      blog = all[0]!;
    }

    /** Which of them found what had been stored before. */
    async function hits(read: (process: Started) => Promise<unknown>): Promise<boolean[]> {
      const found: boolean[] = [];
      for (const process of all) {
        const before = process.cache.stats().hits;
        await read(process);
        await process.cache.idle();
        found.push(process.cache.stats().hits > before);
        expect(process.cache.stats().errors).to.equal(0);
      }
      return found;
    }

    const upper: Serializer = {
      encode: value => JSON.stringify(value).toUpperCase(),
      decode: text => JSON.parse((text as string).toLowerCase()),
    };
    const another: Serializer = { ...json, name: 'another' };
    const twin: Serializer = { encode: JSON.stringify, decode: text => JSON.parse(text as string) };

    it('entries of another serializer are misses', async () => {
      await processes(json, undefined, upper, another, structured);
      const find = ({ orm }: Started) => orm.em.fork().find(Tag, {});
      expect(await hits(find)).to.deep.equal([false, false, false, false, false]);
      expect(await hits(find)).to.deep.equal([true, true, true, true, true]);
    });

    it('processes with equal serializers share entries', async () => {
      await processes(json, twin, { ...another }, { ...upper, name: 'another' });
      const find = ({ orm }: Started) => orm.em.fork().find(Tag, {});
      expect(await hits(find)).to.deep.equal([false, true, false, true]);
    });

    it('functions and values of another serializer are misses, too', async () => {
      await processes(json, undefined, upper);
      const fn = cachedAs(Tag, { name: 'of several' })(async (_em: EntityManager) => ({ n: 1 }));
      const call = async ({ orm }: Started) => expect(await fn(orm.em.fork())).to.deep.equal({ n: 1 });
      expect(await hits(call)).to.deep.equal([false, false, false]);
      expect(await hits(call)).to.deep.equal([true, true, true]);
      const through = async ({ cache }: Started) =>
        expect(await cache.cache.through('k', async () => ({ n: 1 }))).to.deep.equal({ n: 1 });
      expect(await hits(through)).to.deep.equal([false, false, false]);
      expect(await hits(through)).to.deep.equal([true, true, true]);
    });

    it('entries of another serializer are deleted and invalidated', async () => {
      await processes(json, undefined);
      const [one, two] = all as [Started, Started];
      await two.cache.cache.set('k', 1);
      await one.cache.cache.delete('k');
      await two.cache.cache.get('k').then(
        () => expect.fail('it is still there'),
        error => expect(error).to.be.instanceOf(CacheMiss),
      );
      const find = ({ orm }: Started) => orm.em.fork().find(Tag, {});
      await hits(find);
      await one.orm.em.fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
      await one.cache.idle();
      expect((await find(two)).map(({ name }) => name)).to.include('crimson');
    });
  });
});

function withTypes(this: any, key: string, value: unknown): unknown {
  const own = this[key];
  if (typeof own === 'bigint') {
    return `bigint ${own}`;
  }
  if (own instanceof Date) {
    return `Date ${own.getTime()}`;
  }
  return typeof own === 'object' && own !== null && '__helper' in own ? wrap(own).toPOJO() : value;
}
