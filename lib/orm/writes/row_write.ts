import type { CompiledQuery, QueryResult } from 'kysely';
import type { Journal } from '../../changes/journal.js';
import type { Delete, Insert, Update } from '../../sql/statement.js';
import type { Scheme } from '../../values/scheme.js';
import type { Catalog, Table } from '../catalog/table.js';

/** A statement that writes rows of one table. */
export interface RowWrite {
  readonly statement: Insert | Update | Delete;
  readonly table: Table;
  readonly catalog: Catalog;
  readonly journal: Journal;
  readonly query: CompiledQuery;
  readonly ask: (sql: string, parameters: readonly unknown[]) => Promise<QueryResult<any>>;
  /** the schemes that readers of a table use, as far as known to this process */
  readonly schemes: (table: string) => Promise<readonly Scheme[]>;
  readonly maxRows: number;
  /** the session has default settings, and the transaction is READ COMMITTED: cascades can be captured exactly */
  readonly isExact: boolean;
}
