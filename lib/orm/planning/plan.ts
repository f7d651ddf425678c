import type { EntityMetadata } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { ResolvedOptions, TableSources } from '../../config/index.js';
import type { WatchedTable } from '../../query/watch.js';
import type { EntryAddress } from '../../store/store.js';
import type { PlacedBound } from './occurrences.js';
import { IRRELEVANT } from './relevant_options.js';
import type { SelectAnalysis } from './select_analysis.js';

/** One call of the driver, as it arrives there. */
export interface ReadCall {
  /** `rows` and `row`: what a query builder is given, before it makes anything of it */
  readonly kind: 'find' | 'count' | 'exists' | 'rows' | 'row';
  readonly meta: EntityMetadata;
  /** the condition on `meta`, if it is one */
  readonly where: unknown;
  /** everything else that decides about the result, and what is {@link IRRELEVANT} */
  readonly options: Readonly<Record<string, unknown>>;
  readonly em: SqlEntityManager;
  /** on which it depends as a whole, as somebody says who sees through it where nobody else does */
  readonly tables?: TableSources | undefined;
  /** asks the driver */
  readonly run: () => Promise<unknown>;
}

/** What is known of a query before anybody is asked: where its result would be, and what that depends on. */
export interface Planned {
  readonly cacheable: true;
  readonly address: EntryAddress & { readonly tables: readonly WatchedTable[] };
  /** what can be told of the rows that matter, once the result is there */
  readonly bounds: readonly PlacedBound[];
  /** what its statements read; left out: its own text was not enough for a key */
  readonly reading?: SelectAnalysis;
  /** MikroORM changes the options that it is given, in place */
  readonly changesOptions?: boolean;
  /** Is this SQL the one that was planned for? Asked of what has really been sent. */
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
