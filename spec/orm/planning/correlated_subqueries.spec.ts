import { defineEntity, p, raw } from '@mikro-orm/core';
import { type Started, start } from '../support/start.js';
import { expectNoticed, type Step } from '../support/write_path.js';

const cacheops = { timeout: 60 } as const;

const Country = defineEntity({
  name: 'Country',
  cacheops,
  properties: { id: p.integer().primary(), size: p.integer() },
});

const Town = defineEntity({
  name: 'Town',
  cacheops,
  properties: { id: p.integer().primary(), country: () => p.manyToOne(Country).nullable() },
});

const House = defineEntity({
  name: 'House',
  cacheops,
  properties: { id: p.integer().primary(), town: () => p.manyToOne(Town).nullable() },
});

const Size = defineEntity({
  name: 'Size',
  cacheops,
  properties: { id: p.integer().primary() },
});

/** Houses with their towns and countries, of which a subquery asks for a column. */
const houses =
  (column: string): Step =>
  em =>
    em.find(
      House,
      { [raw(`exists (select 1 from "size" as "s9" where "s9"."id" = ${column})`)]: true } as never,
      { populate: ['town.country'], strategy: 'joined', orderBy: { id: 'asc' } },
    );

describe('a subquery about joined rows', () => {
  let started: Started;

  before(async () => {
    started = await start({ entities: [Country, Town, House, Size] });
    const em = started.orm.em.fork();
    await em.insertMany(Size, [{ id: 1 }]);
    await em.insertMany(Country, [
      { id: 1, size: 1 },
      { id: 2, size: 2 },
    ]);
    await em.insertMany(Town, [
      { id: 1, country: 1 },
      { id: 2, country: 2 },
    ]);
    await em.insertMany(House, [
      { id: 1, town: 1 },
      { id: 2, town: 2 },
    ]);
  });

  after(() => started.orm.close());

  it('a row outside of the result matters, because it may be joined to another one', () =>
    expectNoticed(started, {
      write: em => em.nativeUpdate(Town, 2, { country: 1 }),
      changes: [houses('"c2"."size"'), houses('"t1"."country_id"')],
    }));
});
