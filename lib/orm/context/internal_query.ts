import type { Configuration, Transaction } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import type { CompiledQuery, Kysely } from 'kysely';
import type { Ask } from '../catalog/table.js';

/** The namespace under which the ORM's logger is told of the extension's own statements. */
const NAMESPACE = 'cacheops';

/** Takes an own statement when it has ended, and how long it took, in milliseconds. */
export type LogStatement = (sql: string, took: number) => void;

/** A statement of the extension's own. */
export function plainQuery(sql: string): CompiledQuery {
  const query = { kind: 'RawNode', sqlFragments: [sql], parameters: [] };
  return {
    sql,
    parameters: [],
    query,
    queryId: { queryId: `cacheops${sql.length}` },
  } as unknown as CompiledQuery;
}

/**
 * Sends own statements over a connection of the ORM's pool, below everything that the application can watch or replace:
 * its query log, `onQuery`, and `connection.execute`.
 *
 * @param ctx the transaction in which to ask; left out, a connection is taken from the pool
 */
export function askerOf(driver: AbstractSqlDriver, ctx?: Transaction): Ask {
  return async sql => {
    const connection = driver.getConnection('write');
    await connection.ensureConnection();
    const client = (ctx as unknown as Kysely<unknown> | undefined) ?? connection.getClient();
    return client
      .getExecutor()
      .provideConnection(tracked => (tracked as unknown as { askApart: Ask }).askApart(sql));
  };
}

/**
 * Logs own statements where the namespace `cacheops` was asked for by name (`debug: ['cacheops']`). `debug: true` asks
 * for all of the ORM's namespaces, and not for this one.
 */
export function statementLog(config: Configuration): LogStatement {
  return (sql, took) => {
    const logger = config.getLogger();
    const isEnabled = (namespace: string) => logger.isEnabled(namespace as never);
    if (isEnabled(NAMESPACE) && !isEnabled(`not ${NAMESPACE}`)) {
      logger.log(NAMESPACE, `${sql} [took ${took} ms]`);
    }
  };
}
