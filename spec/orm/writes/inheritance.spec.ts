import { defineEntity, p } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { embedded, emptyEmbedded } from '../support/embedded.js';
import { join, type Started } from '../support/start.js';

const cached = { timeout: 60 };
const Measure = defineEntity({
  name: 'Measure',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    year: p.integer().primary(),
    value: p.integer(),
    seen: p.integer(),
    doubled: p.integer().generated('(value) stored').nullable(),
  },
});
const Note = defineEntity({
  name: 'Note',
  cacheops: cached,
  properties: { id: p.integer().primary(), mid: p.integer(), myear: p.integer() },
});
const Log = defineEntity({ name: 'Log', cacheops: cached, properties: { id: p.integer().primary() } });
const City = defineEntity({
  name: 'City',
  cacheops: cached,
  properties: { id: p.integer().primary(), name: p.string(), size: p.integer() },
});
const Capital = defineEntity({
  name: 'Capital',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    size: p.integer(),
    owner: p.integer().nullable(),
  },
});
const Owner = defineEntity({ name: 'Owner', cacheops: cached, properties: { id: p.integer().primary() } });
const Visit = defineEntity({
  name: 'Visit',
  cacheops: cached,
  properties: { id: p.integer().primary(), note: p.string(), city: () => p.manyToOne(City) },
});

const DDL = `
 create table log (id serial primary key);
 create table measure (id int, year int, value int, seen int default 0, doubled int generated always as (value * 2) stored, primary key (id, year)) partition by range (year);
 create table measure_2023 partition of measure for values from (2023) to (2024);
 create table measure_2024 partition of measure for values from (2024) to (2025);
 create table note (id int primary key, mid int, myear int, foreign key (mid, myear) references measure_2023 (id, year) on delete cascade on update cascade);
 create function bump() returns trigger language plpgsql as 'begin new.seen = new.seen + 1; return new; end';
 create trigger bump before update on measure_2023 for each row execute function bump();
 create function logged() returns trigger language plpgsql as 'begin insert into log default values; return new; end';
 create trigger logged after update on measure_2023 for each row execute function logged();
 create table owner (id int primary key);
 create table city (id int primary key, name text, size int default 0);
 create table capital (owner int references owner on delete cascade, primary key (id)) inherits (city);
 create table visit (id int primary key, note text, city_id int references city);
 insert into measure values (1, 2023, 10), (2, 2024, 20); insert into note values (1, 1, 2023);
 insert into owner values (1);
 insert into city values (1, 'Lyon'); insert into capital values (2, 'Paris', 0, 1);
 insert into city values (3, 'Lyon'); insert into capital values (3, 'Nice'); insert into visit values (1, 'x', 1)`;

type Step = (em: EntityManager) => Promise<unknown>;
const CASES: Record<string, [Step, Step]> = {
  'a trigger of a partition rewrites': [
    em => em.find(Measure, { seen: 0 }),
    em => em.nativeUpdate(Measure, { id: 1 }, { value: 11 }),
  ],
  'a trigger of a partition rewrites what is read': [
    em => em.find(Measure, {}, { fields: ['seen'] }),
    em => em.nativeUpdate(Measure, { id: 1 }, { value: 11 }),
  ],
  'a trigger of a partition writes': [
    em => em.count(Log, {}),
    em => em.nativeUpdate(Measure, { id: 1 }, { value: 11 }),
  ],
  'a foreign key to a partition cascades': [
    em => em.find(Note, {}),
    em => em.nativeDelete(Measure, { id: 1 }),
  ],
  'a foreign key to a partition cascades on update': [
    em => em.find(Note, {}),
    em => em.nativeUpdate(Measure, { id: 1 }, { id: 7 } as never),
  ],
  'a cascade deletes rows of an inheritance child': [
    em => em.find(City, { id: 2 }),
    em => em.nativeDelete(Owner, { id: 1 }),
  ],
  'an inheritance child gets a row with a referenced key': [
    em => em.count(Visit, { city: { name: { $like: 'Twi%' } } }),
    em => em.insert(Capital, { id: 1, name: 'Twin', size: 3 } as never),
  ],
  'rows with one key in a table and its inheritance child': [
    em => em.find(City, { name: 'Lyon' }),
    em => em.execute(`update city set name = 'X' where id = 3 /* old */`),
  ],
  'moves between partitions': [
    em => em.find(Measure, { year: 2023 }),
    em => em.nativeUpdate(Measure, { id: 2 }, { year: 2023 } as never),
  ],
};

describe('Changes of partitions and inheritance children are noticed:', () => {
  let db: Started;
  before(async () => {
    await emptyEmbedded();
    await (await embedded()).exec(DDL);
    db = await join({ entities: [Measure, Note, Log, City, Capital, Owner, Visit] });
  });
  after(() => db.orm.close());
  for (const [what, [read, write]] of Object.entries(CASES)) {
    it(what, async () => {
      const pg = await embedded();
      await pg.exec(
        `set session_replication_role = replica; truncate measure, note, log, city, capital, owner, visit; set session_replication_role = origin;` +
          DDL.slice(DDL.indexOf('insert into measure')),
      );
      await db.cache.invalidateAll();
      const answer = async () => {
        const em = db.orm.em.fork() as EntityManager;
        const r = await read(em);
        return JSON.stringify(r);
      };
      await answer();
      await db.cache.idle();
      const before = await answer();
      await write(db.orm.em.fork() as EntityManager);
      const truth = await db.cache.disabled(answer);
      expect(truth, 'what the write was to change').not.to.equal(before);
      expect(await answer()).to.equal(truth);
    });
  }
});
