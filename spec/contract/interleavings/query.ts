import { type Dependency, type EntryAddress, WHOLE_TABLE } from '../../../lib/store/store.js';
import { articles, scheme } from '../../store/words.js';
import type { Row } from './database.js';

/** The articles whose columns have these values. */
export interface Query {
  readonly wanted: Partial<Row>;
  readonly address: EntryAddress;
}

export function where(wanted: Partial<Row>): Query {
  const columns = Object.keys(wanted).sort() as (keyof Row)[];
  const dependency: Dependency = {
    scheme: columns.length > 0 ? scheme(...columns) : WHOLE_TABLE,
    values: columns.map(column => wanted[column]).join(),
  };
  return { wanted, address: articles(dependency) };
}
