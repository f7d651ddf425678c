import { defineEntity, p } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { embedded, emptyEmbedded } from '../support/embedded.js';
import { join, type Started } from '../support/start.js';

const cached = { timeout: 60 };
const Seat = defineEntity({
  name: 'Seat',
  cacheops: cached,
  properties: { id: p.integer().primary(), status: p.string(), title: p.string() },
});
const Desk = defineEntity({
  name: 'Desk',
  cacheops: cached,
  properties: { id: p.integer().primary(), status: p.string(), title: p.string() },
});
const DDL = `create table seat (id int primary key deferrable initially deferred, status text, title text);
create table desk (id int primary key, status text, title text)`;
const DATA = `truncate seat, desk; insert into seat values (1, 'published', 'a'), (2, 'draft', 'b');
 insert into desk values (2, 'draft', 'b'), (1, 'published', 'a')`;
// `old` in the text: RETURNING is not used for old rows, as below PostgreSQL 18
type Step = (em: EntityManager) => Promise<unknown>;
const swap: Step = em => em.execute(`update seat set id = 3 - id /* old */`);
const shift: Step = em => em.execute(`update desk set id = id + 1 /* old */`);
const CASES: Record<string, [Step, Step]> = {
  'swap by id': [em => em.find(Seat, { id: 1 }), swap],
  'swap by status': [em => em.find(Seat, { status: 'draft' }), swap],
  'swap fields': [em => em.find(Seat, { status: 'draft' }, { fields: ['title'] }), swap],
  'shift by id': [em => em.find(Desk, { id: 2 }), shift],
  'shift by status': [em => em.find(Desk, { status: 'published' }), shift],
  'shift fields': [em => em.find(Desk, { status: 'published' }, { fields: ['title'] }), shift],
  'shift range': [em => em.count(Desk, { id: { $gt: 1 } }), shift],
};
describe('A statement that exchanges keys of rows is noticed:', () => {
  let db: Started;
  before(async () => {
    await emptyEmbedded();
    await (await embedded()).exec(DDL);
    db = await join({ entities: [Seat, Desk] });
  });
  after(() => db.orm.close());
  for (const [what, [read, write]] of Object.entries(CASES)) {
    it(what, async () => {
      await (await embedded()).exec(DATA);
      await db.cache.invalidateAll();
      const answer = async () => JSON.stringify(await read(db.orm.em.fork() as EntityManager));
      // readers of the keys, so that old rows are read
      await (db.orm.em.fork() as EntityManager).find(Seat, { id: 9 });
      await (db.orm.em.fork() as EntityManager).find(Desk, { id: 9 });
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
