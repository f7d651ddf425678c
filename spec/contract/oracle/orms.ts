import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import type { MikroORM } from '@mikro-orm/postgresql';
import { CompiledQuery, type DatabaseConnection } from 'kysely';
import type { Extension } from '../../../lib/index.js';
import { BORDER_COLLATIONS, BORDER_TYPES } from './borders.js';
import type { Database } from './databases.js';
import { newRealm } from './realm.js';
import type { Setting } from './session.js';
import { setting } from './settings.js';
import { MEMO_RULES, SHAPE_TRIGGERS } from './shapes.js';
import { CREATE_ALLOTMENT, OPTIONS, VERSIONS } from './versions.js';

/** Creates the tables, and the settings of the database for new connections. */
export async function prepare(database: Database): Promise<void> {
  const orm = await initialise(database, 0, () => []);
  const execute = (sql: string) => orm.em.getConnection().executeDump(sql);
  await execute(BORDER_TYPES);
  await orm.schema.create();
  for (const sql of [BORDER_COLLATIONS, CREATE_ALLOTMENT, SHAPE_TRIGGERS, MEMO_RULES, NO_VACUUM]) {
    await execute(sql);
  }
  await execute(database.isSingle ? CONFIGURE_SESSION : CONFIGURE_DATABASE);
  await orm.close();
}

/**
 * @param version index in {@link VERSIONS}
 * @param hooked settings for each new connection
 */
export async function initialise(
  database: Database,
  version: number,
  hooked: () => readonly Setting[],
  ...extensions: Extension[]
): Promise<MikroORM> {
  const { entities } = await newRealm(crypto.randomUUID());
  return database.connect({
    entities: [...entities],
    metadataProvider: ReflectMetadataProvider,
    discovery: { onMetadata: VERSIONS[version]! },
    extensions,
    ...OPTIONS[version]!,
    async onCreateConnection(connection) {
      for (const each of hooked()) {
        await (connection as DatabaseConnection).executeQuery(CompiledQuery.raw(setting(each)));
      }
    },
  });
}

/** Autovacuum takes locks at any time, and no database lives long enough to need it. */
const NO_VACUUM = `do $$ declare name text; begin
  for name in select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace loop
    execute format('alter table %I set (autovacuum_enabled = off)', name);
  end loop;
end $$`;

/**
 * Without ORDER BY, rows must always come in table order: otherwise the planner may choose another order as the table
 * grows. A short lock timeout ends waits for a lock that only a later step releases.
 */
const SETTINGS = {
  enable_hashagg: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  enable_indexscan: 'off',
  enable_indexonlyscan: 'off',
  enable_bitmapscan: 'off',
  join_collapse_limit: '1',
  // a disabled method counts as expensive, and worth compiling
  jit: 'off',
  synchronous_commit: 'off',
  lock_timeout: '15ms',
};

const CONFIGURE_SESSION = Object.entries(SETTINGS)
  .map(([name, value]) => `set ${name} = '${value}';`)
  .join(' ');

const CONFIGURE_DATABASE = `do $$ begin ${Object.entries(SETTINGS)
  .map(
    ([name, value]) =>
      `execute format('alter database %I set ${name} = %L', current_database(), '${value}');`,
  )
  .join(' ')} end $$`;
