import { defineEntity, p, QueryFlag } from '@mikro-orm/core';
import { expect } from 'chai';
import { MemoryStore } from '../../../lib/index.js';
import type { EntryAddress, Found } from '../../../lib/store/store.js';
import { embedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import { type Started, start } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';

const Maker = defineEntity({
  name: 'Maker',
  cacheops: { timeout: 60 },
  properties: { id: p.integer().primary(), name: p.string(), country: p.string().nullable() },
});

const Tag = defineEntity({
  name: 'Tag',
  cacheops: { timeout: 60 },
  properties: { id: p.integer().primary(), name: p.string() },
});

const Thing = defineEntity({
  name: 'Thing',
  cacheops: { timeout: 60 },
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    kind: p.integer(),
    maker: () => p.manyToOne(Maker).nullable().deleteRule('no action'),
    parts: () => p.oneToMany(Part).mappedBy('thing'),
    tags: () => p.manyToMany(Tag),
  },
});

const Part = defineEntity({
  name: 'Part',
  cacheops: { timeout: 60 },
  properties: {
    id: p.integer().primary(),
    weight: p.integer(),
    note: p.string().default(''),
    thing: () => p.manyToOne(Thing),
  },
});

const list =
  (where: object, options: object = {}): Step =>
  em =>
    em.find(Thing, where, { orderBy: { id: 'asc' }, ...options });

const count =
  (where: object): Step =>
  em =>
    em.count(Thing, where);

const of = (country: string) => ({ kind: 1, maker: { country } });
const heavy = (weight: number, where: object = {}) => list({ ...where, parts: { weight: { $gt: weight } } });
const withParts = (where: object) => list(where, { populate: ['parts'], strategy: 'joined' });
const some = (part: object, where: object = {}) => list({ ...where, parts: { $some: part } });
const none = (part: object, where: object = {}) => list({ ...where, parts: { $none: part } });
const every = (part: object) => list({ parts: { $every: part } });
const tagged = (tags: object) => list({ tags });
const insert =
  (id: number, maker: number | null): Step =>
  em =>
    em.insert(Thing, { id, title: `thing ${id}`, kind: 1, maker } as never);
const set =
  (entity: typeof Maker | typeof Thing, id: number, data: object): Step =>
  em =>
    em.nativeUpdate(entity as never, { id } as never, data as never);
const inTurn =
  (...steps: Step[]): Step =>
  async em => {
    for (const step of steps) {
      await step(em);
    }
  };
const atOnce =
  (...steps: Step[]): Step =>
  em =>
    em.transactional(inner => inTurn(...steps)(inner));

