import type { TableChange } from '../store/store.js';
import { touchedBy } from './affected_dependencies.js';
import type { Pair } from './row_pair.js';

/** How many rows of a table were changed, as far as it was told. */
export interface Counts {
  inserted: number;
  updated: number;
  deleted: number;
}

/** What has been changed in one table. */
export class TableJournal {
  readonly counts: Counts = { inserted: 0, updated: 0, deleted: 0 };
  readonly pairs: Pair[] = [];
  /** rows that are remembered, old and new ones counted each */
  rows = 0;
  /** characters of these rows' values */
  characters = 0;
  /** it is not known what has changed */
  wide = false;

  add(pair: Pair): void {
    this.pairs.push(pair);
    // an updated row of which only what it is now is known is one, and one of which nothing is known also takes room
    const rows = new Set([pair.old?.values, pair.new?.values].filter(values => values?.length));
    this.rows += Math.max(1, rows.size);
    for (const values of rows) {
      this.characters += values!.reduce((sum, value) => sum + (value?.length ?? 0), 0);
    }
  }

  widen(): void {
    this.wide = true;
    this.pairs.length = 0;
    this.rows = 0;
    this.characters = 0;
  }

  /** Takes over what came later. */
  absorb(later: TableJournal): void {
    this.counts.inserted += later.counts.inserted;
    this.counts.updated += later.counts.updated;
    this.counts.deleted += later.counts.deleted;
    if (this.wide || later.wide) {
      this.widen();
      return;
    }
    for (const pair of later.pairs) {
      this.pairs.push(pair);
    }
    this.rows += later.rows;
    this.characters += later.characters;
  }
}

/** What several parts of a transaction have changed in one table, as a store wants to know it. */
export function tableChange(table: string, parts: readonly TableJournal[]): TableChange {
  return {
    table,
    touched: scheme => (parts.some(part => part.wide) ? undefined : touchedBy(pairsOf(parts), scheme)),
  };
}

function pairsOf(parts: readonly TableJournal[]): readonly Pair[] {
  return parts.length === 1 ? parts[0]!.pairs : parts.flatMap(part => part.pairs);
}
