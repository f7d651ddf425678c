import type { EntryAddress, Found } from '../../../lib/store/store.js';
import { schemeOf } from '../../../lib/values/encode.js';
import type { Dependency } from '../../../lib/values/scheme.js';
import { matters, valuesOf } from '../../store/steps.js';
import { articles } from '../../store/words.js';
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
