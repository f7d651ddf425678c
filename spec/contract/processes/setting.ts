import { getCacheops } from '../../../lib/index.js';
import { freshDatabase, redisUrl } from '../../support/servers.js';
import { until } from '../../support/until.js';
import { Child } from './child.js';
import { openOrm, type Place, sourced } from './open.js';
import { type Article, createTables, entities, storedVersions } from './schema.js';
import { tasks } from './tasks.js';

/** A database and a Redis, an ORM of this process, and child processes. */
export interface Setting extends AsyncDisposable {
  /** The connection settings for child processes. */
  readonly place: Place;
  /** Starts another process, which may use other connection settings. */
  child(way?: Partial<Place>): Promise<Child>;
  /** Runs a child's task in this process. */
  do<T>(task: string, ...args: readonly unknown[]): Promise<T>;
  /** Runs a child's task in this process, without the cache. */
  doUncached<T>(task: string, ...args: readonly unknown[]): Promise<T>;
  /** Deletes everything in the store. */
  clear(): Promise<void>;
  /** The versions in the database. */
  storedVersions(ids: readonly number[]): Promise<Map<number, number>>;
}

/**
 * @param rows number of rows in every table
 * @param given settings that differ from the defaults
 * @param options.filler length of every title
 * @param options.unlogged name of an entity whose table a crash of the database empties, which is therefore not cached
 */
export async function prepare(
  rows: number,
  given: Partial<Place> = {},
  { filler = 0, unlogged }: { filler?: number; unlogged?: string } = {},
): Promise<Setting> {
  const place: Place = {
    database: given.database ?? (await freshDatabase('processes')),
    redis: given.redis ?? (await redisUrl()),
    prefix: `spec:${crypto.randomUUID()}:`,
    ...given,
  };
  await createTables(place.database, rows, filler, unlogged);
  const opened = await openOrm(place);
  const { orm, store } = opened;
  const em = () => orm.em.fork();
  // a new registry begins in quarantine
  for (const entity of entities.filter(({ meta }) => meta.className !== unlogged)) {
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
      // the client may still have to reconnect to a restarted server
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
