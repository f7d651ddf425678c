import type { Configuration, Transaction } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import type { CompiledQuery, Kysely } from 'kysely';
import type { Ask, Connect } from '../catalog/table.js';

/** The logger namespace of the extension's own statements. */
const NAMESPACE = 'cacheops';

/** @param took milliseconds */
export type LogStatement = (sql: string, took: number) => void;

/** One of the extension's own statements. */
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
 * Sends own statements over a connection of the ORM's pool, below the query log, `onQuery` and `connection.execute`, so
 * that the application neither sees nor replaces them.
 *
 * @param ctx the transaction to ask in; without it, a connection is taken from the pool
 */
export function askerOf(driver: AbstractSqlDriver, ctx?: Transaction): Ask {
  const connect = connectorOf(driver, ctx);
  return sql => connect(ask => ask(sql));
}

/** {@link askerOf} for several questions over one connection. */
export function connectorOf(driver: AbstractSqlDriver, ctx?: Transaction): Connect {
  return async work => {
    const connection = driver.getConnection('write');
    await connection.ensureConnection();
    const client = (ctx as unknown as Kysely<unknown> | undefined) ?? connection.getClient();
    return client
      .getExecutor()
      .provideConnection(tracked => (tracked as unknown as { apart: Connect }).apart(work));
  };
}

/**
 * Logs own statements if the namespace `cacheops` is enabled by name (`debug: ['cacheops']`): `debug: true` enables only
 * the ORM's namespaces.
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
