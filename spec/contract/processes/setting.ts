import { getCacheops } from '../../../lib/index.js';
import { freshDatabase, redisUrl } from '../../support/servers.js';
import { until } from '../../support/until.js';
import { Child } from './child.js';
import { openOrm, type Place, sourced } from './open.js';
import { type Article, createTables, entities, storedVersions } from './schema.js';
import { tasks } from './tasks.js';

/** A database and a Redis, this process' own view of them, and other processes. */
export interface Setting extends AsyncDisposable {
  /** How to get to all of this, for others. */
  readonly place: Place;
  /** Starts another process, which may get there by another way. */
  child(way?: Partial<Place>): Promise<Child>;
  /** Does in this process what children do. */
  do<T>(task: string, ...args: readonly unknown[]): Promise<T>;
  /** Does in this process, past the cache, what children do. */
  doUncached<T>(task: string, ...args: readonly unknown[]): Promise<T>;
  /** Loses everything that is kept in the store. */
  clear(): Promise<void>;
  /** What the database says. */
  storedVersions(ids: readonly number[]): Promise<Map<number, number>>;
}

/**
 * @param rows of every table
 * @param given what is not as usual
 * @param options.filler characters of which every title has so many
 */
export async function prepare(
  rows: number,
  given: Partial<Place> = {},
  { filler = 0 } = {},
): Promise<Setting> {
  const place: Place = {
    database: await freshDatabase('processes'),
    redis: given.redis ?? (await redisUrl()),
    prefix: `spec:${crypto.randomUUID()}:`,
    ...given,
  };
  await createTables(place.database, rows, filler);
  const opened = await openOrm(place);
  const { orm, store } = opened;
  const em = () => orm.em.fork();
  // a new registry is in quarantine at first
  for (const entity of entities) {
    await until(async () => (await sourced(() => em().find(entity as typeof Article, { id: 0 }))).hit);
  }

  const children: Child[] = [];
  return {
    place,
    async child(way = {}) {
      const child = await Child.start({ ...place, ...way });
      children.push(child);
      return child;
    },
    do: (task, ...args) => tasks[task]!(em(), ...args) as never,
    doUncached: (task, ...args) => getCacheops(orm).disabled(() => tasks[task]!(em(), ...args)) as never,
    clear: () => store.clear(),
    storedVersions: ids => storedVersions(em(), ids),
    async [Symbol.asyncDispose]() {
      await Promise.all(children.map(child => child[Symbol.asyncDispose]()));
      // it may still have to find back to a server that was restarted
      await until(() =>
        store.clear().then(
          () => true,
          () => false,
        ),
      );
      await opened[Symbol.asyncDispose]();
    },
  };
}
