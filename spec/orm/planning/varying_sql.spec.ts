import { AsyncLocalStorage } from 'node:async_hooks';
import { defineEntity, p, Type } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { mayCapture } from '../../../lib/orm/context/unknown_code.js';
import { emptyEmbedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';

const tenant = new AsyncLocalStorage<number>();

class Added extends Type<number, number> {
  override convertToJSValueSQL(key: string): string {
    return `${key} + ${tenant.getStore() ?? 0}`;
  }

  override getColumnType(): string {
    return 'int';
  }
}

const cached = { ops: 'all', timeout: 60 } as const;
const Box = defineEntity({
  name: 'Box',
  tableName: 'box',
  cacheops: cached,
  properties: { id: p.integer().primary(), size: p.type(Added).$type<number>() },
});
const Crate = defineEntity({
  name: 'Crate',
  tableName: 'crate',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    size: p.integer().formula(({ id }) => `${id} + 9 + ${tenant.getStore() ?? 0}`),
  },
});
const Lid = defineEntity({
  name: 'Lid',
  tableName: 'lid',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    box: () => p.manyToOne(Box),
    next: p.integer().formula(columns => `${columns.id} + 1`),
  },
});

describe('code that makes other SQL for each request', () => {
  let started: Started;

  before(async () => {
    const database = await emptyEmbedded();
    await database.exec(`create table box (id int primary key, size int); insert into box values (1, 10), (2, 20);
      create table crate (id int primary key); insert into crate values (1), (2);
      create table lid (id int primary key, box_id int); insert into lid values (1, 1)`);
    started = await join({ entities: [Box, Crate, Lid] });
  });

  after(() => started.orm.close());

  const READS: Record<string, (em: MikroORM['em']) => Promise<number>> = {
    'a type, one row': async em => (await em.findOneOrFail(Box, 1)).size,
    'a type, a list of keys': async em =>
      (await em.find(Box, { id: { $in: [1, 2] } }, { orderBy: { id: 1 } }))[0]!.size,
    'a type, joined': async em =>
      (await em.findOneOrFail(Lid, 1, { populate: ['box'], strategy: 'joined' })).box.size,
    'a formula, one row': async em => (await em.findOneOrFail(Crate, 1)).size,
    'a formula, rows': async em => (await em.find(Crate, {}, { orderBy: { id: 1 } }))[0]!.size,
  };

  for (const [what, read] of Object.entries(READS)) {
    it(`requests share no results: ${what}`, async () => {
      const { orm, cache } = started;
      for (const round of ['filled', 'cached']) {
        for (const number of [1, 2]) {
          const sources = await tenant.run(number, () =>
            sourcesOf(cache, async () => {
              expect(await read(orm.em.fork()), `${number}, ${round}`).to.equal(10 + number);
            }),
          );
          expect(sources).to.include(round === 'cached' ? 'cache' : 'miss');
        }
      }
    });
  }

  const CLOSED: readonly ((...args: any[]) => unknown)[] = [
    text => text,
    Number,
    (text: string) => Number(text) + 1,
    ({ id, ...rest }) => `${id} + ${rest.at}`,
    (columns, table) => `(select "${columns.id}" from ${table} where a = 'factor')`,
    function named(text: string) {
      const number = parseFloat(text); // its value
      return number > 1 ? new Date(number) : null;
    },
  ];
  const OPEN: readonly ((...args: any[]) => unknown)[] = [
    text => `${text} ${tenant.getStore()}`,
    text => Number(text) * cached.timeout,
    text => ({ tenant, text }),
    text => `${text} ${`${tenant}`}`,
    text => /'/.test(text) || tenant || "'",
    text => Reflect.get(globalThis, text),
    Added.prototype.convertToJSValueSQL,
    JSON.stringify.bind(JSON),
    function (this: unknown) {
      return this;
    },
  ];

  it('code that uses only its parameters shares results between requests', () => {
    expect(CLOSED.filter(mayCapture).map(String)).to.deep.equal([]);
    expect(OPEN.filter(code => !mayCapture(code)).map(String)).to.deep.equal([]);
  });
});
