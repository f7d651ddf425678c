import type { EntityMetadata } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { Op } from '../../config/index.js';
import type { ReadCounts } from '../../observability/stats.js';
import type { ReadMessage } from '../../observability/tracing.js';
import type { Catalog } from '../catalog/table.js';
import type { EnvironmentState } from '../context/environment.js';
import type { Scope } from '../context/scope.js';
import type { ReadCall } from '../planning/plan.js';

/** One read, as it arrives at the driver. */
export interface Request {
  readonly kind: ReadCall['kind'];
  readonly op: Op;
  readonly meta: EntityMetadata;
  /** the entity that it is about: for a pivot table, the one behind it */
  readonly subject: EntityMetadata;
  readonly where: unknown;
  readonly options: Options;
  readonly em: SqlEntityManager;
  /**
   * Asks the database. It may be called any number of times, because MikroORM is given copies of the caller's options:
   * it changes some of what it is given.
   *
   * @param where another condition, if it is a find
   */
  readonly run: (change?: Options, where?: unknown) => Promise<unknown>;
  /** The same with the caller's own options, as MikroORM would do without the cache: at most once. */
  readonly runWithOriginals: () => Promise<unknown>;
  readonly scope: Scope;
  /** for which it was planned */
  surroundings?: EnvironmentState;
  /** by which it was planned */
  catalog?: Catalog;
  /** names of the user's own settings that are in the key, if the result may depend on any: the query is not looked into */
  ownSettings?: ReadonlySet<string>;
  /** when it began, by the clock of the flights */
  readonly begun: number;
  /** `performance.now()`, if anybody wants to know */
  readonly started: number | undefined;
  readonly counts: ReadCounts;
  /** if anybody traces it */
  readonly message: ReadMessage | undefined;
}

export type Noted = Pick<Request, 'begun' | 'started' | 'counts' | 'message'>;

export interface DatabaseAnswer {
  readonly result: unknown;
  /** what was sent */
  readonly statements: readonly string[];
  /** why it is not what every session would have been given */
  readonly obstacle: string | undefined;
}

export type Options = Record<PropertyKey, any>;
