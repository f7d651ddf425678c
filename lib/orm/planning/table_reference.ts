import type { SelectTable } from '../../sql/select/select_result.js';
import type { Table } from '../catalog/table.js';

/** A table that a statement names, and where it names it. */
export interface TableReference {
  readonly table: Table;
  readonly occurrence: SelectTable;
}
