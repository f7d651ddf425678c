import type { EntryAddress, Found } from '../../../lib/store/store.js';
import { schemeOf } from '../../../lib/values/encode.js';
import type { Dependency } from '../../../lib/values/scheme.js';
import { matters, valuesOf } from '../../store/steps.js';
import { ALL, articles, on, query } from '../../store/words.js';
import type { Row } from './database.js';
import type { Keeps } from './rules.js';

/** Selects the articles that match one of several sets of values. */
export interface Query {
  readonly anyOf: readonly Partial<Row>[];
  /** a further condition on the articles, which the reader tests itself */
  readonly tested: Partial<Row>;
  /** the query counts the articles instead of returning them */
  readonly counts: boolean;
  /** the query counts the pairs of an article of each set */
  readonly joins?: boolean;
  readonly address: EntryAddress;
  /** once {@link DEFINITION} is visible, the query has this meaning and these dependencies */
  readonly redefined?: { readonly anyOf: readonly Partial<Row>[]; readonly address: EntryAddress };
}

/** Stands for a function that the query calls. It is a row, because a transaction creates it like any other. */
export const DEFINITION: Row = { id: 'definition', category: '', title: '' };

export const CATALOG = 'blog/#catalog';

/** The address that a reader leases before it reads the catalog, and again after the query's own lease. */
export const CATALOG_ADDRESS: EntryAddress = query(on(CATALOG, ALL));

/** The same query, with other conditions once it is redefined. */
export function redefined(before: Query, ...anyOf: readonly Partial<Row>[]): Query {
  const { address } = where(...before.anyOf, ...anyOf);
  const { key } = before.address;
  return {
    ...before,
    redefined: { anyOf: [...before.anyOf, ...anyOf], address: { ...address, key } },
  };
}

/** The addresses of a query under either catalog. */
export function addressesOf({ address, redefined }: Query): EntryAddress[] {
  return redefined ? [address, redefined.address] : [address];
}

export function where(...anyOf: readonly Partial<Row>[]): Query {
  return {
    anyOf,
    tested: {},
    counts: false,
    address: articles(...anyOf.map(wanted => dependencyOf(wanted, {}, false))),
  };
}

/** `count({ category: '1' }, { title: 'old' })`: the number of articles that satisfy both conditions */
export function count(wanted: Partial<Row>, tested: Partial<Row>): Query {
  return {
    anyOf: [wanted],
    tested,
    counts: true,
    address: { ...articles(dependencyOf(wanted, tested, true)), key: JSON.stringify([wanted, tested]) },
  };
}

/** The number of pairs of an article of each category that satisfy a condition. */
export function pairs(one: string, other: string, tested: Partial<Row>): Query {
  const anyOf = [{ category: one }, { category: other }];
  return {
    anyOf,
    tested,
    counts: true,
    joins: true,
    address: {
      ...articles(...anyOf.map(wanted => dependencyOf(wanted, tested, true))),
      key: JSON.stringify(['pairs', anyOf, tested]),
    },
  };
}

/** Whether the entry that was found is still valid. */
export function holds({ tested }: Query, found: Found | undefined, keeps: Keeps): found is Found {
  return found !== undefined && !(matters(found, () => tested) && keeps('deltas that matter'));
}

function dependencyOf(wanted: Partial<Row>, tested: Partial<Row>, counts: boolean): Dependency {
  const scheme = schemeOf(Object.keys(wanted), counts ? [] : undefined, Object.keys(tested));
  return { scheme, values: valuesOf(scheme, wanted) };
}
