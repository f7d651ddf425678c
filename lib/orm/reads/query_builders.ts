import { type EntityMetadata, isRaw, type Transaction } from '@mikro-orm/core';
import {
  type AbstractSqlConnection,
  type AbstractSqlDriver,
  type QueryBuilder,
  QueryType,
  type SqlEntityManager,
} from '@mikro-orm/sql';
import { type CallOptions, type Op, parseCall } from '../../config/index.js';
import { patch } from '../context/patches.js';
import { currentScope, withScope } from '../context/scope.js';
import { conditionOf } from '../planning/builder_condition.js';

export type Builder = QueryBuilder<any, any, any, any, any, any, any>;

/** The statement of a query builder, on its way to the database. */
export interface BuiltRead {
  readonly kind: 'rows' | 'row';
  readonly op: Op;
  readonly meta: EntityMetadata;
  /** as `em.find()` would pass it on */
  readonly where: unknown;
  readonly options: Readonly<Record<string, unknown>>;
  readonly em: SqlEntityManager;
  readonly run: (change?: { readonly connectionType?: string }) => Promise<unknown>;
}

/**
 * Lets query builders of an EntityManager tell what they are when they are executed, so that their statements can be
 * answered by the cache: rows as the database gives them, of which the builder makes what it always does.
 *
 * Those that the driver makes for itself are not among them: what they are for has been asked of the cache before.
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

/** Answers the statements of query builders that are being executed, where the driver's connections would be asked. */
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
