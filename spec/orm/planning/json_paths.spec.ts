import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import type { ReadEvent } from '../../../lib/index.js';
import { type Started, start } from '../support/start.js';
import { expectNoticed, type Step } from '../support/write_path.js';

const Place = defineEntity({
  name: 'Place',
  embeddable: true,
  properties: {
    city: p.string().nullable(),
    floor: p.type('number').$type<number>().nullable(),
    tags: p.array().nullable(),
  },
});

const Shelf = defineEntity({
  name: 'Shelf',
  cacheops: { timeout: 60 },
  properties: { id: p.integer().primary(), label: p.json<any>() },
});

const Box = defineEntity({
  name: 'Box',
  cacheops: { timeout: 60 },
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    meta: p.json<any>().nullable(),
    text: p.json<any>().columnType('json').nullable(),
    place: () => p.embedded(Place).object().nullable(),
    shelf: () => p.manyToOne(Shelf).nullable(),
  },
});

const Code = defineEntity({ name: 'Code', properties: { name: p.string().primary() } });

const Marks = defineEntity({
  name: 'Marks',
  embeddable: true,
  properties: {
    code: () => p.manyToOne(Code).nullable(),
    first: () => p.manyToOne(Code).joinColumn('own_code').nullable(),
  },
});

/** It has columns that are called like what the ORM takes those of embedded relations for. */
const Crate = defineEntity({
  name: 'Crate',
  cacheops: { timeout: 60 },
  properties: {
    id: p.integer().primary(),
    marks: () => p.embedded(Marks).object().nullable(),
    flat: () => p.embedded(Marks).prefix('f_').nullable(),
    one: p.string().fieldName('flat_code_name'),
    two: p.string().fieldName('marks_own_code'),
  },
});

const Town = defineEntity({
  name: 'Town',
  embeddable: true,
  properties: { city: p.string().fieldName('town').nullable() },
});

const Lot = defineEntity({
  name: 'Lot',
  abstract: true,
  discriminatorColumn: 'kind',
  cacheops: { timeout: 60 },
  properties: { id: p.integer().primary(), kind: p.enum(['a', 'b']) },
});

const Parcel = defineEntity({
  name: 'Parcel',
  extends: Lot,
  discriminatorValue: 'a',
  properties: { place: () => p.embedded(Place).object().nullable() },
});

const Pallet = defineEntity({
  name: 'Pallet',
  extends: Lot,
  discriminatorValue: 'b',
  properties: { place: () => p.embedded(Town).object().nullable() },
});

const crates =
  (where: object): Step =>
  em =>
    em.count(Crate, where as never);

const count =
  (where: object): Step =>
  em =>
    em.count(Box, where as never);

const titles =
  (where: object): Step =>
  em =>
    em.find(Box, where as never, { fields: ['title'], orderBy: { id: 'asc' } });

const set =
  (data: object): Step =>
  em =>
    em.nativeUpdate(Box, { id: 1 }, data as never);

const META = { a: 'x', n: 1, on: true, size: { unit: 'cm' }, 'quo"te': 'x', list: ['x'], b0: 'x' };

/** Each changes one thing in the document of the first box. */
const meta = (changes: object) => set({ meta: { ...META, ...changes } });

const CASES: Record<
  string,
  { readonly write: Step; readonly changes: Step | Step[]; readonly keeps?: Step[] }
