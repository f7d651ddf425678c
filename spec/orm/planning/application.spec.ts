import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { type Cacheops, cacheops, getCacheops, type ReadEvent } from '../../../lib/index.js';
import { SEED } from '../../support/seed.js';
import { freshDatabase } from '../../support/servers.js';
import { type Query, queries } from './application/queries.js';
import { Article, entities } from './application/schema.js';
import { type Choose, fillTables, writes } from './application/writes.js';

/** Of results that a write does not change, the share that it may invalidate. */
const NEEDLESS = 0.12;

describe('queries of an application, with joins, filters, inheritance and pages', () => {
  const choose = chooserFrom(SEED);
  const reads: ReadEvent[] = [];
  let orm: MikroORM;
  let cache: Cacheops;

  before(async () => {
    orm = await MikroORM.init({
      entities,
      clientUrl: await freshDatabase('application'),
      extensions: [cacheops({ profiles: {} })],
    });
    cache = getCacheops(orm);
    await orm.schema.create();
    await fillTables(orm.em.fork(), choose);
    cache.events.on('read', event => reads.push(event));
  });

  after(() => orm.close(true));

  async function ask(query: Query): Promise<{ result: string; hit: boolean }> {
    reads.length = 0;
    const result = textOf(query, await query(orm.em.fork()));
    return { result, hit: reads.every(({ source }) => source === 'cache') };
  }

  for (const [name, [query, dependencies]] of Object.entries(queries)) {
    if (dependencies) {
      it(`the dependencies of ${name} are exact`, async () => {
        await ask(query);
        expect(reads.flatMap(event => event.dependencies)).to.have.members(dependencies);
      });
    }
  }

  it('a row that begins to pass the filter of a join appears in results that had none in its place', async () => {
    const staff = async () => {
      const [article] = await orm.em.fork().find(Article, { title: 'lonely' }, { populate: ['author'] });
      return article?.author?.id;
    };
    const become = (kind: string) =>
      orm.em.getConnection().execute('update "user" set kind = ? where id = 1', [kind]);
    await orm.em.fork().nativeUpdate(Article, 1, { title: 'lonely', author: 1 }, { filters: false });
    const seen: unknown[] = [];
    for (const kind of ['staff', 'customer', 'staff']) {
      await become(kind);
      seen.push(await staff());
      await cache.idle();
      seen.push(await staff());
    }

    expect(seen).to.deep.equal([1, 1, undefined, undefined, 1, 1]);
  });

  it('a condition of $none on a related row does not narrow the rows that have the collection', async () => {
    const count = () => orm.em.fork().count(Article, { comments: { $none: { article: 5 } }, title: 'quiet' });
    await count();
    await cache.idle();
    const before = await count();
    await orm.em.fork().nativeUpdate(Article, 6, { title: 'quiet' }, { filters: false });

    expect(await count()).to.equal(before + 1);
  });

  it('every answer is that of the database after any write, and most writes keep what they do not change', async () => {
    const stale: string[] = [];
    let unchanged = 0;
    let needless = 0;
    const last = new Map<string, string>();
    for (const [name, [query]] of Object.entries(queries)) {
      last.set(name, (await ask(query)).result);
      await cache.idle();
      await ask(query);
    }
    const kinds = Object.entries(writes);
    for (let i = 0; i < 3 * kinds.length; i++) {
      const [kind, write] = kinds[i % kinds.length]!;
      await write(orm.em.fork(), choose).catch(ignoreConstraints);
      for (const [name, [query]] of Object.entries(queries)) {
        const { result, hit } = await ask(query);
        const truth = textOf(query, await cache.disabled(() => query(orm.em.fork())));
        if (result !== truth) {
          stale.push(`${name} after ${kind}`);
        }
        if (truth === last.get(name)) {
          unchanged++;
          needless += Number(!hit);
        }
        last.set(name, truth);
        if (!hit) {
          await cache.idle();
          await ask(query);
        }
      }
    }
    expect(stale, `with SEED=${SEED}`).to.deep.equal([]);
    expect(needless / unchanged, `${needless} of ${unchanged}`).to.be.below(NEEDLESS);
  });
});

/** Without ORDER BY the order is not specified, and may change when PostgreSQL has gathered new statistics. */
function textOf(query: Query, result: unknown): string {
  const isOrdered = /orderBy|pageOf/.test(String(query));
  return JSON.stringify(result, (key, value) => (isOrdered && key === '' ? value : sorted(value)));
}

/** Lists within lists come first: a write that changes nothing may move a row. */
function sorted(value: unknown): unknown {
  return Array.isArray(value)
    ? value.map(item => JSON.stringify(item, (_, part) => sorted(part))).sort()
    : value;
}

/** A foreign key or a unique key may forbid the write. */
function ignoreConstraints(error: { code?: string }): void {
  if (!error.code?.startsWith('23')) {
    throw error;
  }
}

/** A generator of numbers that are always the same for a seed (Numerical Recipes, 2nd edition, section 7.1). */
function chooserFrom(seed: number): Choose {
  let state = seed >>> 0;
  return below => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}
