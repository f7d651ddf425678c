import type { EntityProperty } from '@mikro-orm/core';
import type { AbstractSqlConnection, AbstractSqlDriver, QueryBuilder } from '@mikro-orm/sql';
import { patch } from '../context/patches.js';
import { currentScope, type DryRun, withScope } from '../context/scope.js';

/**
 * Finds the SQL of a read by letting the driver do everything but send it. So the driver's own code compiles joins of
 * filters, eager relations, unions and pagination.
 */
export async function dryRun(read: () => Promise<unknown>): Promise<DryRun> {
  const run: DryRun = {
    statements: [],
    joins: false,
    filtersJoins: false,
    wrapsExpression: false,
    changesOptions: false,
  };
  await withScope({ dryRun: run }, read);
  return run;
}

/** Makes a driver's connections and query builders take part in dry runs. */
export function supportDryRuns(driver: AbstractSqlDriver): void {
  // replaces the connections and not their methods, because the application may have replaced the methods
  patch(driver, 'driver.getConnection for dry runs', getConnection => {
    return function (type) {
      const connection = getConnection.call(this, type);
      return currentScope().dryRun ? dryConnection(connection) : connection;
    };
  });
  patch(driver, 'driver.execute for dry runs', execute => {
    return function (query, params, method, ctx, logged, connection) {
      const used = connection ?? (currentScope().dryRun ? this.getConnection('write') : undefined);
      return execute.call(this, query, params, method, ctx, logged, used);
    };
  });
  patch(driver, 'driver.wrapVirtualExpressionInSubquery for dry runs', wrap => {
    return function (...args) {
      const run = currentScope().dryRun;
      if (run) {
        run.wrapsExpression = true;
      }
      return wrap.apply(this, args);
    };
  });
  patch(driver, 'driver.createQueryBuilder for dry runs', createQueryBuilder => {
    return function (...args) {
      const builder: QueryBuilder = createQueryBuilder.apply(this, args);
      const run = currentScope().dryRun;
      if (run) {
        noteJoins(builder, run, driver);
      }
      return builder;
    };
  });
}

function noteJoins(builder: QueryBuilder, run: DryRun, driver: AbstractSqlDriver): void {
  patch(builder, 'builder.applyJoinedFilters for dry runs', applyJoinedFilters => {
    return function (...args) {
      const { state, getJoinForPath } = this as BuilderState;
      const targets = state.autoJoinedPaths.map(path => getJoinForPath.call(this, path).prop.targetMeta);
      run.joins ||= targets.length > 0;
      run.filtersJoins ||= targets.some(
        target => hasKeys(target?.filters) || hasKeys(driver.config.get('filters')),
      );
      return applyJoinedFilters.apply(this, args);
    };
  });
}

/** A connection that collects statements instead of sending them. */
function dryConnection(connection: AbstractSqlConnection): AbstractSqlConnection {
  const execute: AbstractSqlConnection['execute'] = async (query, params, method) => {
    const run = currentScope().dryRun!;
    // as it would be sent, after `onQuery`
    const { formatted } = (connection as unknown as Preparing).prepareQuery(query, params);
    run.statements.push(formatted);
    // the count of a virtual entity reads the row
    return (method === 'all' ? (run.wrapsExpression ? [{ count: 0 }] : []) : undefined) as never;
  };
  const transactional: AbstractSqlConnection['transactional'] = callback => callback(undefined as never);
  return Object.assign(Object.create(connection), { execute, transactional });
}

interface Preparing {
  prepareQuery(query: unknown, params: unknown): { readonly formatted: string };
}

/** The part of a query builder that is used here. */
interface BuilderState {
  readonly state: { readonly autoJoinedPaths: readonly string[] };
  getJoinForPath(path: string): { readonly prop: EntityProperty };
}

function hasKeys(filters: object | undefined): boolean {
  return Object.keys(filters ?? {}).length > 0;
}
