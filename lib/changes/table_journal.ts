import type { TableChange } from '../store/store.js';
import { affectedBy, type RowPair } from './affected_dependencies.js';

/** Numbers of recorded changes in a table. */
export interface Counts {
  inserted: number;
  updated: number;
  deleted: number;
}

/** The changes in one table. */
export class TableJournal {
  readonly counts: Counts = { inserted: 0, updated: 0, deleted: 0 };
  readonly pairs: RowPair[] = [];
  /** remembered rows; old and new rows both count */
  rows = 0;
  /** characters of these rows' values */
  characters = 0;
  /** the changed rows are unknown */
  wide = false;

  add(pair: RowPair): void {
    this.pairs.push(pair);
    const now = pair.new?.values ?? [];
    // an updated row with only its new state counts once; a row without known values also takes space
    const old = pair.old && pair.old.values !== now ? pair.old.values : [];
    this.rows += old.length > 0 && now.length > 0 ? 2 : 1;
    for (const values of [old, now]) {
      for (const value of values) {
        this.characters += value?.length ?? 0;
      }
    }
  }

  widen(): void {
    this.wide = true;
    this.pairs.length = 0;
  }

  /** Adds the later changes to these. */
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

/** The changes of several parts of a transaction in one table, as a store needs them. */
export function tableChange(table: string, parts: readonly TableJournal[]): TableChange {
  return {
    table,
    touched: scheme => (parts.some(part => part.wide) ? undefined : affectedBy(pairsOf(parts), scheme)),
  };
}

function pairsOf(parts: readonly TableJournal[]): readonly RowPair[] {
  return parts.length === 1 ? parts[0]!.pairs : parts.flatMap(part => part.pairs);
}