> = {
  'a text': {
    write: meta({ a: 'y' }),
    changes: [
      count({ meta: { a: 'x' } }),
      titles({ meta: { a: 'y' } }),
      count({ meta: { a: { $ne: 'x' } } }),
      count({ meta: { a: { $like: 'x%' } } }),
      count({ meta: { a: { $in: ['y'] } } }),
      titles({ $not: { meta: { a: 'x' } } }),
      em => em.find(Box, { meta: { n: 1 } }, { orderBy: { id: 'asc' } }),
    ],
    keeps: [
      count({ meta: { a: 'z' } }),
      titles({ meta: { a: 'z' } }),
      count({ meta: { size: { unit: 'cm' } } }),
      count({ meta: { a: 'z', n: 1 } }),
      titles({ title: 'two' }),
    ],
  },
  'a text, by an update without a before image': {
    write: async em =>
      em.execute(
        // RETURNING has no other "old" then
        `update box set meta = jsonb_set(meta, '{a}', '"y"') from shelf as old where old.id = box.shelf_id and old.id = 1`,
      ),
    changes: [count({ meta: { a: 'x' } }), titles({ meta: { a: 'x' } }), titles({ meta: { a: 'y' } })],
  },
  'a text further down': {
    write: meta({ size: { unit: 'mm' } }),
    changes: [count({ meta: { size: { unit: 'cm' } } }), titles({ meta: { size: { unit: 'mm' } } })],
    keeps: [count({ meta: { a: 'x' } }), count({ meta: { size: { unit: 'm' } } })],
  },
  'an object in the place of a text': {
    write: meta({ a: { b: 1 } }),
    changes: count({ meta: { a: 'x' } }),
    keeps: [count({ meta: { a: 'z' } })],
  },
  'a deleted text': {
    write: set({ meta: null }),
    changes: [
      count({ meta: { a: 'x' } }),
      count({ meta: { a: null } }),
      count({ meta: { a: { $ne: null } } }),
    ],
    keeps: [count({ meta: { a: 'z' } })],
  },
  'a number': {
    write: meta({ n: 5 }),
    changes: [
      count({ meta: { n: 5 } }),
      count({ meta: { n: { $gt: 4 } } }),
      titles({ meta: { n: { $gte: 1, $lt: 2 } } }),
    ],
    keeps: [count({ meta: { n: { $gt: 100 } } }), titles({ meta: { n: 7 } }), count({ meta: { a: 'z' } })],
  },
  'a boolean': {
    write: meta({ on: false }),
    changes: [count({ meta: { on: true } }), titles({ meta: { on: false } })],
  },
  'a key that has quotes': {
    write: meta({ 'quo"te': 'y' }),
    changes: count({ meta: { 'quo"te': 'x' } }),
  },
  'a key that contains the placeholder of an alias': {
    write: meta({ b0: 'y' }),
    changes: count({ meta: { '[::alias::]': 'x' } }),
  },
  'an element of an array': {
    write: meta({ list: ['y'] }),
    changes: count({ meta: { $contains: { list: ['x'] } } }),
  },
  'a column of type json': {
    write: set({ text: { a: 'y' } }),
    changes: [count({ text: { a: 'x' } }), titles({ text: { a: 'y' } })],
    keeps: [count({ title: 'one' })],
  },
  'an embedded object': {
    write: async em => {
      em.assign(await em.findOneOrFail(Box, 1, { cacheops: false }), { place: { city: 'y' } });
      await em.flush();
    },
    changes: [
      count({ place: { city: 'x' } }),
      titles({ place: { city: { $in: ['y', 'z'] } } }),
      count({ place: { city: 'y', floor: { $gt: 0 } } }),
    ],
    keeps: [count({ place: { city: 'z' } }), count({ place: { floor: { $lt: 0 } } })],
  },
  'a number of an embedded object': {
    write: async em => {
      em.assign(await em.findOneOrFail(Box, 1, { cacheops: false }), { place: { floor: 10 } });
      await em.flush();
    },
    changes: [count({ place: { floor: 10 } }), titles({ place: { floor: { $gt: 9 } } })],
    keeps: [count({ place: { city: 'z' } }), count({ place: { floor: { $gt: 99 } } })],
  },
  'embedded objects of one name in a hierarchy that shares a table': {
    write: async em => em.execute(`update lot set place = '{"town": "y", "city": "z"}' where id = 1`),
    changes: ['x', 'y'].flatMap(city => [
      (em): Promise<unknown> => em.count(Lot, { place: { city } } as never),
      (em): Promise<unknown> => em.count(Pallet, { place: { city } }),
    ]) as Step[],
    keeps: [em => em.count(Parcel, { place: { city: 'w' } })],
  },
  'a relation of an embedded object': {
    write: em => em.nativeUpdate(Crate, { id: 1 }, { marks: { code: 'y', first: 'y' } } as never),
    changes: [crates({ marks: { first: 'x' } }), crates({ marks: { code: 'y' } })],
  },
  'a relation of an embedded object with a prefix': {
    write: em => em.nativeUpdate(Crate, { id: 1 }, { flat: { code: 'y' } } as never),
    changes: [crates({ flat: { code: 'x' } }), crates({ flat: { code: 'y' } })],
  },
  'a path in a relation': {
    write: async em => em.nativeUpdate(Shelf, { id: 1 }, { label: { name: 'b' } }),
    changes: [count({ shelf: { label: { name: 'a' } } }), titles({ shelf: { label: { name: 'b' } } })],
    keeps: [count({ shelf: { label: { name: 'c' } } })],
  },
};

describe('conditions on paths into a JSON column', () => {
  let shop: Started;

  before(async () => {
    shop = await start({ entities: [Box, Shelf, Place, Code, Crate, Marks, Lot, Parcel, Pallet, Town] });
  });

  beforeEach(async () => {
    const em = shop.orm.em.fork();
    await em.execute('truncate box, shelf, crate, code, lot');
    await em.insertMany(Shelf, [
      { id: 1, label: { name: 'a' } },
      { id: 2, label: { name: 'd' } },
    ]);
    em.create(Box, {
      id: 1,
      title: 'one',
      meta: META,
      text: { a: 'x' },
      place: { city: 'x', floor: 1 },
      shelf: 1,
    });
    await em.insertMany(Code, [{ name: 'x' }, { name: 'y' }, { name: 'z' }]);
    em.create(Crate, { id: 1, marks: { code: 'x', first: 'x' }, flat: { code: 'x' }, one: 'z', two: 'z' });
    await em.execute(`insert into lot (id, kind, place) values (1, 'b', '{"town": "x", "city": "z"}')`);
    em.create(Box, { id: 2, title: 'two', meta: { a: 'w', n: 3 }, shelf: 2 });
    await em.flush();
    await shop.cache.invalidateAll();
  });

  after(() => shop.orm.close());

  for (const [what, path] of Object.entries(CASES)) {
    it(`a write invalidates results with such a condition: ${what}`, () => expectNoticed(shop, path));
  }

  it('events describe such conditions as users write them', async () => {
    const told: string[] = [];
    const listen = ({ dependencies = [] }: ReadEvent) => void told.push(...dependencies);
    shop.cache.events.on('read', listen);
    await shop.orm.em.fork().count(Box, { meta: { size: { unit: 'cm' } } });
    await shop.orm.em.fork().count(Box, { meta: { n: { $gt: 4 } } });
    shop.cache.events.off('read', listen);
    expect(told.join()).to.contain('meta.size.unit=cm').and.to.contain('meta.n>4');
  });
});
