import { MikroORM } from '@mikro-orm/postgresql';
import { CompiledQuery } from 'kysely';
import { freshDatabase } from '../support/servers.js';

export interface Result {
  readonly rows: readonly Record<string, unknown>[];
  readonly affected: bigint | undefined;
}

export interface Server {
  /** all on one connection */
  query(sql: string, parameters?: readonly unknown[]): Promise<Result>;
  close(): Promise<void>;
}

/** A connection to a new, empty database. */
export async function connect(): Promise<Server> {
  const orm = await MikroORM.init({
    clientUrl: await freshDatabase('changes'),
    entities: [],
    discovery: { warnWhenNoEntities: false },
    pool: { min: 1, max: 1 },
  });
  const client = orm.em.getConnection().getClient();
  return {
    async query(sql, parameters = []) {
      const result = await client.executeQuery<Record<string, unknown>>(
        CompiledQuery.raw(sql, [...parameters]),
      );
      return { rows: result.rows, affected: result.numAffectedRows };
    },
    close: () => orm.close(),
  };
}
