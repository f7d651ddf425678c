import { type EntityMetadata, isRaw, type Transaction } from '@mikro-orm/core';
import {
  type AbstractSqlConnection,
  type AbstractSqlDriver,
  type QueryBuilder,
  QueryType,
  type SqlEntityManager,
} from '@mikro-orm/sql';
import { parseCall } from '../../config/call.js';
import type { CallOptions, Op } from '../../config/options.js';
import { patch } from '../context/patches.js';
import { currentScope, withScope } from '../context/scope.js';
import { conditionOf } from '../planning/builder_condition.js';

export type Builder = QueryBuilder<any, any, any, any, any, any, any>;

/** A statement of a query builder that is about to be sent. */
export interface BuiltRead {
  readonly kind: 'rows' | 'row';
  readonly op: Op;
  readonly meta: EntityMetadata;
  /** as `em.find()` passes it to the driver */
  readonly where: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly em: SqlEntityManager;
  readonly run: (change?: { readonly connectionType?: string }) => Promise<unknown>;
}

/**
 * Puts a query builder of an EntityManager into the scope of its execution, so that the cache can answer its statement
 * with rows as the database gives them, which the builder processes as usual.
 *
 * Builders that the driver makes are left out, because the cache has handled their reads already.
 */
export function followExecution(builder: Builder, em: SqlEntityManager, call?: CallOptions): void {
  let callOptions = call;
  let single = false;
  const value = (options: CallOptions = true) => {
    parseCall(options, 'qb.cacheops()');
    callOptions = options;
    return builder;
  };
  Object.defineProperty(builder, 'cacheops', { value, configurable: true, writable: true });
  patch(builder, 'builder.clone', clone => (...args) => {
    const copy: Builder = clone.apply(builder, args);
    followExecution(copy, em, callOptions);
    return copy;
  });
  patch(builder, 'builder.getSingleResult', getSingleResult => async () => {
    single = true;
    try {
      return await getSingleResult.call(builder);
    } finally {
      single = false;
    }
  });
  patch(builder, 'builder.execute for query builders', execute => (...args) => {
    const run = () => execute.apply(builder, args);
    const isRead = builder.type === QueryType.SELECT || builder.type === QueryType.COUNT;
    if (!isRead || !builder.mainAlias.meta || currentScope().dryRun) {
      return run();
    }
    const op = opOf(builder, single || args[0] === 'get');
    return withScope({ building: { builder, em, op, call: callOptions } }, run);
  });
}

/** Intercepts the statements of executing query builders at the driver's connections. */
export function answerBuilders(
  driver: AbstractSqlDriver,
  connections: readonly AbstractSqlConnection[],
  answer: (read: BuiltRead) => Promise<unknown>,
): void {
  for (const connection of connections) {
    patch(connection, 'connection.execute for query builders', execute =>
      executeBuilt(driver, execute, answer),
    );
  }
}

function executeBuilt(
  driver: AbstractSqlDriver,
  execute: Execute,
  answer: (read: BuiltRead) => Promise<unknown>,
): Execute {
  return function (this: AbstractSqlConnection, ...args) {
    const [, , method, ctx] = args;
    const { building } = currentScope();
    const send = (target: AbstractSqlConnection) =>
      withScope({ building: undefined }, () =>
        (target === this ? execute : target.execute).apply(target, args),
      );
    if (!building || method === 'run') {
      return building ? send(this) : execute.apply(this, args);
    }
    const { builder, em, op, call } = building;
    const run: BuiltRead['run'] = change =>
      // a dry run has a connection of its own
      send(
        change?.connectionType === 'write' || currentScope().dryRun ? driver.getConnection('write') : this,
      );
    return withScope({ building: undefined }, () =>
      answer({
        kind: method === 'get' ? 'row' : 'rows',
        op,
        meta: builder.mainAlias.meta as EntityMetadata,
        where: conditionOf(builder),
        options: optionsOf(builder, ctx, call),
        em,
        run,
      }),
    );
  };
}

type Execute = (
  this: AbstractSqlConnection,
  ...args: Parameters<AbstractSqlConnection['execute']>
) => Promise<unknown>;

function optionsOf(builder: Builder, ctx: Transaction | undefined, call: CallOptions | undefined) {
  const { lockMode, schema } = builder.state;
  return { ctx, cacheops: call, lockMode, schema };
}

function opOf(builder: Builder, single: boolean): Op {
  const { fields, groupBy, having } = builder.state;
  if (builder.type === QueryType.COUNT) {
    return 'count';
  }
  const aggregates =
    groupBy.length > 0 ||
    Object.keys(having).length > 0 ||
    fields?.some(field => isRaw(field) && AGGREGATE.test((field as { sql: string }).sql));
  return aggregates ? 'aggregate' : single ? 'get' : 'fetch';
}

const AGGREGATE =
  /\b(count|sum|avg|min|max|every|bool_and|bool_or|bit_and|bit_or|(string|array|jsonb?|jsonb?_object)_agg|stddev\w*|variance|var_\w+|mode|percentile_\w+)\s*\(/i;
