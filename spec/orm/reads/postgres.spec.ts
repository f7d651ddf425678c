import { defineEntity, p, TransactionPropagation } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Author, entities, Tag } from '../../../fixtures/legacy/index.js';
import { type Cacheops, cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import { gate } from '../../support/gate.js';
import { freshDatabase } from '../../support/servers.js';
import { sourcesOf } from '../support/observe.js';

const Badge = defineEntity({
  name: 'Badge',
  cacheops: { ops: 'all', timeout: 60 },
  properties: { id: p.integer().primary(), tag: p.integer() },
});

type Em = MikroORM['em'];

const WROTE = 'a transaction that has written';

/** A store whose fills can be held back. */
class SlowStore extends MemoryStore {
  beforeFill = async (): Promise<void> => {};

  override async fill(...args: Parameters<MemoryStore['fill']>): Promise<void> {
    await this.beforeFill();
    await super.fill(...args);
  }
}

describe('on PostgreSQL, where several connections work at once,', () => {
  let url: string;
  let orm: MikroORM;
  let cache: Cacheops;
  let store: SlowStore;

  before(async () => {
    url = await freshDatabase('connections');
    store = new SlowStore();
    orm = await MikroORM.init({
      clientUrl: url,
      entities: [...entities, Badge],
      metadataProvider: ReflectMetadataProvider,
      extensions: [cacheops({ store })],
    });
    cache = getCacheops(orm);
    await orm.schema.create();
    await orm.em.execute('drop table badge');
  });

  after(() => orm.close());

  beforeEach(async () => {
    await fork().execute(
      `truncate tag, article_tags restart identity cascade; insert into tag (name) values ('red'), ('green')`,
    );
    await cache.invalidateAll();
    store.beforeFill = async () => {};
    // settles what a store that is new has to find out
    await fork().find(Tag, {});
    await cache.idle();
  });

  const fork = () => orm.em.fork();
  const names = async (em: Em = fork()) =>
    (await em.find(Tag, {}, { orderBy: { id: 'asc' } })).map(({ name }) => name);
  const warm = async () => {
    await names();
    await cache.idle();
  };
  const source = () => sourcesOf(cache, () => names());

  it('a read outside is answered from the cache until the transaction is committed', async () => {
    await warm();
    await fork().transactional(async em => {
      await em.nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
      expect(await sourcesOf(cache, () => names(em as Em))).to.deep.equal([WROTE]);
      expect(await source()).to.deep.equal(['cache']);
      expect(await names()).to.deep.equal(['red', 'green']);
    });
    expect(await source()).to.deep.equal(['miss']);
    expect(await names()).to.deep.equal(['crimson', 'green']);
  });

  it('a transaction with the propagation requires_new is independent', async () => {
    const reads: string[] = [];
    await warm();
    await fork().transactional(async em => {
      await em.nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
      await em.transactional(
        async inner => {
          reads.push(...(await sourcesOf(cache, () => names(inner as Em))));
          await inner.nativeUpdate(Tag, { id: 2 }, { name: 'lime' });
          reads.push(...(await sourcesOf(cache, () => names(inner as Em))));
        },
        { propagation: TransactionPropagation.REQUIRES_NEW },
      );
      // the inner one is committed, the outer one is not
      expect(await names()).to.deep.equal(['red', 'lime']);
      await cache.idle();
      expect(await names(em as Em)).to.deep.equal(['crimson', 'lime']);
    });
    expect(reads).to.deep.equal(['cache', WROTE]);
    expect(await names()).to.deep.equal(['crimson', 'lime']);
  });

  it('an inner transaction that is rolled back invalidates nothing, the outer one does', async () => {
    await warm();
    await fork().transactional(async em => {
      await em
        .transactional(
          async inner => {
            await inner.nativeUpdate(Tag, { id: 2 }, { name: 'lime' });
            throw new Error('no');
          },
          { propagation: TransactionPropagation.REQUIRES_NEW },
        )
        .catch(() => undefined);
      expect(await source()).to.deep.equal(['cache']);
      await em.nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
    });
    expect(await names()).to.deep.equal(['crimson', 'green']);
  });

  it('rows that a slow reader has read before a commit are not served after it', async () => {
    const held = gate();
    store.beforeFill = () => held.pass();
    await cache.invalidateModel(Tag);
    expect(await names()).to.deep.equal(['red', 'green']);
    await held.reached;
    await fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
    held.open();
    await cache.idle();
    expect(await names()).to.deep.equal(['crimson', 'green']);
  });

  it('a result that is read while a writer commits is not stored', async () => {
    const held = gate();
    const writing = fork().transactional(async em => {
      await em.nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
      // after the mark, before COMMIT
      const { mark } = store;
      store.mark = async (...args) => {
        store.mark = mark;
        await mark.apply(store, args);
        await held.pass();
      };
    });
    await held.reached;
    expect(await names()).to.deep.equal(['red', 'green']);
    await cache.idle();
    expect(await source()).to.deep.equal(['miss']);
    held.open();
    await writing;
    expect(await names()).to.deep.equal(['crimson', 'green']);
    await cache.idle();
    expect(await source()).to.deep.equal(['cache']);
  });

  it('concurrent readers give the present rows after concurrent writers', async () => {
    await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        if (i % 4 === 0) {
          await fork().nativeUpdate(Tag, { id: 1 + (i % 2) }, { name: `name ${i}` });
        } else {
          await names();
        }
      }),
    );
    await cache.idle();
    const rows = await fork().execute('select name from tag order by id');
    expect(await names()).to.deep.equal(rows.map(row => row.name));
  });

  it('several statements in one string invalidate', async () => {
    await warm();
    await fork().execute(
      `update tag set name = 'crimson' where id = 1; insert into tag (name) values ('blue')`,
    );
    expect(await names()).to.deep.equal(['crimson', 'green', 'blue']);
  });

  it('a stream is read from the database', async () => {
    const sources = await sourcesOf(cache, async () => {
      const found: string[] = [];
      for await (const tag of fork().stream(Tag, { orderBy: { id: 'asc' } })) {
        found.push(tag.name);
      }
      expect(found).to.deep.equal(['red', 'green']);
    });
    expect(sources).to.deep.equal([]);
  });

  it('a stream of a statement that writes invalidates', async () => {
    await warm();
    const stream = orm.em.getConnection().stream(`update tag set name = name || '!' returning name`);
    for await (const row of stream) {
      expect(row).to.have.property('name');
    }
    expect(await names()).to.deep.equal(['red!', 'green!']);
  });

  it('a lagging replica fills nothing', async () => {
    const lagging = await freshDatabase('replica');
    const late = await MikroORM.init({
      clientUrl: lagging,
      entities,
      metadataProvider: ReflectMetadataProvider,
    });
    await late.schema.create();
    await late.em.execute(`insert into tag (name) values ('old')`);
    await late.close();
    const shared = await MikroORM.init({
      clientUrl: url,
      entities,
      metadataProvider: ReflectMetadataProvider,
      replicas: [{ dbName: new URL(lagging).pathname.slice(1) }],
      extensions: [cacheops({ store })],
    });
    try {
      const reading = shared.em.fork();
      // that is where it would be read
      expect((await reading.find(Tag, {}, { cacheops: false })).map(({ name }) => name)).to.deep.equal([
        'old',
      ]);
      await cache.invalidateAll();
      for (let i = 0; i < 3; i++) {
        expect(
          (await shared.em.fork().find(Tag, { name: { $ne: '' } })).map(({ name }) => name),
        ).to.deep.equal(['red', 'green']);
        await getCacheops(shared).idle();
      }
      await fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
      expect((await shared.em.fork().find(Tag, { name: { $ne: '' } })).map(({ name }) => name)).to.include(
        'crimson',
      );
    } finally {
      await shared.close();
    }
  });

  it('two databases of one server share no entry', async () => {
    const other = await MikroORM.init({
      clientUrl: await freshDatabase('other'),
      entities,
      metadataProvider: ReflectMetadataProvider,
      extensions: [cacheops({ store })],
    });
    try {
      await other.schema.create();
      await other.em.execute(`insert into tag (name) values ('blue')`);
      const otherNames = async () =>
        (await other.em.fork().find(Tag, {}, { orderBy: { id: 'asc' } })).map(({ name }) => name);
      for (let i = 0; i < 2; i++) {
        expect(await names()).to.deep.equal(['red', 'green']);
        expect(await otherNames()).to.deep.equal(['blue']);
        await cache.idle();
        await getCacheops(other).idle();
      }
      await other.em.fork().nativeDelete(Tag, {});
      expect(await source()).to.deep.equal(['cache']);
      expect(await otherNames()).to.deep.equal([]);
    } finally {
      await other.close();
    }
  });

  it('a write invalidates by the values that a concurrent transaction has given its rows', async () => {
    const [ann] = await fork().find(Author, {});
    expect(ann).to.equal(undefined);
    const setup = fork();
    setup.create(Author, { id: 1, name: 'Ann', email: 'a', reputation: 1 });
    await setup.flush();
    const both = () => fork().find(Author, { name: 'Anna', reputation: 2 });
    const one = () => fork().find(Author, { name: 'Anna', reputation: 1 });
    const [first, second] = [fork(), fork()];
    const [mine, theirs] = [await first.findOneOrFail(Author, 1), await second.findOneOrFail(Author, 1)];
    mine.name = 'Anna';
    theirs.reputation = 2;
    expect(await both()).to.have.length(0);
    expect(await one()).to.have.length(0);
    await cache.idle();
    await first.flush();
    expect(await one()).to.have.length(1);
    await cache.idle();
    await second.flush();
    expect(await one()).to.have.length(0);
    expect(await both()).to.have.length(1);
  });

  it('a foreign key that a transaction adds counts after its commit', async () => {
    await fork().execute('create table badge (id int primary key, tag int); insert into badge values (1, 1)');
    const em = fork();
    await em.begin();
    await em.execute('alter table badge add foreign key (tag) references tag on delete cascade');
    // whoever reads now learns nothing of it
    expect(await fork().find(Badge, {})).to.have.length(1);
    await em.commit();
    expect(await fork().find(Badge, {})).to.have.length(1);
    await cache.idle();
    await fork().nativeDelete(Tag, { id: 1 });
    expect(await fork().find(Badge, {})).to.have.length(0);
  });
});
