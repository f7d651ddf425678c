import { defineEntity, p, raw, Type } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { embedded } from '../support/embedded.js';
import { type Started, start } from '../support/start.js';
import { expectNoticed, type Step } from '../support/write_path.js';

/** Halved on its way out of the database, doubled on its way in. */
class Doubled extends Type<number, number> {
  override convertToDatabaseValueSQL(key: string): string {
    return `${key} * 2`;
  }

  override convertToJSValueSQL(key: string): string {
    return `${key} / 2`;
  }

  override getColumnType(): string {
    return 'int';
  }
}

const Size = defineEntity({
  name: 'Size',
  embeddable: true,
  properties: { width: p.integer(), height: p.integer().nullable() },
});

const Maker = defineEntity({
  name: 'Maker',
  cacheops: { timeout: 60 },
  properties: { id: p.integer().primary(), name: p.string(), country: p.string() },
});

const Thing = defineEntity({
  name: 'Thing',
  cacheops: { timeout: 60 },
  properties: {
    id: p.integer().primary(),
    title: p.string().fieldName('heading'),
    price: p.integer(),
    amount: p.integer(),
    doubled: p.type(Doubled),
    lazy: p.text().lazy().ref(),
    size: () => p.embedded(Size),
    total: p.integer().formula(columns => `${columns.price} * ${columns.amount}`),
    half: p
      .integer()
      .formula(() => 'price / 2')
      .lazy(),
    shout: p.string().generated('(upper(heading)) stored').nullable(),
    touched: p.integer().default(0),
    maker: () => p.manyToOne(Maker).nullable(),
    parts: () => p.oneToMany(Part).mappedBy('thing'),
  },
});

const Part = defineEntity({
  name: 'Part',
  cacheops: { timeout: 60 },
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    weight: p.integer(),
    thing: () => p.manyToOne(Thing),
  },
});

const fields =
  (...names: string[]): Step =>
  em =>
    em.find(Thing, { amount: { $lt: 100 } }, { fields: names as never, orderBy: { id: 'asc' } });

const set =
  (data: object): Step =>
  em =>
    em.nativeUpdate(Thing, { id: 1 }, data as never);

const flush =
  (data: object): Step =>
  async em => {
    em.assign(await em.findOneOrFail(Thing, 1, { cacheops: false }), data as never);
    await em.flush();
  };

interface Case {
  readonly write: Step;
  readonly changes: Step | Step[];
  readonly keeps?: Step[];
}

