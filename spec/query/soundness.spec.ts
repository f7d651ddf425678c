import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import fc from 'fast-check';
import { loadCatalog } from '../../lib/orm/catalog/catalog.js';
import type { Catalog } from '../../lib/orm/catalog/table.js';
import type { Scheme } from '../../lib/values/scheme.js';
import { freshDatabase } from '../support/servers.js';
import { Asked, Asker } from './soundness/asked.js';
import { type Following, WatchedDatabase } from './soundness/database.js';
import { question } from './soundness/questions.js';
import { CREATE_SHOP, entities } from './soundness/shop.js';
import { inserts, write } from './soundness/writes.js';

const following = fc.constantFrom<Following>('compared', 'traced', 'traced without old rows');

const REFUSED = 'refused';

const RUNS = Number(process.env.SOUNDNESS_RUNS ?? 20);

describe('row deltas that do not matter', () => {
  const sent: string[] = [];
  let orm: MikroORM;
  let catalog: Catalog;
  let database: WatchedDatabase;
  let asker: Asker;

  before(async () => {
    orm = await MikroORM.init({
      entities,
      clientUrl: await freshDatabase('soundness'),
      pool: { min: 1, max: 1 },
      onQuery(sql, parameters) {
        sent.push(orm.driver.getPlatform().formatQuery(sql, parameters));
        return sql;
      },
    });
    await orm.em.getConnection().execute(CREATE_SHOP);
    catalog = await loadCatalog(sql => orm.em.getConnection().execute(sql), 'here');
    database = new WatchedDatabase(orm, catalog);
    asker = new Asker(orm, catalog, sent);
  });

  after(() => orm.close());

  it('a write whose row deltas do not matter leaves every result unchanged: lists, counts, pages, joined rows', async () => {
    const counts = { passed: 0, mattered: 0, changed: 0 };
    await fc.assert(
      fc.asyncProperty(
        inserts,
        fc.array(question, { minLength: 30, maxLength: 30 }),
        fc.array(fc.tuple(fc.array(write, { minLength: 1, maxLength: 2 }), following), {
          minLength: 12,
          maxLength: 12,
        }),
        async (rows, questions, transactions) => {
          await database.fill(rows);
          const entries = await answered(questions);
          await database.watch(schemesOf(entries.map(({ asked }) => asked)));
          for (const [statements, how] of transactions) {
            const changes = (await database.write(statements, how)) ?? [];
            for (const entry of changes.length > 0 ? [...entries] : []) {
              const now = await resultOf(entry.asked);
              const matters = entry.asked.isChangedBy(changes);
              if (!matters && now === REFUSED) {
                continue; // the database may cast a text even if another condition fails
              }
              if (!matters) {
                expect(
                  now,
                  `${JSON.stringify(entry.asked.question)}\n${entry.asked.sql}\n${how}: ${statements.join('; ')}`,
                ).to.equal(entry.result);
                counts.passed++;
              } else {
                counts.mattered++;
                if (now !== entry.result) {
                  counts.changed++;
                  entry.result = now;
                  const call = await asker.call(entry.asked.question);
                  if (call) {
                    entry.asked.learn(call);
                  } else {
                    entries.splice(entries.indexOf(entry), 1); // a rejected query is not cached
                  }
                }
              }
            }
          }
        },
      ),
      { numRuns: RUNS },
    );
    expect(counts.passed, JSON.stringify(counts)).to.be.above(500);
    expect(counts.changed / counts.mattered, JSON.stringify(counts)).to.be.above(0.1);
  }).timeout(3_600_000);

  async function answered(
    questions: Parameters<Asker['call']>[0][],
  ): Promise<{ asked: Asked; result: string }[]> {
    const entries: { asked: Asked; result: string }[] = [];
    for (const each of questions) {
      const call = await asker.call(each);
      if (call) {
        const asked = new Asked(each, call, catalog, 'full');
        entries.push({ asked, result: await resultOf(asked) });
      }
    }
    return entries;
  }

  function schemesOf(asked: readonly Asked[]): ReadonlyMap<string, readonly Scheme[]> {
    const tables = Map.groupBy(
      asked.flatMap(({ tables }) => tables),
      ({ table }) => table,
    );
    return new Map(
      [...tables].map(([table, all]) => [
        table,
        all.flatMap(({ dependencies }) => dependencies.map(({ scheme }) => scheme)),
      ]),
    );
  }

  /** The rows of a result, in order if the order is unique. */
  async function resultOf({ sql, question: { options } }: Asked): Promise<string> {
    // only numbers can be cast to a number
    const answer = await database.execute(sql).catch(() => undefined);
    if (!answer) {
      return REFUSED;
    }
    const rows = answer.map(row => JSON.stringify(row));
    return (options.limit && !options.populate ? rows : rows.sort()).join('\n');
  }
});
