import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { cacheops, getCacheops } from '../../lib/index.js';
import { freshDatabase, redisUrl, stopServers } from '../../spec/support/servers.js';
import { measureFlush } from './flush.js';
import { makeQueries } from './queries.js';
import { Random } from './random.js';
import { report } from './report.js';
import { Brand, fillShop, Product, type Size } from './shop.js';
import { Subject, toAll } from './subject.js';
import { Tallies } from './tally.js';
import { Truth } from './truth.js';
import { makeWrites } from './writes.js';

/*
 * Measures the share of dropped results that have changed: after every write, every query runs on the database again
 * and is compared with its previous answer, and every cache is checked for whether it still has the result.
 */

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const seed = number('SEED', 1);
const size: Size = { products: number('ROWS', 3000), brands: 60, categories: 30 };

const url = await freshDatabase('precision');
const join = (options: Options = {}) =>
  MikroORM.init({ clientUrl: url, entities: [Product, Brand], ...options });
const subjects = (['table', 'equality', 'full'] as const).map(granularity => new Subject(granularity));
const opened: MikroORM[] = [];
try {
  const random = new Random(seed);
  const statements: string[] = [];
  const uncached = await join({
    pool: { min: 1, max: 1 },
    onQuery(sql, parameters) {
      statements.push(uncached.driver.getPlatform().formatQuery(sql, parameters));
      return sql;
    },
  });
  opened.push(uncached);
  await uncached.schema.create();
  await fillShop(uncached.em.fork(), random, size);

  const writer = await join({ extensions: [cacheops({ store: toAll(subjects.map(({ store }) => store)) })] });
  opened.push(writer);
  const queries = makeQueries(number('QUERIES', 2000), random, size);
  const writes = makeWrites(number('WRITES', 1000), number('BULK_WRITES', 50), random, size);
  const asked: string[] = [];
  for (const query of queries) {
    statements.length = 0;
    await query.ask(uncached.em.fork());
    asked.push(statements.join('; '));
  }
  const truth = await Truth.create(uncached, asked);
  for (const subject of subjects) {
    await subject.connect(extension => join({ extensions: [extension] }));
    for (const [i, query] of queries.entries()) {
      await subject.fill(query, i);
    }
  }

  const tallies = new Map(subjects.map(({ granularity }) => [granularity, new Tallies()]));
  let before = await truth.digests();
  for (const [n, write] of writes.entries()) {
    await write.run(writer.em.fork());
    await getCacheops(writer).idle();
    const after = await truth.digests();
    const isChanged = (i: number) => before[i] !== after[i];
    for (const subject of subjects) {
      // lists of keys share entries, so all are checked before any is stored again
      const dropped = new Set<number>();
      for (const [i, query] of queries.entries()) {
        if (!(await subject.serves(i))) {
          dropped.add(i);
        }
        tallies.get(subject.granularity)!.add(query.shape, dropped.has(i), isChanged(i));
        if (isChanged(i) && !dropped.has(i)) {
          console.error(`Stale with ${subject.granularity} after ${write.kind} ${n}: ${asked[i]}`);
        }
      }
      for (const [i, query] of queries.entries()) {
        if (isChanged(i)) {
          await subject.fill(query, i);
        }
      }
      for (const i of dropped) {
        if (!isChanged(i)) {
          await subject.restore(i);
        }
      }
    }
    before = after;
    if (process.stderr.isTTY) {
      process.stderr.write(`\r${n + 1} of ${writes.length} writes`);
    }
  }
  console.log(
    `${queries.length} queries, ${writes.length} writes, ${size.products} rows, seed ${seed}\n\n${report(tallies)}`,
  );
  console.log(`\n${await measureFlush(await redisUrl(), extension => join({ extensions: [extension] }))}`);
} finally {
  await Promise.all([...opened, ...subjects].map(each => each.close()));
  await stopServers();
}