const CASES: Record<string, Case> = {
  'a renamed column': { write: flush({ title: 'x' }), changes: fields('title'), keeps: [fields('price')] },
  'a formula': {
    write: flush({ price: 70 }),
    changes: [fields('total'), em => em.find(Thing, { total: { $gt: 20 } }, { fields: ['title'] })],
    keeps: [fields('title')],
  },
  'a formula that does not say whose columns it means': { write: set({ price: 8 }), changes: fields('half') },
  'a formula in an order': {
    write: set({ price: 100 }),
    changes: em => em.find(Thing, {}, { fields: ['title'], orderBy: { total: 'asc' }, limit: 1 }),
  },
  'a conversion in SQL': {
    write: flush({ doubled: 5 }),
    changes: fields('doubled'),
    keeps: [fields('title')],
  },
  'a condition on what is converted in SQL': {
    write: set({ doubled: 9 }),
    changes: [em => em.count(Thing, { doubled: 9 }), em => em.count(Thing, { doubled: { $gt: 3 } })],
  },
  'a generated column': {
    write: flush({ title: 'new' }),
    changes: [
      fields('shout'),
      em => em.count(Thing, { shout: 'ONE' }),
      em => em.count(Thing, { shout: { $gt: 'NZ' } }),
    ],
    keeps: [fields('price')],
  },
  'a lazy property': {
    write: set({ lazy: 'other' }),
    changes: em => em.find(Thing, {}, { populate: ['lazy'] as never, orderBy: { id: 'asc' } }),
    keeps: [fields('price')],
  },
  'an embedded property': {
    write: flush({ size: { width: 9, height: 1 } }),
    changes: [fields('size.width'), em => em.count(Thing, { size: { width: { $gte: 9 } } })],
    keeps: [fields('price'), em => em.count(Thing, { price: { $lt: 1000 } })],
  },
  'a column that a trigger sets': {
    write: flush({ amount: 4 }),
    changes: [fields('touched'), em => em.count(Thing, { touched: { $gt: 0 } })],
  },
  'a fragment in a condition': {
    write: set({ title: 'Aaa' }),
    changes: [
      em => em.count(Thing, { [raw('lower(heading)')]: 'aaa' }),
      em => em.count(Thing, { [raw(alias => `lower(${alias}.heading)`)]: 'aaa' }),
    ],
  },
  'an order by a relation': {
    write: async em => em.nativeUpdate(Maker, { id: 1 }, { name: 'zzz' }),
    changes: em =>
      em.find(Thing, {}, { fields: ['title'], orderBy: { maker: { name: 'asc' }, id: 'asc' }, limit: 1 }),
    keeps: [fields('title')],
  },
  'a condition on a relation': {
    write: async em => em.nativeUpdate(Maker, { id: 2 }, { country: 'AT' }),
    changes: [
      em => em.count(Thing, { maker: { country: 'AT' } }),
      em => em.find(Thing, { maker: { country: 'AT' } }, { fields: ['title'] }),
      em => em.find(Thing, { maker: { country: { $gt: 'AU' } } }, { fields: ['title'] }),
    ],
    keeps: [em => em.count(Thing, { maker: { name: 'one' } })],
  },
  'a populated relation': {
    write: async em => em.nativeUpdate(Maker, { id: 1 }, { name: 'uno' }),
    changes: em => em.find(Thing, { id: 1 }, { populate: ['maker'], strategy: 'joined' }),
    keeps: [em => em.find(Thing, { id: 2 }, { populate: ['maker'], strategy: 'joined' })],
  },
  'a relation that is populated with some fields': {
    write: async em => em.nativeUpdate(Maker, { id: 1 }, { name: 'ein' }),
    changes: em => em.find(Thing, { id: 1 }, { fields: ['title', 'maker.name'], strategy: 'joined' }),
    keeps: [em => em.find(Thing, { id: 1 }, { fields: ['title', 'maker.country'], strategy: 'joined' })],
  },
  'a relation that leads elsewhere': {
    write: flush({ maker: 2 }),
    changes: em => em.find(Thing, { id: 1 }, { fields: ['maker.name'], strategy: 'joined' }),
    keeps: [em => em.find(Thing, { id: 1 }, { fields: ['title'] })],
  },
  'a new row of a collection': {
    write: async em => em.insert(Part, { id: 9, name: 'nine', weight: 9, thing: 1 }),
    changes: em => em.find(Thing, { id: 1 }, { populate: ['parts'], strategy: 'joined' }),
    keeps: [em => em.find(Thing, { id: 2 }, { populate: ['parts'], strategy: 'joined' })],
  },
  'a row that moves to another collection': {
    write: async em => em.nativeUpdate(Part, { id: 1 }, { thing: 2 }),
    changes: [1, 2].map(
      (id): Step =>
        em =>
          em.find(Thing, { id }, { populate: ['parts'], strategy: 'joined' }),
    ),
    keeps: [em => em.find(Thing, { id: 3 }, { populate: ['parts'], strategy: 'joined' })],
  },
  'a row that is populated under a condition': {
    write: async em => em.nativeUpdate(Part, { id: 1 }, { weight: 50 }),
    changes: em =>
      em.find(
        Thing,
        { id: 1 },
        { populate: ['parts'], populateWhere: { parts: { weight: { $gt: 20 } } }, strategy: 'joined' },
      ),
  },
  'a row of a collection that a page is filtered by': {
    write: async em => em.nativeUpdate(Part, { id: 1 }, { weight: 60 }),
    changes: em =>
      em.find(
        Thing,
        { parts: { weight: { $gt: 20 } } },
        { populate: ['parts'], orderBy: { title: 'asc', id: 'asc' }, limit: 2, strategy: 'joined' },
      ),
  },
  'a condition on groups': {
    write: async em => em.nativeUpdate(Part, { id: 2 }, { weight: 90 }),
    changes: em =>
      (em as EntityManager)
        .createQueryBuilder(Part, 'p')
        .select(['p.thing', raw('max(p.weight) as heaviest')] as never)
        .groupBy('p.thing')
        .having('max(p.weight) > 80')
        .execute(),
  },
  'a row that comes into a window': {
    write: async em => em.nativeUpdate(Thing, { id: 3 }, { price: 1 }),
    changes: em => em.find(Thing, {}, { orderBy: { price: 'asc', id: 'asc' }, limit: 2 }),
    keeps: [em => em.find(Thing, { title: 'two' })],
  },
  'a row behind a window': {
    write: async em => em.nativeUpdate(Thing, { id: 3 }, { title: 'behind' }),
    changes: em => em.find(Thing, {}, { orderBy: { price: 'asc', id: 'asc' }, limit: 5 }),
    keeps: [em => em.find(Thing, {}, { orderBy: { price: 'asc', id: 'asc' }, limit: 2 })],
  },
  'a row before the rows that a page skips to': {
    write: async em => em.nativeDelete(Thing, { id: 3 }),
    changes: em => em.find(Thing, {}, { orderBy: { price: 'desc', id: 'asc' }, limit: 1, offset: 1 }),
  },
  'the last page': {
    write: async em => em.persist(em.create(Thing, thing(7, 700))).flush(),
    changes: em => em.find(Thing, {}, { orderBy: { price: 'asc', id: 'asc' }, limit: 2, offset: 2 }),
    keeps: [em => em.find(Thing, {}, { orderBy: { price: 'asc', id: 'asc' }, limit: 2 })],
  },
  'a window from the end': {
    write: async em => em.persist(em.create(Thing, thing(8, 800))).flush(),
    changes: em =>
      em.findByCursor(Thing, { last: 2, orderBy: { price: 'asc', id: 'asc' }, includeCount: false }),
    keeps: [
      em => em.findByCursor(Thing, { first: 2, orderBy: { price: 'asc', id: 'asc' }, includeCount: false }),
    ],
  },
};

