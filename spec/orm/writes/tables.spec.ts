import { defineEntity, p } from '@mikro-orm/core';
import { emptyEmbedded } from '../support/embedded.js';
import { join, type Started } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';

const cached = { ops: 'all', timeout: 60 } as const;
const id = () => p.integer().primary();

const Stored = defineEntity({
  name: 'Stored',
  cacheops: cached,
  properties: {
    id: id(),
    code: p.string().columnType('char(4)').nullable(),
    rounded: p.decimal('string').columnType('numeric(4, 1)').nullable(),
    at: p.datetime().columnType('timestamptz(0)').nullable(),
    folded: p.string().nullable(),
    computed: p.string().nullable().generated('x'),
    given: p.string().nullable(),
    other: p.integer().nullable(),
  },
});

const Parent = defineEntity({
  name: 'Parent',
  cacheops: cached,
  properties: {
    id: id(),
    key: p.integer(),
    children: () => p.oneToMany(Child).mappedBy('parent').orphanRemoval(),
    guests: () => p.oneToMany(Guest).mappedBy('parent'),
    profile: () => p.oneToOne(Profile).mappedBy('parent').orphanRemoval().nullable(),
  },
});

const Child = defineEntity({
  name: 'Child',
  cacheops: cached,
  properties: {
    id: id(),
    name: p.string(),
    version: p.integer().version(),
    parent: () => p.manyToOne(Parent),
  },
});

const Guest = defineEntity({
  name: 'Guest',
  cacheops: cached,
  properties: { id: id(), name: p.string(), parent: () => p.manyToOne(Parent).nullable() },
});

const Profile = defineEntity({
  name: 'Profile',
  cacheops: cached,
  properties: { id: id(), name: p.string(), parent: () => p.oneToOne(Parent).owner().nullable() },
});

/** References a column that is no primary key, with ON UPDATE CASCADE. */
const Follower = defineEntity({
  name: 'Follower',
  cacheops: cached,
  properties: { id: id(), key: p.integer() },
});

const Measure = defineEntity({
  name: 'Measure',
  cacheops: cached,
  properties: { id: id(), year: p.integer().primary(), value: p.integer() },
});

/** The partition by its own name. */
const Measure2024 = defineEntity({
  name: 'Measure2024',
  tableName: 'measure_2024',
  cacheops: cached,
  properties: { id: id(), year: p.integer(), value: p.integer() },
});

const City = defineEntity({ name: 'City', cacheops: cached, properties: { id: id(), name: p.string() } });

/** An inheritance child of PostgreSQL. */
const Capital = defineEntity({
  name: 'Capital',
  cacheops: cached,
  properties: { id: id(), name: p.string(), state: p.string() },
});

const entities = [Stored, Parent, Child, Guest, Profile, Follower, Measure, Measure2024, City, Capital];

const DDL = `
  create table stored (id int primary key, code char(4), rounded numeric(4, 1), at timestamptz(0), folded text,
    computed text generated always as (lower(given)) stored, given text default 'Given', other int);
  create function fold() returns trigger language plpgsql as 'begin new.folded = lower(new.folded); return new; end';
  create trigger folding before insert or update on stored for each row execute function fold();
  create table parent (id int primary key, key int unique);
  create table child (id int primary key, name text, version int default 1, parent_id int not null references parent);
  create table guest (id int primary key, name text, parent_id int references parent);
  create table profile (id int primary key, name text, parent_id int unique references parent);
  create table follower (id int primary key, key int references parent (key) on update cascade on delete set null);
  create table measure (id int, year int, value int, primary key (id, year)) partition by range (year);
  create table measure_2023 partition of measure for values from (2023) to (2024);
  create table measure_2024 partition of measure for values from (2024) to (2025);
  create table city (id int primary key, name text);
  create table capital (state text, primary key (id)) inherits (city);
  create view big as select * from parent where key > 10;
  insert into stored (id, code, rounded, at, folded, given) values (1, 'a', 1, '2024-01-01Z', 'X', 'Y');
  insert into parent values (1, 11), (2, 22); insert into child values (1, 'a', 1, 1), (2, 'b', 1, 1), (3, 'c', 1, 2);
  insert into guest values (1, 'a', 1), (2, 'b', 1), (3, 'c', 2), (4, 'd', null);
  insert into profile values (1, 'one', 1), (2, 'two', 2); insert into follower values (1, 11), (2, 22), (3, null);
  insert into measure values (1, 2023, 10), (2, 2024, 20); insert into city values (1, 'Lyon');
  insert into capital values (2, 'Paris', 'France')`;

