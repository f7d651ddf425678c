import type { EntityMetadata } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { Op } from '../../config/options.js';
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
  /** the entity that events and profiles name: for a pivot table, the entity behind it */
  readonly subject: EntityMetadata;
  readonly where: unknown;
  readonly options: Options;
  readonly em: SqlEntityManager;
  /**
   * Asks the database. It may be called any number of times: MikroORM is given copies of the caller's options, because
   * it changes some of them.
   *
   * @param where another condition, for a find
   */
  readonly run: (change?: Options, where?: unknown) => Promise<unknown>;
  /** As {@link run}, but with the caller's own options, as MikroORM does without the cache: at most once. */
  readonly runWithOriginals: () => Promise<unknown>;
  readonly scope: Scope;
  /** the environment state that it was planned with */
  environmentState?: EnvironmentState;
  /** the catalog that it was planned with */
  catalog?: Catalog;
  /** if its tables are declared: the names of the user's own settings that are in the key */
  ownSettings?: ReadonlySet<string>;
  /** when it began, by the logical clock of the single flight */
  readonly beganAt: number;
  /** `performance.now()`, if the event `read` has listeners */
  readonly started: number | undefined;
  readonly counts: ReadCounts;
  /** if the read is traced */
  readonly message: ReadMessage | undefined;
}

export type Observation = Pick<Request, 'beganAt' | 'started' | 'counts' | 'message'>;

export type Options = Record<PropertyKey, any>;
