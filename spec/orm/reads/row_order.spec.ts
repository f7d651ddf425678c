import { defineEntity, helper, p } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { sourcesOf } from '../support/observe.js';
import { snapshotOf } from '../support/snapshot.js';
import { joinUncached, type Started, start } from '../support/start.js';

const Info = defineEntity({
  name: 'Info',
  embeddable: true,
  properties: { city: p.string().nullable(), zip: p.string().nullable() },
});
const Shop = defineEntity({
  name: 'Shop',
  properties: {
    id: p.integer().primary(),
    n: p.integer(),
    items: () => p.oneToMany(Item).mappedBy('shop'),
    books: () =>
      p
        .manyToMany(Book)
        .pivotEntity(() => Item)
        .mappedBy('shops'),
  },
});
const Item = defineEntity({
  name: 'Item',
  properties: {
    shop: () => p.manyToOne(Shop).primary(),
    book: () => p.manyToOne(Book).primary(),
    quantity: p.integer().default(1),
  },
});
const Topic = defineEntity({
  name: 'Topic',
  properties: { id: p.integer().primary(), books: () => p.manyToMany(Book).mappedBy('topics') },
});
const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    info: () => p.embedded(Info).object().nullable(),
    parent: () => p.manyToOne(Book).nullable(),
    children: () => p.oneToMany(Book).mappedBy('parent'),
    topics: () => p.manyToMany(Topic).owner(),
    shops: () =>
      p
        .manyToMany(Shop)
        .pivotEntity(() => Item)
        .owner(),
  },
});

type Read = (em: EntityManager) => Promise<unknown>;

const READS: readonly Read[] = (['select-in', 'joined', 'balanced'] as const).flatMap((strategy): Read[] => [
  em => em.find(Shop, {}, { populate: ['books.shops', 'books.parent.children'], strategy } as never),
  em =>
    em.find(Shop, { n: 1 }, { populate: ['items.book', 'books.topics.books', 'books'], strategy } as never),
]);

type Rows = Record<string, unknown>[];
type Find = (entity: unknown, where: unknown, options: unknown) => Promise<Rows>;

/** Lets a function see, and replace, what the driver of an ORM finds. */
function onFind(orm: MikroORM, see: (rows: Rows) => Rows): void {
  const driver = orm.em.getDriver() as unknown as { find: Find };
  const { find } = driver;
  driver.find = async (entity, where, options) => see(await find.call(driver, entity, where, options));
}

const sorted = (value: unknown): string =>
  JSON.stringify(value, (_key, item) =>
    Array.isArray(item) ? item.map(sorted).sort() : item === undefined ? 'undefined' : item,
  );

/**
 * Which properties MikroORM counts as loaded depends on the order in which it meets the rows: a row that it knows from
 * a reference is merged, a new one is hydrated, with the columns of object embeddables or joined relations beside it.
 * Without ORDER BY that order is the database's affair, and an UPDATE that changes no result may change it.
 */
describe('rows without ORDER BY', () => {
  const options = { entities: [Shop, Item, Topic, Book, Info] };
  let cached: Started;
  let plain: MikroORM;
  /** given the rows of the cache, in their order, after they were found to be those of the database */
  let fed: MikroORM;
  let found: Rows[] = [];

  before(async () => {
    cached = await start({
      ...options,
      cacheops: { profiles: { '*': { ops: 'all', timeout: 600 } } },
    });
    plain = await joinUncached(options);
    fed = await joinUncached(options);
    onFind(cached.orm, rows => {
      found.push(structuredClone(rows));
      return rows;
    });
    onFind(fed, rows => {
      const given = found.shift()!;
      expect(sorted(given), 'the rows, in any order').to.equal(sorted(rows));
      return given;
    });
  });

  after(async () => {
    await plain.close();
    await fed.close();
    await cached.orm.close();
  });

  beforeEach(async () => {
    const sql = (text: string) => cached.orm.em.execute(text);
    await sql('truncate shop, book, topic cascade');
    for (let i = 1; i <= 6; i++) {
      await sql(
        `insert into book (id, title, info, parent_id) values (${i}, 't', '{"city":"c"}', ${i > 3 ? i - 3 : 'null'})`,
      );
    }
    await sql('insert into shop (id, n) select i, i % 2 from generate_series(1, 4) as i');
    await sql('insert into topic (id) values (1), (2)');
    await sql(
      'insert into item (shop_id, book_id) select i, j from generate_series(1, 4) i, generate_series(1, 6) j',
    );
    await sql(
      'insert into book_topics (book_id, topic_id) select i, 1 + i % 2 from generate_series(1, 6) as i',
    );
  });

  const loaded = async (orm: MikroORM, read: Read) => {
    const em = orm.em.fork();
    await read(em);
    return JSON.stringify(
      [...em.getUnitOfWork().getIdentityMap()]
        .map(entity => [
          helper(entity).getSerializedPrimaryKey(),
          [...helper(entity).__loadedProperties].sort(),
        ])
        .sort(),
    );
  };

  async function expectAsFed(read: Read): Promise<void> {
    found = [];
    const [em, other] = [cached.orm.em.fork(), fed.em.fork()];
    const snapshot = snapshotOf(em, await read(em));
    expect(snapshot).to.equal(snapshotOf(other, await read(other)));
    await cached.cache.idle();
  }

  it('a hit has the loaded properties that follow from the order of its rows', async () => {
    const [read] = READS as [Read];
    await read(cached.orm.em.fork());
    await cached.cache.idle();
    // it moves rows, and changes none: the cache need not hear of it
    for (const id of [1, 2, 3]) {
      await plain.em.execute(`update book set title = title where id = ${id}`);
      await plain.em.execute(`update item set quantity = quantity where book_id = ${id}`);
    }
    await cached.cache.idle();
    let fromCache = '';
    const sources = await sourcesOf(cached.cache, async () => {
      fromCache = await loaded(cached.orm, read);
    });
    expect(new Set(sources)).to.deep.equal(new Set(['cache']));
    expect(await loaded(plain, read), 'the database gives another order by now').not.to.equal(fromCache);
    await expectAsFed(read);
  });

  it('a read after any writes has the loaded properties that the ORM gives without a cache', async () => {
    let seed = 7;
    const random = (below: number) => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor(seed / 65_536) % below;
    };
    const writes = [
      () =>
        `insert into item (shop_id, book_id) values (${1 + random(4)}, ${1 + random(6)}) on conflict do nothing`,
      () => `delete from item where shop_id = ${1 + random(4)} and book_id = ${1 + random(6)}`,
      () => `update item set quantity = quantity + 1 where book_id = ${1 + random(6)}`,
      () => `update book set title = title || 'x' where id = ${1 + random(6)}`,
      () => `update book set info = ${random(2) ? `'{"city":"d"}'` : 'null'} where id = ${1 + random(6)}`,
      () => `update book set parent_id = ${random(2) ? 1 + random(6) : 'null'} where id = ${1 + random(6)}`,
      () =>
        `insert into book_topics (book_id, topic_id) values (${1 + random(6)}, ${1 + random(2)}) on conflict do nothing`,
      () => `delete from book_topics where book_id = ${1 + random(6)}`,
      () => `update shop set n = ${random(2)} where id = ${1 + random(4)}`,
    ];
    for (let step = 0; step < 60; step++) {
      await cached.orm.em.execute(writes[random(writes.length)]!());
      const read = READS[random(READS.length)]!;
      await expectAsFed(read);
      await expectAsFed(read);
    }
  });
});
