import { MikroORM as EmbeddedORM, type PgliteConnection } from '@mikro-orm/pglite';
import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { freshDatabase } from '../../support/servers.js';

/** An empty database for several ORMs. */
export interface Database {
  /** whether all ORMs share one session, so that only one transaction is open at a time */
  readonly isSingle: boolean;
  connect(options: Options): Promise<MikroORM>;
  end(): Promise<void>;
}

/** On a server: DATABASE_URL, or a server of our own. */
export async function postgresDatabase(): Promise<Database> {
  const clientUrl = await freshDatabase('oracle');
  return {
    isSingle: false,
    connect: options => MikroORM.init({ ...options, clientUrl, pool: { max: 30 } }),
    // it is dropped when the server is stopped
    end: async () => {},
  };
}

/** In this process. */
export async function embeddedDatabase(): Promise<Database> {
  const owner = await EmbeddedORM.init({ entities: [], discovery: { warnWhenNoEntities: false } });
  const pglite = () => (owner.em.getConnection() as PgliteConnection).getNativeClient();
  return {
    isSingle: true,
    connect: options =>
      EmbeddedORM.init({
        ...(options as object),
        onCreateConnection: undefined,
        driverOptions: { pglite },
      }) as unknown as Promise<MikroORM>,
    end: () => owner.close(),
  };
}
