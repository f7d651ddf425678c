import { type EntityManager, EntityRepository, RequestContext } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Article, entities, Tag } from '../../fixtures/legacy/index.js';
import {
  Cached,
  CachedAs,
  CacheMiss,
  type Cacheops,
  cached,
  cachedAs,
  cachedMethod,
  cacheops,
  fileCache,
  getCacheops,
  MemoryStore,
} from '../../lib/index.js';
import { startBlog } from '../orm/support/blog.js';
import { joinUncached, type Started } from '../orm/support/start.js';
import { freshDatabase } from '../support/servers.js';
import { temporaryDirectory } from '../support/temporary_directory.js';

type Em = EntityManager;

let names = 0;
const name = () => `managers ${names++}`;

describe('the EntityManagers that a cached function may use', () => {
  let blog: Started;
  const fork = () => blog.orm.em.fork();

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  /** One of a tenant, who sees the tags of one name. */
  function of(tenant: string, em = fork()): Em {
    em.addFilter({ name: 'tenant', cond: { name: tenant } as never, entity: [Tag] as never });
    return em;
  }

  const seen = async (em: Em) => (await em.find(Tag, {}, { cacheops: false })).map(tag => tag.name).join();

  class Holder {
    constructor(readonly inner: unknown) {}
  }

  class Service {
    readonly label = 'service';

    constructor(
      readonly source: unknown,
      readonly see: () => Promise<string>,
    ) {}

    @Cached({ timeout: 60 })
    async timed(_key?: string): Promise<string> {
      return this.see();
    }

    @CachedAs(Tag, { em: (self: Service) => self.anyEm() })
    async sampled(): Promise<string> {
      return this.see();
    }

    anyEm(): Em {
      return fork();
    }
  }

  const WAYS: Record<string, (em: Em) => unknown> = {
    'a field': em => em,
    'a repository': em => em.getRepository(Tag),
    'an object in a field': em => ({ deps: { em } }),
    'another service': em => new Holder(new Holder(em)),
    'an array': em => [1, em],
    'a Map': em => new Map([['em', em]]),
    'a key that is a symbol': em => ({ [Symbol('em')]: em }),
  };

  for (const [way, hold] of Object.entries(WAYS)) {
    it(`are found through \`this\`: ${way}`, async () => {
      for (const method of ['timed', 'sampled'] as const) {
        for (const tenant of ['red', 'green', 'red']) {
          const em = of(tenant);
          expect(await new Service(hold(em), () => seen(em))[method](), method).to.equal(tenant);
          await blog.cache.idle();
        }
      }
    });
  }

  it('are found if `this` is a repository', async () => {
    const method = async function (this: EntityRepository<Tag>) {
      return seen(this.getEntityManager());
    };
    const timed = cached({ timeout: 60, name: name() })(method);
    for (const tenant of ['red', 'green']) {
      expect(await timed.call(of(tenant).getRepository(Tag) as never)).to.equal(tenant);
    }
  });

  it('are recorded when they are used, however the function has reached them', async () => {
    class Private {
      readonly #em: Em;

      constructor(em: Em) {
        this.#em = em;
      }

      @CachedAs(Tag)
      async sampled(): Promise<string> {
        return seen(this.#em);
      }
    }
    let captured: Em = fork();
    let ofCaptured = '';
    const capturing = cachedAs(Tag, { name: name() })(async () => seen(captured));
    const forking = cachedAs(Tag, { name: name() })(async (em: Em) =>
      seen(of(ofCaptured, em.fork() as never)),
    );
    for (const tenant of ['red', 'green', 'red']) {
      captured = of(tenant);
      ofCaptured = tenant;
      expect(await new Private(captured).sampled(), 'private').to.equal(tenant);
      expect(await capturing(), 'captured').to.equal(tenant);
      expect(await forking(fork()), 'made within').to.equal(tenant);
      await blog.cache.idle();
    }
  });

  it('are recorded for a timed function, too, and whether their transactions have written', async () => {
    let captured: Em = of('red');
    const capturing = cached({ timeout: 60, name: name() })(async () => seen(captured));
    expect(await capturing()).to.equal('red');
    captured = of('green');
    expect(await capturing()).to.equal('green');

    const writing = cached({ timeout: 60, name: name() })(async (em: Em, reads: boolean) => {
      await em.nativeUpdate(Tag, { id: 1 }, { name: 'uncommitted' });
      return reads ? seen(em) : 'written';
    });
    for (const reads of [true, false]) {
      const em = fork();
      await em.begin();
      const given = await writing(em, reads);
      await em.rollback();
      expect(given).to.match(/uncommitted|written/);
      await blog.cache.idle();
      const kept = await writing
        .key(fork(), reads)
        .get()
        .catch((error: unknown) => error);
      expect(kept).to.be.instanceOf(CacheMiss);
    }
  });

  it('are recorded also if they equal those in the key, because they may be others the next time', async () => {
    class Private {
      readonly #em: Em;

      constructor(em: Em) {
        this.#em = em;
      }

      @CachedAs(Tag)
      async sampled(_em: Em): Promise<string> {
        return seen(this.#em);
      }

      @Cached({ timeout: 60 })
      async timed(_em: Em): Promise<string> {
        return seen(this.#em);
      }
    }
    const kept = cachedAs(Tag, { name: name() })(async (_em: Em) => seen(captured));
    const outer = cachedAs(Tag, { name: name() })(async (_em: Em) => kept(captured));
    let captured: Em = fork();
    for (const tenant of [undefined, 'green']) {
      captured = tenant ? of(tenant) : captured;
      const expected = tenant ?? 'red,green,blue';
      expect(await new Private(captured).sampled(fork()), 'sampled').to.equal(expected);
      expect(await new Private(captured).timed(fork()), 'timed').to.equal(expected);
      expect(await kept(fork()), 'captured').to.equal(expected);
      expect(await outer(fork()), 'nested').to.equal(expected);
      await blog.cache.idle();
    }
  });

  it('do not prevent caching if they are forked from those in the key', async () => {
    let computed = 0;
    const compute = async (em: Em) => {
      computed++;
      return `${await seen(fork())} ${await seen(em.fork())} ${await em.transactional(seen)}`;
    };
    for (const fn of [
      cached({ timeout: 60, name: name() })(compute),
      cachedAs(Tag, { name: name() })(compute),
    ]) {
      computed = 0;
      for (const _ of [1, 2]) {
        expect(await fn(fork())).to.equal('red,green,blue red,green,blue red,green,blue');
        await blog.cache.idle();
      }
      expect(computed).to.equal(1);
    }
  });

  class Colours extends EntityRepository<Tag> {
    readonly colour: string = '';

    async visible(): Promise<string> {
      return this.colour;
    }
  }

  class Shades extends EntityRepository<Tag> {
    async visible(): Promise<string> {
      return 'a shade';
    }
  }

  it('a repository of another class or with other fields is not cached', async () => {
    const visible = async (tags: Colours | Shades) => tags.visible();
    const functions = [
      cached({ timeout: 60, name: name() })(visible),
      cachedAs(Tag, { name: name() })(visible),
    ];
    for (const fn of functions) {
      for (const colour of ['red', 'green']) {
        const own = Object.assign(new Colours(fork() as never, Tag), { colour });
        expect(await fn(own)).to.equal(colour);
        const theirs = fork().getRepository(Tag);
        Object.assign(theirs, { visible: async () => colour });
        expect(await fn(theirs as never)).to.equal(colour);
        expect(await fn(new Shades(fork() as never, Tag))).to.equal('a shade');
        await blog.cache.idle();
      }
    }
  });

  it('if `this` is an entity, its row is part of the key', async () => {
    const method = async function (this: Tag, _em: Em) {
      return this.name;
    };
    for (const fn of [
      cached({ timeout: 60, name: name() })(method),
      cachedAs(Tag, { name: name() })(method),
    ]) {
      for (const id of [1, 2, 1]) {
        const tag = await fork().findOneOrFail(Tag, id);
        expect(await fn.call(tag, fork())).to.equal(tag.name);
        await blog.cache.idle();
      }
    }
  });

  it('are found among the arguments in their order, at any depth', async () => {
    const both = async (...args: [Em, Em, { deps: EntityRepository<Tag> }]) =>
      `${await seen(args[0])} ${await seen(args[1])} ${await seen(args[2].deps.getEntityManager())}`;
    const functions = [cached({ timeout: 60, name: name() })(both), cachedAs(Tag, { name: name() })(both)];
    const tenants = ['red', 'green', 'blue'];
    for (const fn of functions) {
      for (const a of tenants) {
        for (const b of tenants) {
          for (const c of ['red', 'green']) {
            const found = await fn(of(a), of(b), { deps: of(c).getRepository(Tag) as never });
            expect(found).to.equal(`${a} ${b} ${c}`);
            await blog.cache.idle();
          }
        }
      }
    }
  });

  it('are distinguished by schema, filter parameters and session context', async () => {
    let computed = 0;
    const timed = cached({ timeout: 60, name: name() })(async (_em: Em) => ++computed);
    const withParams = (value: string) => {
      const em = fork();
      em.setFilterParams('tenant', { value });
      return em;
    };
    const ems = [
      () => fork(),
      () => blog.orm.em.fork({ schema: 'public' }),
      () => withParams('a'),
      () => withParams('b'),
    ];
    for (const [i, make] of ems.entries()) {
      expect([await timed(make()), await timed(make())]).to.deep.equal([i + 1, i + 1]);
    }
  });

  it('are those of the request, for a function that uses the global one', async () => {
    const timed = cached({ timeout: 60, name: name() })(async () => seen(blog.orm.em));
    const sampled = cachedAs(Tag, { name: name() })(async (_em: Em) => seen(blog.orm.em));
    for (const tenant of ['red', 'green', 'red']) {
      await RequestContext.create(of(tenant) as never, async () => {
        expect(await timed()).to.equal(tenant);
        expect(await sampled(fork())).to.equal(tenant);
        await blog.cache.idle();
      });
    }
  });

  it('give calls in a request without a tenant and calls outside of any request the same results', async () => {
    let computed = 0;
    const timed = cached({ timeout: 60, name: name() })(async () => ++computed);
    await timed();
    await RequestContext.create(blog.orm.em, async () => expect(await timed()).to.equal(1));
    await timed.key().set(7);
    await RequestContext.create(blog.orm.em, async () => expect(await timed()).to.equal(7));
  });

  it('have separate values, which are deleted together', async () => {
    const timed = cached({ timeout: 60, name: name() })(async (em: Em, _key: string) => seen(em));
    const entries = ['red', 'green'].map(tenant => timed.key(of(tenant), 'a'));
    await entries[0]!.set('one');
    await entries[1]!.set('two');
    expect(await Promise.all(entries.map(entry => entry.get()))).to.deep.equal(['one', 'two']);
    expect([await timed(of('red'), 'a'), await timed(of('green'), 'a')]).to.deep.equal(['one', 'two']);
    await timed.invalidate(fork(), 'a');
    for (const entry of entries) {
      expect(await entry.get().catch(error => error instanceof CacheMiss)).to.equal(true);
    }
  });

  it('are distinguished in files and in other caches, too', async () => {
    const directory = temporaryDirectory('managers');
    const values = new Map<string, unknown>();
    const own = {
      get: async (key: string) => values.get(key) as never,
      set: async (key: string, value: unknown) => void values.set(key, value),
      delete: async (key: string) => void values.delete(key),
      async through<T>(key: string, compute: () => Promise<T>): Promise<T> {
        values.set(key, values.get(key) ?? (await compute()));
        return values.get(key) as T;
      },
    };
    const files = fileCache({ directory: directory.path });
    try {
      for (const cache of [files, own]) {
        const timed = cached({ timeout: 60, name: name(), cache })(async (em: Em) => seen(em));
        for (const tenant of ['red', 'green', 'red']) {
          expect(await timed(of(tenant))).to.equal(tenant);
        }
      }
      const timed = cached({ timeout: 60, name: name(), cache: files })(async (em: Em) => seen(em));
      await timed.key(of('red')).set('one');
      await timed.key(of('green')).set('two');
      expect(await timed(of('red'))).to.equal('one');
      await timed.invalidate(fork());
      expect([await timed(of('red')), await timed(of('green'))]).to.deep.equal(['red', 'green']);
    } finally {
      directory.remove();
    }
  });

  it('prevent caching if their ORM has no cache, or their transaction has written', async () => {
    const other = await joinUncached({ entities });
    try {
      let computed = 0;
      const both = async (..._ems: Em[]) => ++computed;
      const timed = cached({ timeout: 60, name: name() })(both);
      const sampled = cachedAs(Tag, { name: name() })(both);
      for (const fn of [timed, sampled]) {
        const before = computed;
        await fn(fork(), other.em.fork() as never);
        await blog.cache.idle();
        await fn(fork(), other.em.fork() as never);
        expect(computed).to.equal(before + 2);
      }
      await fork().transactional(async em => {
        await em.nativeUpdate(Tag, { id: 1 }, { name: 'mine' });
        const before = computed;
        await timed(em);
        await timed(em);
        expect(computed).to.equal(before + 2);
      });
    } finally {
      await other.close();
    }
  });

  it('prevent caching if `this` holds too many objects to search', async () => {
    let computed = 0;
    const service = new Service(
      Array.from({ length: 3000 }, () => ({})),
      async () => `${++computed}`,
    );
    await service.timed();
    await service.timed();
    expect(computed).to.equal(2);
  });

  it('are the same for a method and its controls', async () => {
    const service = (em: Em) => new Service(em, () => seen(em));
    await service(of('red')).timed('a');
    await cachedMethod(service(of('red')), 'timed')
      .key('a')
      .set('set');
    expect(await service(of('red')).timed('a')).to.equal('set');
    expect(await service(of('green')).timed('a')).to.equal('green');
    await cachedMethod(service(of('green')), 'timed').invalidate('a');
    expect(await service(of('red')).timed('a')).to.equal('red');
  });
});

describe('two databases under one prefix', () => {
  const store = new MemoryStore();
  const orms: MikroORM[] = [];
  const caches: Cacheops[] = [];

  before(async () => {
    for (const label of ['one', 'two']) {
      const orm = await MikroORM.init({
        clientUrl: await freshDatabase('functions'),
        entities,
        metadataProvider: ReflectMetadataProvider,
        extensions: [cacheops({ store })],
      });
      await orm.schema.create();
      await orm.em.fork().execute('insert into tag (name) values (?)', [label]);
      orms.push(orm);
      caches.push(getCacheops(orm));
    }
  });

  after(() => Promise.all(orms.map(orm => orm.close())));

  it('have separate results and values', async () => {
    const read = async (em: Em) => (await em.findOneOrFail(Tag, { id: 1 }, { cacheops: false })).name;
    const functions = [cached({ timeout: 60, name: name() })(read), cachedAs(Tag, { name: name() })(read)];
    const captured = orms.map((orm, i) =>
      cached({ timeout: 60, name: 'captured', cache: caches[i]!.cache })(async () => read(orm.em.fork())),
    );
    for (let round = 0; round < 2; round++) {
      for (const [i, label] of ['one', 'two'].entries()) {
        for (const fn of functions) {
          expect(await fn(orms[i]!.em.fork())).to.equal(label);
        }
        expect(await captured[i]!()).to.equal(label);
        expect(await caches[i]!.cache.through('key', async () => label)).to.equal(label);
        await caches[i]!.idle();
      }
    }
  });
});

describe('a prefix that is a function', () => {
  let blog: Started;
  let prefix = '';

  beforeEach(async () => {
    blog = await startBlog({ cacheops: { prefix: () => prefix } });
  });

  afterEach(() => blog.orm.close());

  it('values of different prefixes and keys never collide, whatever their characters', async () => {
    const { cache } = blog.cache;
    const pairs = [
      ['a:', 'key:x'], ['a:key:', 'x'], ['', 'a:key:x'], ['a', ':key:x'], ['a:key', ':x'], ['["', 'x'], ['', '["x'], ['"', 'x'],
      ['a:key(f):', 'x'], ['a,', 'b'], ['a', ',b'], ['a', 'b'], ['ab', ''], ['', 'ab'],
    ] as const; // biome-ignore format: a list
    for (const [i, pair] of pairs.entries()) {
      prefix = pair[0];
      await cache.set(pair[1], i);
    }
    for (const [i, pair] of pairs.entries()) {
      prefix = pair[0];
      expect(await cache.get(pair[1]), pair.join(' + ')).to.equal(i);
      await cache.delete(pair[1]);
    }
  });

  it('results of different prefixes and names never collide', async () => {
    const fn = (label: string, result: string) =>
      cachedAs(Article, { name: label })(async (_em: Em) => result);
    const pairs = [
      ['function:b:', 'x'], ['', 'b:function:x'], ['', 'x'], ['function:', 'x'], ['function:b', ':x'], ['', 'function:x'],
    ] as const; // biome-ignore format: a list
    for (const [i, [before, label]] of pairs.entries()) {
      prefix = before;
      expect(await fn(label, `${i}`)(blog.orm.em.fork()), `${before} + ${label}`).to.equal(`${i}`);
      await blog.cache.idle();
    }
  });
});
