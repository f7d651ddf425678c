import type { EntryAddress, Found } from '../../../lib/store/store.js';
import { schemeOf } from '../../../lib/values/encode.js';
import type { Dependency } from '../../../lib/values/scheme.js';
import { matters, valuesOf } from '../../store/steps.js';
import { ALL, articles, on, query } from '../../store/words.js';
import type { Row } from './database.js';
import type { Keeps } from './rules.js';

/** The articles whose columns have these values, or those. */
export interface Query {
  readonly anyOf: readonly Partial<Row>[];
  /** what articles have to satisfy beside, which whoever reads tests for himself */
  readonly tested: Partial<Row>;
  /** it asks how many they are, and not for what is in them */
  readonly counts: boolean;
  readonly address: EntryAddress;
  /** once {@link DEFINITION} is there, it means something else, and depends on something else */
  readonly redefined?: { readonly anyOf: readonly Partial<Row>[]; readonly address: EntryAddress };
}

/** Stands for a function that the query calls, say. It is a row, because what defines it is a transaction like others. */
export const DEFINITION: Row = { id: 'definition', category: '', title: '' };

export const CATALOG = 'blog/#catalog';

/** What a reader leases before it reads the catalog, and once more after what its query depends on. */
export const CATALOG_ADDRESS: EntryAddress = query(on(CATALOG, ALL));

/** The same query, which is for others as well once it is redefined. */
export function redefined(before: Query, ...anyOf: readonly Partial<Row>[]): Query {
  const { address } = where(...before.anyOf, ...anyOf);
  const { key } = before.address;
  return {
    ...before,
    redefined: { anyOf: [...before.anyOf, ...anyOf], address: { ...address, key } },
  };
}

/** By whatever catalog it may be looked for. */
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

/** `count({ category: '1' }, { title: 'old' })`: how many there are of the first that satisfy the second as well */
export function count(wanted: Partial<Row>, tested: Partial<Row>): Query {
  return {
    anyOf: [wanted],
    tested,
    counts: true,
    address: { ...articles(dependencyOf(wanted, tested, true)), key: JSON.stringify([wanted, tested]) },
  };
}

/** Whether what was found is an answer. */
export function holds({ tested }: Query, found: Found | undefined, keeps: Keeps): found is Found {
  return found !== undefined && !(matters(found, () => tested) && keeps('steps that matter'));
}

function dependencyOf(wanted: Partial<Row>, tested: Partial<Row>, counts: boolean): Dependency {
  const scheme = schemeOf(Object.keys(wanted), counts ? [] : undefined, Object.keys(tested));
  return { scheme, values: valuesOf(scheme, wanted) };
}
