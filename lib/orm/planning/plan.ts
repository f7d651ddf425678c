import type { EntityMetadata } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { TableSources } from '../../config/options.js';
import type { ResolvedOptions } from '../../config/validate.js';
import type { WatchedTable } from '../../query/watch.js';
import type { EntryAddress } from '../../store/store.js';
import type { PlacedBound } from './occurrences.js';
import { IRRELEVANT } from './relevant_options.js';
import type { SelectAnalysis } from './select_analysis.js';

/** One call of the driver, as it arrives there. */
export interface ReadCall {
  /** `rows` and `row`: rows as a query builder gets them from the database */
  readonly kind: 'find' | 'count' | 'exists' | 'rows' | 'row';
  readonly meta: EntityMetadata;
  /** the condition on `meta`, if it is an object */
  readonly where: unknown;
  /** all other options: those that decide about the result, and those in {@link IRRELEVANT} */
  readonly options: Readonly<Record<string, unknown>>;
  readonly em: SqlEntityManager;
  /** tables the user declared for SQL that cannot be analysed: the result depends on every row of them */
  readonly tables?: TableSources | undefined;
  /** asks the driver */
  readonly run: () => Promise<unknown>;
}

/** What is known of a query before it is sent: the address of its result, and its dependencies. */
export interface Planned {
  readonly cacheable: true;
  readonly address: EntryAddress & { readonly tables: readonly WatchedTable[] };
  /** the bounds to derive from the result */
  readonly bounds: readonly PlacedBound[];
  /** what its statements read; left out: the key is made of the SQL */
  readonly analysis?: SelectAnalysis;
  /** MikroORM changes the options in place */
  readonly changesOptions?: boolean;
  /** Are the statements that were sent those that were planned? */
  confirms(statements: readonly string[]): boolean;
}

export interface NotCacheable {
  readonly cacheable: false;
  readonly reason: string;
}

export type Limits = Pick<
  ResolvedOptions,
  'granularity' | 'maxConjunctions' | 'maxIn' | 'prefix' | 'serializer'
>;