const CASES: Record<string, WritePath> = {
  'a new row of a maker that satisfies the condition, and of one that does not': {
    write: insert(9, 1),
    changes: [list(of('AT')), count(of('AT')), list({ maker: { country: { $lt: 'B' } } })],
    keeps: [list(of('BE')), count(of('BE')), count({ maker: { country: { $gte: 'B' } } })],
  },
  'a new row of a maker without rows': {
    write: insert(9, 3),
    changes: [list(of('CH')), count(of('CH'))],
    keeps: [list(of('AT')), count(of('BE'))],
  },
  'a column that is read of a row whose maker satisfies the condition': {
    write: set(Thing, 1, { title: 'other' }),
    changes: list(of('AT')),
    keeps: [list(of('BE')), list(of('CH')), count(of('AT'))],
  },
  'a row that goes from one maker to another': {
    write: set(Thing, 1, { maker: 2 }),
    changes: [list(of('AT')), list(of('BE')), count(of('AT')), count(of('BE'))],
    keeps: [list(of('CH')), count(of('CH'))],
  },
  'a deleted row': {
    write: inTurn(
      em => em.nativeDelete(Part, { thing: 2 }),
      em => em.nativeDelete(Thing, { id: 2 }),
    ),
    changes: [list(of('BE')), count(of('BE'))],
    keeps: [list(of('AT')), count(of('AT'))],
  },
  'a maker that moves, and then one of its rows': {
    write: inTurn(set(Maker, 1, { country: 'CH' }), insert(9, 1)),
    changes: [list(of('AT')), list(of('CH')), count(of('CH'))],
    keeps: [list(of('BE')), count(of('BE'))],
  },
  'a row of a maker, which moves then': {
    write: inTurn(insert(9, 3), set(Maker, 3, { country: 'AT' })),
    changes: [list(of('AT')), count(of('AT'))],
    keeps: [list(of('BE')), count(of('BE'))],
  },
  'a new maker and a row of his': {
    write: atOnce(em => em.insert(Maker, { id: 9, name: 'nine', country: 'AT' }), insert(9, 9)),
    changes: [list(of('AT')), count(of('AT'))],
    keeps: [list(of('BE')), count(of('BE'))],
  },
  'a maker that moves and comes back, with a row that it gets meanwhile': {
    write: inTurn(set(Maker, 3, { country: 'AT' }), insert(9, 3), set(Maker, 3, { country: 'CH' })),
    changes: [list(of('CH')), count(of('CH'))],
    keeps: [list(of('BE')), count(of('BE'))],
  },
  // he is not the one whom the row had
  'a maker that is deleted without rows, and another with its key': {
    write: inTurn(
      set(Thing, 1, { maker: 2 }),
      em => em.nativeDelete(Maker, { id: 1 }),
      em => em.insert(Maker, { id: 1, name: 'new', country: 'CH' }),
    ),
    changes: [
      list(of('AT')),
      count(of('AT')),
      list(of('BE')),
      // to which neither his going nor the other's coming matters by itself
      count({ kind: 1, maker: { country: { $nin: ['BE', 'CH'] } } }),
    ],
  },
  'a row that loses its maker': {
    write: set(Thing, 1, { maker: null }),
    changes: [list(of('AT')), count(of('AT')), list({ maker: null })],
  },
  'a row before the last of a page': {
    write: inTurn(insert(-1, 1)),
    changes: list(of('AT'), { limit: 1 }),
    keeps: [list(of('BE'), { limit: 1 })],
  },
  'a row on a later page': {
    write: insert(0, 1),
    changes: list({ maker: { country: { $in: ['AT', 'BE'] } } }, { limit: 1, offset: 1 }),
    keeps: [list(of('BE'), { limit: 1, offset: 1 })],
  },
  'a row of a collection in the condition': {
    write: em => em.insert(Part, { id: 9, weight: 9, thing: 1 } as never),
    changes: [
      list({ kind: 1, parts: { weight: 9 } }),
      em => em.find(Part, { thing: { title: 'one' } }, { orderBy: { id: 'asc' } }),
    ],
    keeps: [
      list({ title: 'two', parts: { weight: 9 } }),
      count({ title: 'two', parts: { weight: { $gt: 5 } } }),
      em => em.find(Part, { thing: { title: 'two' } }, { orderBy: { id: 'asc' } }),
      em => em.count(Part, { thing: { title: { $ne: 'one' } } }),
    ],
  },
  'what is read of a row that some results have': {
    write: set(Thing, 1, { title: 'other' }),
    changes: [heavy(5), list({ title: { $ilike: 'o%' } })],
    keeps: [heavy(15), list({ kind: 1, title: 'two', parts: { weight: { $gt: 5 } } })],
  },
  'a row in some results that is deleted': {
    write: inTurn(
      em => em.nativeDelete(Part, { thing: 1 }),
      em => em.nativeDelete(Thing, { id: 1 }),
    ),
    changes: [heavy(5), list({ maker: { country: { $in: ['AT', 'BE'] } } }, { limit: 1, offset: 1 })],
    keeps: [heavy(15)],
  },
  'a column by which a fragment decides': {
    write: set(Thing, 3, { title: 'once' }),
    changes: list({ title: { $ilike: 'o%' } }),
    keeps: [list({ title: { $ilike: 'tw%' }, kind: 1 })],
  },
  'what is read of a row of a collection that some results have': {
    write: em => em.nativeUpdate(Part, { id: 1 }, { note: 'x' } as never),
    changes: [withParts({ parts: { weight: { $gt: 5 } } })],
    keeps: [withParts({ title: 'two', parts: { weight: { $gt: 5 } } }), withParts({ parts: { weight: 20 } })],
  },
  'a row of a collection that goes from one to another': {
    write: em => em.nativeUpdate(Part, { id: 1 }, { thing: 3 } as never),
    changes: [withParts({ parts: { weight: { $gt: 5 } } }), heavy(5), heavy(5, { kind: 2 })],
    keeps: [heavy(15)],
  },
  'the last row of a collection that must be there': {
    write: em => em.nativeDelete(Part, { id: 1 }),
    changes: [withParts({ parts: { weight: { $gt: 5 } } }), list({ parts: { id: null } })],
    keeps: [heavy(15)],
  },
  'a row of a collection in which some are looked for': {
    write: em => em.insert(Part, { id: 9, weight: 9, thing: 3 } as never),
    changes: [
      some({ weight: 9 }),
      some({ weight: { $gt: 5 } }),
      none({ weight: { $lt: 10 } }),
      every({ weight: 10 }),
    ],
    keeps: [
      some({ weight: 10 }),
      none({ weight: 10 }),
      every({ weight: 9 }),
      some({ weight: 9 }, { kind: 1 }),
      none({ weight: { $gt: 5 } }, { title: 'two' }),
    ],
  },
  'a row that goes from one collection to another in which some are looked for': {
    write: em => em.nativeUpdate(Part, { id: 1 }, { thing: 3 } as never),
    changes: [
      some({ weight: 10 }),
      none({ weight: 10 }),
      some({ weight: 10 }, { kind: 2 }),
      every({ weight: 20 }),
    ],
    keeps: [some({ weight: 20 }), none({ weight: { $gt: 15 } })],
  },
  'what is read of a row in whose collection some are looked for': {
    write: set(Thing, 1, { title: 'other' }),
    changes: [some({ weight: 10 }), none({ weight: 20 })],
    keeps: [some({ weight: 20 }), none({ weight: 10 }), some({ weight: 10 }, { kind: 2 })],
  },
  'a row that comes, in whose collection nothing is': {
    write: insert(9, 1),
    changes: [none({ weight: 10 }), every({ weight: 10 }), none({ weight: 1 }, { kind: 1 })],
    keeps: [none({ weight: 10 }, { kind: 2 })],
  },
  'a row that gets a tag': {
    write: em => em.execute('insert into thing_tags (thing_id, tag_id) values (1, 2)'),
    changes: [
      tagged({ name: 'blue' }),
      tagged({ $some: { name: 'blue' } }),
      tagged({ $none: { name: 'blue' } }),
      count({ tags: { name: 'blue' }, kind: 1 }),
    ],
    keeps: [
      tagged({ name: 'red' }),
      tagged({ $some: { name: 'red' } }),
      tagged({ $none: { name: 'red' } }),
      count({ tags: { name: 'blue' }, kind: 2 }),
    ],
  },
  'a row of a collection that is passed over': {
    write: em => em.insert(Part, { id: 9, weight: 9, thing: 1 } as never),
    changes: list(
      {},
      {
        populate: ['parts'],
        strategy: 'joined',
        limit: 1,
        offset: 1,
        flags: [QueryFlag.DISABLE_PAGINATE],
      },
    ),
  },
  'a tag that gets another name': {
    write: em => em.nativeUpdate(Tag, { id: 1 }, { name: 'blue' }),
    changes: [tagged({ name: 'blue' }), tagged({ name: 'red' }), tagged({ $none: { name: 'red' } })],
    keeps: [tagged({ name: 'green' }), tagged({ $some: { name: 'green' } })],
  },
  'what is read of a row with a tag': {
    write: set(Thing, 1, { title: 'other' }),
    changes: [tagged({ name: 'red' }), tagged({ $none: { name: 'blue' } })],
    keeps: [
      tagged({ name: 'blue' }),
      tagged({ $none: { name: 'red' } }),
      tagged({ $some: { name: 'blue' } }),
    ],
  },
  'a page of those in whose collection some are': {
    write: em => em.insert(Part, { id: 9, weight: 10, thing: 3 } as never),
    changes: list({ parts: { $some: { weight: { $lte: 10 } } } }, { limit: 2 }),
    keeps: [list({ parts: { $some: { weight: { $gt: 10 } } } }, { limit: 1 })],
  },
  'a row before a page of those in whose collection some are': {
    write: inTurn(insert(0, 1), em => em.insert(Part, { id: 9, weight: 10, thing: 0 } as never)),
    changes: [
      list({ parts: { $some: { weight: 10 } } }, { limit: 1 }),
      list({ parts: { $some: { weight: { $gt: 5 } } } }, { limit: 1, offset: 1 }),
    ],
  },
};