const stored =
  (where: object): Step =>
  em =>
    em.find(Stored, where);

const update =
  (values: object): Step =>
  async em => {
    em.assign(await em.findOneOrFail(Stored, 1), values as never);
    await em.flush();
  };

const PATHS: Record<string, Record<string, WritePath>> = {
  'What is stored is not what was sent:': {
    'a padded string': {
      write: update({ code: 'b' }),
      changes: [stored({ code: 'b   ' }), stored({ code: 'b' }), stored({ code: 'a' })],
      keeps: [stored({ code: 'c' })],
    },
    'a rounded number': {
      write: update({ rounded: '2.96' }),
      changes: [stored({ rounded: '3' }), stored({ rounded: '1.0' })],
      keeps: [stored({ rounded: '2.96' }), stored({ rounded: '2.9' })],
    },
    'a rounded time': {
      write: update({ at: new Date('2024-01-01T00:00:01.600Z') }),
      changes: [stored({ at: new Date('2024-01-01T00:00:02Z') }), stored({ at: new Date('2024-01-01') })],
      keeps: [stored({ at: new Date('2024-01-01T00:00:01.600Z') })],
    },
    'a value that a trigger changes': {
      write: update({ folded: 'ABC' }),
      changes: [stored({ folded: 'abc' }), stored({ folded: 'x' })],
      keeps: [stored({ folded: 'ABC' })],
    },
    'another column that a trigger changes': {
      write: async em => {
        await em.execute(`alter table stored disable trigger folding`);
        await em.execute(`update stored set folded = 'LOUD'`);
        await em.execute(`alter table stored enable trigger folding`);
        await stored({ folded: 'loud' })(em.fork());
        await stored({ folded: 'LOUD' })(em.fork());
        await update({ other: 5 })(em);
      },
      changes: [stored({ folded: 'loud' })],
    },
    'a generated column': {
      write: update({ given: 'ABC' }),
      changes: [stored({ computed: 'abc' }), stored({ computed: 'y' })],
      keeps: [stored({ computed: 'ABC' })],
    },
    'a default': {
      write: em => em.insert(Stored, { id: 2 } as never),
      changes: [stored({ given: 'Given' }), stored({ computed: 'given' })],
      keeps: [stored({ given: 'given' })],
    },
  },
  'Relations:': {
    'orphans are removed': {
      write: async em => {
        const parent = await em.findOneOrFail(Parent, 1, { populate: ['children'] });
        parent.children.remove(parent.children[0]!);
        await em.flush();
      },
      changes: [
        em => em.find(Child, { parent: 1 }),
        em => em.find(Child, { name: 'a' }),
        em => em.find(Parent, {}, { populate: ['children'] }),
      ],
      keeps: [em => em.find(Child, { parent: 2 }), em => em.find(Child, { name: 'b' })],
    },
    'a collection is set that was not loaded': {
      write: async em => {
        const parent = await em.findOneOrFail(Parent, 1);
        parent.guests.set([em.getReference(Guest, 4)]);
        await em.flush();
      },
      changes: [em => em.find(Guest, { parent: 1 }), em => em.find(Guest, { parent: null })],
      keeps: [em => em.find(Child, { parent: 1 })],
    },
    'a collection with orphan removal is set that was not loaded': {
      write: async em => {
        const parent = await em.findOneOrFail(Parent, 1);
        parent.children.set([em.create(Child, { id: 9, name: 'new', parent })]);
        await em.flush();
      },
      changes: [
        em => em.find(Child, { parent: 1 }),
        em => em.find(Child, { name: 'new' }),
        em => em.count(Child),
      ],
      keeps: [em => em.find(Guest, { parent: 1 })],
    },
    'a one-to-one relation is replaced': {
      write: async em => {
        const parent = await em.findOneOrFail(Parent, 1, { populate: ['profile'] });
        parent.profile = em.create(Profile, { id: 9, name: 'new' });
        await em.flush();
      },
      changes: [
        em => em.find(Profile, { name: 'one' }),
        em => em.find(Profile, { parent: 1 }),
        em => em.find(Parent, { profile: { name: 'new' } }),
      ],
      keeps: [em => em.find(Profile, { parent: 2 })],
    },
    'one-to-one relations are swapped': {
      write: async em => {
        const [one, two] = await em.find(Profile, {}, { orderBy: { id: 1 } });
        const [first, second] = [one!.parent, two!.parent];
        one!.parent = null;
        two!.parent = null;
        await em.flush();
        one!.parent = second;
        two!.parent = first;
        await em.flush();
      },
      changes: [em => em.find(Profile, { parent: 1 }), em => em.find(Profile, { name: 'one' })],
      keeps: [em => em.find(Child, {})],
    },
    'a key that foreign keys reference': {
      write: async em => {
        (await em.findOneOrFail(Parent, 1)).key = 12;
        await em.flush();
      },
      changes: [
        em => em.find(Follower, { key: 12 }),
        em => em.find(Follower, { key: 11 }),
        em => em.find(Parent, { key: 12 }),
      ],
      keeps: [em => em.find(Child, { parent: 1 }), em => em.find(Parent, { key: 22 })],
    },
    'a key that foreign keys reference, natively': {
      write: em => em.nativeUpdate(Parent, { id: 1 }, { key: 12 }),
      changes: [em => em.find(Follower, { key: 12 }), em => em.find(Follower, { key: 11 })],
      keeps: [em => em.find(Child, { parent: 1 })],
    },
    'a row whose removal sets references to NULL': {
      write: async em => {
        await em.nativeDelete(Profile, { parent: 2 });
        await em.nativeDelete(Child, { parent: 2 });
        await em.nativeDelete(Guest, { parent: 2 });
        await em.nativeDelete(Parent, { id: 2 });
      },
      changes: [em => em.find(Follower, { key: 22 }), em => em.find(Follower, { key: null })],
      keeps: [em => em.find(Stored, {})],
    },
  },
  'A row of several tables:': {
    'of a partitioned table': {
      write: async em => {
        (await em.findOneOrFail(Measure, { id: 2 })).value = 21;
        await em.flush();
      },
      changes: [
        em => em.find(Measure, { value: 20 }),
        em => em.find(Measure2024, {}),
        em => em.find(Measure2024, { value: 21 }),
      ],
      keeps: [em => em.find(Measure, { value: 30 })],
    },
    'that moves to another partition': {
      write: em => em.nativeUpdate(Measure, { id: 1 }, { year: 2024 }),
      changes: [em => em.find(Measure, { year: 2023 }), em => em.find(Measure2024, {})],
      keeps: [em => em.find(City, {})],
    },
    'of a partition': {
      write: em => em.nativeUpdate(Measure2024, { id: 2 }, { value: 21 }),
      changes: [
        em => em.find(Measure, {}),
        em => em.find(Measure, { value: 21 }),
        em => em.find(Measure2024, {}),
      ],
    },
    'that is inserted into a partition': {
      write: em => em.insert(Measure, { id: 3, year: 2024, value: 30 }),
      changes: [em => em.find(Measure, {}), em => em.count(Measure2024)],
    },
    'of an inheritance child': {
      write: async em => {
        (await em.findOneOrFail(Capital, 2)).name = 'Lutetia';
        await em.flush();
      },
      changes: [
        em => em.find(City, { name: 'Paris' }),
        em => em.find(City, { name: 'Lutetia' }),
        em => em.find(Capital, {}),
      ],
      keeps: [em => em.find(City, { name: 'Lyon' })],
    },
    'of an inheritance child, by its ancestor': {
      write: em => em.nativeUpdate(City, { name: 'Paris' }, { name: 'Lutetia' }),
      changes: [
        em => em.find(City, {}),
        em => em.find(Capital, {}),
        em => em.find(Capital, { name: 'Paris' }),
      ],
      keeps: [em => em.find(Parent, {})],
    },
    'that is deleted by its ancestor': {
      write: em => em.nativeDelete(City, { name: 'Paris' }),
      changes: [em => em.find(Capital, {}), em => em.count(City)],
    },
    'that is written through a view': {
      write: em => em.execute('update big set key = 13 where id = 1'),
      changes: [em => em.find(Parent, { key: 13 }), em => em.find(Follower, { key: 13 })],
    },
  },
};

describe('A write is noticed as the database has executed it.', () => {
  let started: Started;

  beforeEach(async () => {
    await (await emptyEmbedded()).exec(DDL);
    started = await join({ entities });
  });

  afterEach(() => started.orm.close());

  for (const [kind, paths] of Object.entries(PATHS)) {
    describe(kind, () => {
      for (const [what, path] of Object.entries(paths)) {
        it(what, () => expectNoticed(started, path));
      }
    });
  }
});
