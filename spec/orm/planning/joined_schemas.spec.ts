import { defineEntity, p } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { type Started, start } from '../support/start.js';
import { expectNoticed, type Step } from '../support/write_path.js';

const cacheops = { timeout: 60 } as const;

const Town = defineEntity({
  name: 'Town',
  cacheops,
  properties: { id: p.integer().primary(), name: p.string() },
});
const House = defineEntity({
  name: 'House',
  cacheops,
  properties: { id: p.integer().primary(), town: () => p.manyToOne(Town) },
});

/** Houses, with the names of their towns, in a town that had some name in another schema. */
const houses: Step = em =>
  (em as unknown as SqlEntityManager)
    .createQueryBuilder(House, 'h')
    .select(['h.id', 't.name'] as never)
    .leftJoin('h.town', 'f', {}, 'former')
    .leftJoin('h.town', 't')
    .where({ 'f.name': 'x' } as never)
    .execute();

describe('a relation that is joined in two schemas', () => {
  let started: Started;

  before(async () => {
    started = await start({ entities: [Town, House] });
    const em = started.orm.em.fork();
    await em.execute('create schema former');
    await em.execute('create table former.town (id int primary key, name text)');
    await em.execute(`insert into former.town values (1, 'x')`);
    await em.insert(Town, { id: 1, name: 'now' });
    await em.insert(House, { id: 1, town: 1 });
  });

  after(async () => {
    await started.orm.em.fork().execute('drop schema former cascade');
    await started.orm.close();
  });

  it('a condition on one of its tables does not narrow the other', () =>
    expectNoticed(started, {
      write: em => em.nativeUpdate(Town, { id: 1 }, { name: 'later' }),
      changes: [houses],
    }));
});
