import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import type { Extension } from '../../../lib/index.js';
import { BORDER_COLLATIONS, BORDER_TYPES } from './borders.js';
import { newRealm } from './realm.js';
import { SHAPE_TRIGGERS } from './shapes.js';
import { CREATE_ALLOTMENT, VERSIONS, type Version } from './versions.js';

/** Makes the tables, and settings of the database that hold for who connects from now on. */
export async function prepare(clientUrl: string): Promise<void> {
  const orm = await initialise(clientUrl, VERSIONS[0]!);
  await orm.em.execute(BORDER_TYPES);
  await orm.schema.create();
  await orm.em.execute(BORDER_COLLATIONS);
  await orm.em.execute(CREATE_ALLOTMENT);
  await orm.em.execute(SHAPE_TRIGGERS);
  await orm.em.execute(CONFIGURE);
  await orm.close();
}

export async function initialise(
  clientUrl: string,
  version: Version,
  ...extensions: Extension[]
): Promise<MikroORM> {
  const { entities } = await newRealm(crypto.randomUUID());
  const metadataProvider = ReflectMetadataProvider;
  return MikroORM.init({
    clientUrl,
    entities: [...entities],
    metadataProvider,
    pool: { max: 30 },
    discovery: { onMetadata: version },
    extensions,
  });
}

/**
 * Without ORDER BY, rows come in the order in which they stand in the table, always: otherwise the planner may choose
 * another one as the table grows. And who waits for a lock waits for another step, in vain.
 */
const SETTINGS = {
  enable_hashagg: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_indexscan: 'off',
  enable_indexonlyscan: 'off',
  enable_bitmapscan: 'off',
  join_collapse_limit: '1',
  // what is switched off counts as expensive, and worth compiling
  jit: 'off',
  synchronous_commit: 'off',
  lock_timeout: '15ms',
};

const CONFIGURE = `do $$ begin ${Object.entries(SETTINGS)
  .map(
    ([name, value]) =>
      `execute format('alter database %I set ${name} = %L', current_database(), '${value}');`,
  )
  .join(' ')} end $$`;