function thing(id: number, price: number) {
  const title = ['one', 'two', 'three'][id - 1] ?? `thing ${id}`;
  return {
    id,
    title,
    price,
    amount: 1,
    doubled: id,
    lazy: 'lazy',
    size: { width: id, height: null },
    maker: id < 3 ? id : null,
  } as never;
}

describe('a result that only changes of the columns that its query reads invalidate', () => {
  let shop: Started;

  before(async () => {
    shop = await start({ entities: [Thing, Maker, Part, Size] });
  });

  beforeEach(async () => {
    const em = shop.orm.em.fork();
    const database = await embedded();
    await em.execute('drop trigger if exists touch on thing');
    await database.exec(`truncate thing, maker, part cascade`);
    await em.insertMany(Maker, [
      { id: 1, name: 'one', country: 'AT' },
      { id: 2, name: 'two', country: 'BE' },
    ]);
    em.persist([thing(1, 10), thing(2, 20), thing(3, 30)].map(data => em.create(Thing, data)));
    await em.flush();
    await em.insertMany(Part, [
      { id: 1, name: 'a', weight: 10, thing: 1 },
      { id: 2, name: 'b', weight: 20, thing: 2 },
    ]);
    await database.exec(`create or replace function touch() returns trigger language plpgsql as
      $$ begin new.touched = new.touched + 1; return new; end $$`);
    await shop.cache.invalidateAll();
  });

  after(() => shop.orm.close());

  for (const [what, path] of Object.entries(CASES)) {
    it(`a write invalidates it: ${what}`, async () => {
      if (what.includes('trigger')) {
        await shop.orm.em.execute(
          'create trigger touch before update on thing for each row execute function touch()',
        );
      }
      await expectNoticed(shop, path);
    });
  }
});
