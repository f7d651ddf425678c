import { defineEntity, p } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { cacheops, MemoryStore } from '../../../lib/index.js';
import { collectGarbage } from '../../support/garbage.js';
import { freshDatabase } from '../../support/servers.js';

const Item = defineEntity({
  name: 'Item',
  cacheops: { ops: 'all', timeout: 60 },
  properties: { id: p.integer().primary(), name: p.string() },
});

const QUERIES = 30;
/** The last results may still be in use. */
const IN_USE = 3;

describe('A connection does not keep', () => {
  let orm: MikroORM;

  before(async () => {
    orm = await MikroORM.init({
      clientUrl: await freshDatabase('connection_memory'),
      entities: [Item],
      pool: { max: 1 },
      extensions: [cacheops({ store: new MemoryStore() })],
    });
    await orm.schema.create();
  });

  after(() => orm?.close());

  const statements: Record<string, (n: number) => Promise<object>> = {
    'the results of reads': n => orm.em.fork().execute('select ? as n', [n]),
    'the results of cached reads': n => orm.em.fork().find(Item, { id: n }),
    'the results of writes': n =>
      orm.em.fork().execute('insert into item (id, name) values (?, ?) returning *', [n, `name ${n}`]),
    'the entities of a flush': async n => {
      const em = orm.em.fork();
      const item = em.create(Item, { id: 1000 + n, name: 'new' });
      await em.flush();
      return item;
    },
    'the errors of statements that fail': n =>
      orm.em
        .fork()
        .execute('select ? / 0', [n])
        .then(
          () => {
            throw new Error('it did not fail');
          },
          error => error,
        ),
  };
  for (const [what, execute] of Object.entries(statements)) {
    it(what, async () => {
      const results: WeakRef<object>[] = [];
      for (let n = 0; n < QUERIES; n++) {
        results.push(new WeakRef(await execute(n)));
      }
      await orm.em.fork().execute('select 1');
      collectGarbage();
      expect(results.filter(result => result.deref()).length).to.be.at.most(IN_USE);
    });
  }
});
