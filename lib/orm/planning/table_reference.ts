import type { Occurrence } from '../../sql/select/select.js';
import type { Table } from '../catalog/catalog.js';

/** A table that a statement names, and where it names it. */
export interface TableReference {
  readonly table: Table;
  readonly occurrence: Occurrence;
}
