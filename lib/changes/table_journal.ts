import type { Scheme, TableChange } from '../store/store.js';
import { encodeValues } from '../values/encode.js';
import type { Row } from './image.js';

/** How many rows of a table were changed, as far as it was told. */
export interface Counts {
  inserted: number;
  updated: number;
  deleted: number;
}

/** What has been changed in one table. */
export class TableJournal {
  readonly counts: Counts = { inserted: 0, updated: 0, deleted: 0 };
  /** old and new rows alike */
  readonly rows: Row[] = [];
  /** characters of the values in the rows */
  characters = 0;
  /** columns that changed from values which are not known; `'all'` if whole rows are not known */
  unknown: Set<string> | 'all' = new Set();
  /** it is not known what has changed */
  wide = false;

  add(row: Row): void {
    this.rows.push(row);
    this.characters += charactersOf(row);
  }

  addUnknown(columns: Iterable<string> | 'all'): void {
    if (columns === 'all') {
      this.unknown = 'all';
    } else if (this.unknown !== 'all') {
      for (const column of columns) {
        this.unknown.add(column);
      }
    }
  }

  widen(): void {
    this.wide = true;
    this.rows.length = 0;
    this.characters = 0;
  }

  /** Takes over what came later. */
  absorb(later: TableJournal): void {
    this.counts.inserted += later.counts.inserted;
    this.counts.updated += later.counts.updated;
    this.counts.deleted += later.counts.deleted;
    this.addUnknown(later.unknown);
    if (this.wide || later.wide) {
      this.widen();
    } else {
      for (const row of later.rows) {
        this.add(row);
      }
    }
  }
}

/** What several parts of a transaction have changed in one table, as a store wants to know it. */
export function tableChange(table: string, parts: readonly TableJournal[]): TableChange {
  return { table, touched: scheme => touchedBy(parts, scheme) };
}

function touchedBy(parts: readonly TableJournal[], { columns }: Scheme): Map<string, undefined> | undefined {
  const touched = new Map<string, undefined>();
  for (const part of parts) {
    if (part.wide || columns.some(column => part.unknown === 'all' || part.unknown.has(column))) {
      return undefined;
    }
    for (const row of part.rows) {
      const values = columns.map(column => row.values[row.positions.get(column) ?? -1]);
      if (!values.every(value => value !== undefined)) {
        return undefined; // not a column that images have
      }
      touched.set(encodeValues(values), undefined);
    }
  }
  // whatever changed, something of the whole table did
  return columns.length === 0 ? touched.set('', undefined) : touched;
}

function charactersOf(row: Row): number {
  return row.values.reduce((sum, value) => sum + (value?.length ?? 0), 0);
}
