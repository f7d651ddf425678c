import { type Dependency, type EntryAddress, WHOLE_TABLE } from '../../../lib/store/store.js';
import { articles, scheme } from '../../store/words.js';
import type { Row } from './database.js';

/** The articles whose columns have these values, or those. */
export interface Query {
  readonly anyOf: readonly Partial<Row>[];
  readonly address: EntryAddress;
}

export function where(...anyOf: readonly Partial<Row>[]): Query {
  return { anyOf, address: articles(...anyOf.map(dependencyOf)) };
}

function dependencyOf(wanted: Partial<Row>): Dependency {
  const columns = Object.keys(wanted).sort() as (keyof Row)[];
  return {
    scheme: columns.length > 0 ? scheme(...columns) : WHOLE_TABLE,
    values: columns.map(column => wanted[column]).join(),
  };
}
