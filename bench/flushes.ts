import type { MikroORM } from '@mikro-orm/postgresql';
import { getCacheops } from '../lib/index.js';
import type { EntryAddress } from '../lib/store/store.js';
import { Article, PER_AUTHOR } from './article.js';
import { MultiplyingStore } from './dependents.js';
import { cached, connect, type Places, STORE_TIMEOUT } from './subjects.js';
import { shuffled, Timings, time } from './timings.js';

export interface Flushes {
  readonly plain: Timings;
  readonly dependents: readonly { readonly count: number; readonly timings: Timings }[];
  /** of a column that queries compare, so that its old value must be read */
  readonly compared: Timings;
}

interface Contender {
  readonly timings: Timings;
  readonly orm: MikroORM;
  readonly dependents: number;
  readonly change: (article: { title: string; author: number }) => void;
}

const ROUNDS = 60;
const WARM_UP = 10;
const DEPENDENTS = [0, 100, 10_000];
/** Rows that no other measurement reads. */
const FIRST_ROW = 6000 * PER_AUTHOR;

/** @param plain without the extension */
export async function measureFlushes(plain: MikroORM, places: Places): Promise<Flushes> {
  const store = new MultiplyingStore(places.redisUrl, {
    prefix: `${places.prefix}cacheops:`,
    commandTimeout: STORE_TIMEOUT,
  });
  const orm = await connect(places, cached({ store }));
  const contenders = contendersFor(plain, orm);
  let row = FIRST_ROW;
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    // all of this before any flush, so that no flush comes right after it
    const prepared = [];
    for (const contender of contenders) {
      prepared.push({ contender, id: ++row, entries: await fill(orm, store, row, contender.dependents) });
    }
    for (const { contender, id, entries } of shuffled(prepared)) {
      contender.timings.rounds.push([await flush(contender, id)]);
      await getCacheops(orm).idle();
      await expectAll(store, entries, false);
    }
  }
  await orm.close();
  await store.close();
  for (const { timings } of contenders) {
    timings.rounds.splice(0, WARM_UP);
  }
  const [first, compared, ...others] = contenders;
  return {
    plain: first!.timings,
    compared: compared!.timings,
    dependents: others.map(({ dependents, timings }) => ({ count: dependents, timings })),
  };
}

function contendersFor(plain: MikroORM, orm: MikroORM): Contender[] {
  const change: Contender['change'] = article => {
    article.title += '!';
  };
  const changeCompared: Contender['change'] = article => {
    article.author++;
  };
  return [
    { timings: new Timings(), orm: plain, dependents: 0, change },
    { timings: new Timings(), orm, dependents: 0, change: changeCompared },
    ...DEPENDENTS.map(dependents => ({ timings: new Timings(), orm, dependents, change })),
  ];
}

/** Caches this many results that depend on a row. */
async function fill(
  orm: MikroORM,
  store: MultiplyingStore,
  id: number,
  dependents: number,
): Promise<EntryAddress[]> {
  if (dependents === 0) {
    return [];
  }
  await orm.em.fork().findOne(Article, { id });
  await getCacheops(orm).idle();
  const entries = await store.multiply(dependents);
  await expectAll(store, entries, true);
  return entries;
}

async function flush({ orm, change }: Contender, id: number): Promise<number> {
  const em = orm.em.fork();
  change(await em.findOneOrFail(Article, { id }, { cacheops: false }));
  return time(() => em.flush());
}

/** @throws Error unless the first and the last of these are cached */
async function expectAll(
  store: MultiplyingStore,
  entries: readonly EntryAddress[],
  valid: boolean,
): Promise<void> {
  for (const entry of [entries[0], entries.at(-1)]) {
    if (entry && ((await store.read(entry)) !== undefined) !== valid) {
      throw new Error(`A result that depends on a row is ${valid ? 'not cached' : 'still cached'}.`);
    }
  }
}
