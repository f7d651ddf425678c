import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { type Granularity, withGranularity } from '../../../lib/config/granularity.js';
import { cacheops, getCacheops, MemoryStore, type ReadEvent } from '../../../lib/index.js';
import { entities } from '../../../spec/orm/planning/application/schema.js';
import { freshDatabase, stopServers } from '../../../spec/support/servers.js';
import { Random } from '../random.js';
import { mostFrequent, report } from '../report.js';
import { toAll } from '../subject.js';
import { Tallies } from '../tally.js';
import { Chooser, fillApplication } from './data.js';
import { makeApplicationQueries } from './shapes.js';
import { makeApplicationWrites } from './writes.js';

/*
 * An application with tenants, articles, comments and orders: after every write every query is asked again, in every
 * cache and without one.
 */

const number = (name: string, otherwise: number) => Number(process.env[name] ?? otherwise);
const seed = number('SEED', 1);
const granularities = (process.env.GRANULARITIES?.split(',') ?? [
  'table',
  'equality',
  'full',
]) as Granularity[];

interface Subject {
  readonly store: MemoryStore;
  readonly orm: MikroORM;
  readonly reads: ReadEvent[];
  readonly byShape: Tallies;
  readonly byWrite: Tallies;
  /** of needless drops: the write, the shape and the reason */
  readonly needless: string[];
}

const url = await freshDatabase('application_precision');
const open = (options: Options = {}) => MikroORM.init({ clientUrl: url, entities, ...options });
const opened: MikroORM[] = [];
const stores: MemoryStore[] = [];
let stale = 0;
try {
  const random = new Random(seed);
  const uncached = await open();
  opened.push(uncached);
  await uncached.schema.create();
  await fillApplication(uncached.em.fork(), random);
  const queries = makeApplicationQueries(number('QUERIES', 400), new Chooser(random));
  const writes = makeApplicationWrites(number('WRITES', 100), new Chooser(random));

  const subjects: Subject[] = [];
  for (const granularity of granularities) {
    const store = new MemoryStore({ maxSize: 2 ** 30 });
    stores.push(store);
    const orm = await open({
      extensions: [cacheops(withGranularity({ profiles: {}, store }, granularity))],
    });
    opened.push(orm);
    const reads: ReadEvent[] = [];
    getCacheops(orm).events.on('read', event => reads.push(event));
    subjects.push({ store, orm, reads, byShape: new Tallies(), byWrite: new Tallies(), needless: [] });
  }
  const writer = await open({ extensions: [cacheops({ profiles: {}, store: toAll(stores) })] });
  opened.push(writer);

  const textOf = async (orm: MikroORM, i: number) =>
    JSON.stringify(await queries[i]!.ask(orm.em.fork()), sortCollections);
  const before: string[] = [];
  for (const [i] of queries.entries()) {
    before.push(await textOf(uncached, i));
    for (const { orm } of subjects) {
      await textOf(orm, i);
    }
  }
  for (const [n, write] of writes.entries()) {
    await write.run(writer.em.fork());
    await getCacheops(writer).idle();
    await Promise.all(subjects.map(({ orm }) => getCacheops(orm).idle()));
    for (const [i, { shape }] of queries.entries()) {
      const now = await textOf(uncached, i);
      const changed = now !== before[i];
      for (const { orm, reads, byShape, byWrite, needless } of subjects) {
        reads.length = 0;
        const answer = await textOf(orm, i);
        const missed = reads.filter(({ source }) => source !== 'cache');
        byShape.add(shape, missed.length > 0, changed);
        byWrite.add(write.kind, missed.length > 0, changed);
        if (answer !== now) {
          stale++;
          console.error(`Stale: ${shape} after ${write.kind} ${n}`);
        }
        if (missed.length > 0 && !changed) {
          const why = missed.map(({ reason, dependencies }) => `${reason} [${dependencies?.join('; ')}]`);
          needless.push([write.kind, shape, process.env.WHY ? why.join(' / ') : ''].join(' | '));
        }
      }
      before[i] = now;
    }
    if (process.stderr.isTTY) {
      process.stderr.write(`\r${n + 1} of ${writes.length} writes`);
    }
  }
  const tablesOf = (of: 'byShape' | 'byWrite') =>
    report(new Map(subjects.map((subject, i) => [granularities[i]!, subject[of]])));
  console.log(
    [
      `${queries.length} queries, ${writes.length} writes, seed ${seed}: ${stale} stale answers`,
      tablesOf('byShape'),
      tablesOf('byWrite'),
      `Needless drops of \`${granularities.at(-1)}\`:\n${mostFrequent(subjects.at(-1)!.needless, number('CAUSES', 40))}`,
    ].join('\n\n'),
  );
} finally {
  await Promise.all(opened.map(orm => orm.close(true)));
  await stopServers();
}
if (stale > 0) {
  process.exitCode = 1;
}

/** The order of rows in a collection is not specified. */
function sortCollections(key: string, value: unknown): unknown {
  return key !== '' && Array.isArray(value) ? value.map(item => JSON.stringify(item)).sort() : value;
}