/** A store during whose next look at an entry something else happens: before it looks, or when it has looked already. */
class Watched extends MemoryStore {
  before: (() => Promise<unknown>) | undefined;
  meanwhile: (() => Promise<unknown>) | undefined;

  override async read(address: EntryAddress): Promise<Found | undefined> {
    const { before } = this;
    this.before = undefined;
    await before?.();
    const found = await super.read(address);
    const { meanwhile } = this;
    this.meanwhile = undefined;
    await meanwhile?.();
    return found;
  }
}

describe('rows whose joined rows a condition is on', () => {
  const store = new Watched();
  let shop: Started;

  before(async () => {
    shop = await start({ entities: [Thing, Maker, Part, Tag], cacheops: { store } });
  });

  beforeEach(async () => {
    const em = shop.orm.em.fork();
    await (await embedded()).exec('truncate thing, maker, part, tag cascade');
    await em.insertMany(Maker, [
      { id: 1, name: 'one', country: 'AT' },
      { id: 2, name: 'two', country: 'BE' },
      { id: 3, name: 'three', country: 'CH' },
      { id: 4, name: 'four', country: null },
    ]);
    await em.insertMany(Thing, [
      { id: 1, title: 'one', kind: 1, maker: 1 },
      { id: 2, title: 'two', kind: 1, maker: 2 },
      { id: 3, title: 'three', kind: 2, maker: 2 },
    ] as never);
    await em.insertMany(Part, [
      { id: 1, weight: 10, thing: 1 },
      { id: 2, weight: 20, thing: 2 },
    ] as never);
    await em.insertMany(Tag, [
      { id: 1, name: 'red' },
      { id: 2, name: 'blue' },
    ]);
    await em.execute('insert into thing_tags (thing_id, tag_id) values (1, 1), (2, 2), (3, 2)');
    await shop.cache.invalidateAll();
  });

  after(() => shop.orm.close());

  for (const [what, path] of Object.entries(CASES)) {
    it(`${what}`, () => expectNoticed(shop, path));
  }

  it('the joined row of a condition is distinguished from other joined rows of the same row', async () => {
    await shop.orm.em.execute('insert into thing_tags (thing_id, tag_id) values (1, 2)');
    const options = { populate: ['tags'], strategy: 'joined', populateWhere: 'all' };
    const asked = [
      { tags: { id: 1 } },
      { tags: 1 },
      { tags: { $some: { id: 1 } } },
      { tags: { $none: { id: 3 } } },
    ];
    await expectNoticed(shop, {
      write: em => em.nativeUpdate(Tag, { id: 2 }, { name: 'dark blue' }),
      changes: asked.map(where => list(where, options)),
    });
  });

  it('an entry is not revalidated by an answer that the database has given after another change', async () => {
    const { orm, cache } = shop;
    const belgian = () => orm.em.fork().count(Thing, of('BE'));
    expect(await belgian()).to.equal(1);
    await cache.idle();
    await insert(9, 2)(orm.em.fork());
    store.meanwhile = () => set(Maker, 2, { country: 'AT' })(orm.em.fork());
    // it was 2, and is 0
    expect(await belgian()).to.equal(0);
  });

  it('an entry is not revalidated by an answer that is older than its fill', async () => {
    const { orm, cache } = shop;
    const belgian = () => orm.em.fork().count(Thing, of('BE'));
    expect(await belgian()).to.equal(1);
    await cache.idle();
    await insert(9, 3)(orm.em.fork());
    store.meanwhile = async () => {
      // when the database has been asked, and has said that the third is none
      store.before = async () => {
        await set(Maker, 3, { country: 'BE' })(orm.em.fork());
        expect(await belgian()).to.equal(2);
        await cache.idle();
        await insert(10, 3)(orm.em.fork());
      };
    };
    expect(await belgian()).to.equal(3);
  });

  it('joined rows are not looked up in a transaction', async () => {
    const { orm, cache } = shop;
    const read = list(of('BE'));
    await read(orm.em.fork());
    await cache.idle();
    await insert(9, 1)(orm.em.fork());
    await orm.em.fork().transactional(async em => {
      expect(await sourcesOf(cache, () => read(em))).to.not.include('cache');
    });
  });
});
