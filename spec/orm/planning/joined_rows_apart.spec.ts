import { defineEntity, p } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { type Cacheops, cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import type { TableChange, Writer } from '../../../lib/store/store.js';
import { freshDatabase } from '../../support/servers.js';
import { threeReads } from '../support/three_reads.js';

const Maker = defineEntity({
  name: 'Maker',
  cacheops: { timeout: 60 },
  properties: {
    id: p.integer().primary(),
    country: p.string(),
    things: () => p.oneToMany(Thing).mappedBy('maker'),
  },
});

const Thing = defineEntity({
  name: 'Thing',
  cacheops: { timeout: 60 },
  properties: {
    id: p.integer().primary(),
    kind: p.integer(),
    maker: () => p.manyToOne(Maker).nullable().index().updateRule('no action').deleteRule('no action'),
  },
});

/** A store that is told of one table after the other, as one with several servers is. */
class TableByTable extends MemoryStore {
  order: readonly string[] = [];
  told: ((table: string) => Promise<unknown>) | undefined;

  override async mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    const rank = ({ table }: TableChange) => this.order.findIndex(name => table.endsWith(`.${name}`));
    for (const change of [...changes].sort((a, b) => rank(a) - rank(b))) {
      await super.mark(writer, [change]);
      await this.told?.(change.table);
    }
  }
}

describe('a row and its joined row, whose deltas reach a store one after the other', () => {
  const store = new TableByTable();
  let orm: MikroORM;
  let cache: Cacheops;

  before(async () => {
    orm = await MikroORM.init({
      entities: [Thing, Maker],
      clientUrl: await freshDatabase(),
      extensions: [cacheops({ store })],
    });
    cache = getCacheops(orm);
    await orm.schema.create();
  });

  beforeEach(async () => {
    store.told = undefined;
    const em = orm.em.fork();
    await em.nativeDelete(Thing, {});
    await em.nativeDelete(Maker, {});
    await em.insertMany(Maker, [
      { id: 1, country: 'AT' },
      { id: 2, country: 'BE' },
      { id: 3, country: 'CH' },
      { id: 7, country: 'AT' },
    ]);
    await em.insertMany(Thing, [
      { id: 1, kind: 1, maker: 1 },
      { id: 2, kind: 1, maker: 2 },
      { id: 3, kind: 1, maker: 2 },
    ] as never);
    await cache.idle();
  });

  after(() => orm.close(true));

  const country = { $nin: ['BE', 'CH'] };
  const makers = async (things: object, options: object = {}) => {
    const found = await orm.em
      .fork()
      .find(Maker, { country, things } as never, { ...options, orderBy: { id: 1 } });
    return found.map(({ id }) => id);
  };
  const READS: Record<string, () => Promise<unknown>> = {
    ...threeReads(() => orm, Thing, { kind: 1, maker: { country } }),
    'counted from the other side': () =>
      orm.em.fork().count(Maker, { country, things: { $some: { kind: 1 } } } as never),
    'listed from the other side': () => makers({ kind: 1 }),
    'populated from the other side': () =>
      makers({ $some: { kind: 1 } }, { populate: ['things'], strategy: 'joined', limit: 9 }),
  };
  const WRITES: Record<string, readonly string[]> = {
    'another one with its key': [
      'delete from maker where id = 3',
      `insert into maker (id, country) values (3, 'AT')`,
      'update thing set maker_id = 3 where id = 3',
    ],
    'another one that gets its key': [
      'update maker set id = 8 where id = 3',
      'update maker set id = 3 where id = 7',
      'update thing set maker_id = 3 where id = 3',
    ],
    'two that change their keys': [
      'update maker set id = 8 where id = 3',
      'update maker set id = 3 where id = 7',
      'update maker set id = 7 where id = 8',
      'update thing set maker_id = 3 where id = 3',
    ],
    'one that begins to satisfy the condition': [
      `update maker set country = 'AT' where id = 3`,
      'update thing set maker_id = 3 where id = 3',
    ],
  };
  for (const [how, read] of Object.entries(READS)) {
    for (const [what, statements] of Object.entries(WRITES)) {
      for (const order of [
        ['maker', 'thing'],
        ['thing', 'maker'],
      ]) {
        it(`a read gives ${what} as it is, ${how}, if the delta of ${order[0]} comes first`, async () => {
          const look = async () => {
            const result = await read();
            await cache.idle();
            return result;
          };
          const before = await look();
          expect(await look()).to.deep.equal(before);
          store.order = order;
          store.told = () => look();
          await orm.em.fork().transactional(async em => {
            for (const sql of statements) {
              await em.execute(sql);
            }
          });
          store.told = undefined;
          const now = await cache.disabled(read);
          expect(now).not.to.deep.equal(before);
          expect(await look()).to.deep.equal(now);
        });
      }
    }
  }

  describe('a joined row that satisfied the condition is deleted, and another with its key does not', () => {
    const GO = ['update thing set maker_id = 2 where id = 1', 'delete from maker where id = 1'];
    const COME = [
      `insert into maker (id, country) values (1, 'BE')`,
      'update thing set maker_id = 1 where id = 1',
    ];
    for (const [how, read] of Object.entries(READS)) {
      for (const [what, transactions] of Object.entries({
        'one transaction': [[...GO, ...COME]],
        two: [GO, COME],
      })) {
        it(`a read gives the present rows, ${how}, after ${what}`, async () => {
          const look = async () => {
            const result = await read();
            await cache.idle();
            return result;
          };
          const before = await look();
          store.order = ['maker', 'thing'];
          store.told = async table => {
            if (table.endsWith('.maker')) {
              await look();
              store.told = undefined;
            }
          };
          for (const statements of transactions) {
            await orm.em.fork().transactional(async em => {
              for (const sql of statements) {
                await em.execute(sql);
              }
            });
          }
          const now = await cache.disabled(read);
          expect(now).not.to.deep.equal(before);
          expect(await look()).to.deep.equal(now);
        });
      }
    }
  });
});
