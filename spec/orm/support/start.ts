import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM, type Options } from '@mikro-orm/pglite';
import {
  type Cacheops,
  type CacheopsOptions,
  cacheops,
  getCacheops,
  MemoryStore,
} from '../../../lib/index.js';
import { embedded, emptyEmbedded } from './embedded.js';

export interface Started {
  readonly orm: MikroORM;
  readonly cache: Cacheops;
  readonly store: MemoryStore;
}

export interface StartOptions extends Omit<Options, 'extensions'> {
  cacheops?: CacheopsOptions;
}

/** An ORM with a cache in memory, on the embedded database as it is. */
export async function join({ cacheops: given = {}, ...options }: StartOptions): Promise<Started> {
  const store = (given.store as MemoryStore | undefined) ?? new MemoryStore();
  const orm = await MikroORM.init({
    ...COMMON,
    extensions: [cacheops({ store, ...given })],
    ...options,
  });
  return { orm, cache: getCacheops(orm), store };
}

/** The same on an embedded database that has the entities' tables, and no rows. */
export async function start(options: StartOptions): Promise<Started> {
  await emptyEmbedded();
  const started = await join(options);
  await started.orm.schema.create();
  return started;
}

/** An ORM without a cache, on the embedded database as it is. */
export async function joinUncached(options: Omit<StartOptions, 'cacheops'>): Promise<MikroORM> {
  return MikroORM.init({ ...COMMON, ...options });
}

const COMMON = { driverOptions: { pglite: embedded }, metadataProvider: ReflectMetadataProvider };
