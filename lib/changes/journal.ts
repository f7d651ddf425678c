import type { TableChange } from '../store/store.js';
import { storedColumn } from '../values/path.js';
import type { RowPair } from './affected_dependencies.js';
import type { Image, Row } from './row_image.js';
import { type Counts, TableJournal, tableChange } from './table_journal.js';

/** A row before or after a change; `'unknown'` if the row existed with unknown values. */
export type RowState = Image | 'unknown';

/** Without an old state the row was inserted; without a new one it was deleted. */
export type RowChange =
  | {
      readonly old: RowState;
      readonly new?: RowState | undefined;
      /** the columns that may differ now; left out: any */
      readonly changed?: ReadonlySet<string> | undefined;
    }
  | { readonly old?: undefined; readonly new: RowState };

/** Beyond these, the whole table counts as changed. */
export interface JournalLimits {
  /** remembered rows per table; old and new rows both count */
  readonly rows: number;
  /** characters of these rows' values */
  readonly characters: number;
}

export interface TableSummary extends Readonly<Counts> {
  readonly table: string;
  /** the changed rows are unknown, or too many to remember */
  readonly wide: boolean;
}

/** The changes between a savepoint and the next one. */
interface Layer {
  /** `undefined` for the transaction itself */
  readonly savepoint: string | undefined;
  readonly tables: Map<string, TableJournal>;
}

const DEFAULT_LIMITS: JournalLimits = { rows: 10_000, characters: 4_000_000 };

/**
 * The changes of one transaction. It follows savepoints as PostgreSQL does. Its size is bounded: after too many
 * changes of a table, the whole table counts as changed.
 */
export class Journal {
  readonly #limits: JournalLimits;
  /** never empty; the first one is the transaction itself */
  #layers: Layer[] = [newLayer(undefined)];
  #xid: string | undefined;
  /** the latest result of {@link #without} */
  #known:
    | {
        readonly of: Row['positions'];
        readonly without: ReadonlySet<string>;
        readonly left: Row['positions'];
      }
    | undefined;

  constructor(limits: JournalLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
  }

  /** The transaction's id, if an image contained it. */
  get xid(): string | undefined {
    return this.#xid;
  }

  get isEmpty(): boolean {
    return this.#layers.every(layer => layer.tables.size === 0);
  }

  /**
   * Records that a row was inserted, updated or deleted.
   *
   * @param table its full name in the store
   */
  record(table: string, change: RowChange): void {
    const journal = this.#journalOf(table);
    journal.counts[change.old ? (change.new ? 'updated' : 'deleted') : 'inserted']++;
    const changed = change.old && change.changed;
    this.#add(table, journal, { old: this.#rowOf(change.old), new: this.#rowOf(change.new), changed });
  }

  /**
   * Records an update for which only the new row is known. The columns that were not set had the same values before.
   *
   * @param set all columns that may have changed, including generated columns and columns set by triggers
   * @param sure whether the row existed; if not, it may have been inserted
   */
  recordUpdate(table: string, image: Image, set: ReadonlySet<string>, sure = true): void {
    const journal = this.#journalOf(table);
    journal.counts.updated++;
    const row = this.#rowOf(image)!;
    const old = { ...row, positions: this.#without(row.positions, set) };
    this.#add(table, journal, { old, new: row, changed: sure ? set : undefined });
  }

  /** Records that anything in the table may have changed. */
  widen(table: string): void {
    this.#journalOf(table).widen();
  }

  /** @param name as PostgreSQL stores it: folded if unquoted, truncated if too long */
  savepoint(name: string): void {
    this.#layers.push(newLayer(name));
  }

  /** Drops the changes since the savepoint, which remains. An unknown name changes nothing. */
  rollbackTo(name: string): void {
    const at = this.#indexOf(name);
    if (at > 0) {
      this.#layers = [...this.#layers.slice(0, at), newLayer(name)];
    }
  }

  /** Ends the savepoint and later ones; their changes become part of the enclosing layer. */
  release(name: string): void {
    const at = this.#indexOf(name);
    if (at > 0) {
      for (const layer of this.#layers.splice(at)) {
        absorb(this.#top, layer);
      }
    }
  }

  /**
   * Unknown savepoints or transactions were started or ended, so a known name may refer to another savepoint. Earlier
   * changes are no longer dropped by a rollback.
   */
  loseSavepoints(): void {
    for (const layer of this.#layers.splice(1)) {
      absorb(this.#top, layer);
    }
  }

  /** The changes to mark in a store before COMMIT. A view: it includes changes that are recorded later. */
  changes(): TableChange[] {
    return [...this.#tables()].map(([table, parts]) => tableChange(table, parts));
  }

  /** A summary for events. */
  describe(): TableSummary[] {
    return [...this.#tables()].map(([table, parts]) => ({
      table,
      inserted: sum(parts.map(part => part.counts.inserted)),
      updated: sum(parts.map(part => part.counts.updated)),
      deleted: sum(parts.map(part => part.counts.deleted)),
      wide: parts.some(part => part.wide),
    }));
  }

  get #top(): Layer {
    return this.#layers.at(-1)!;
  }

  #indexOf(savepoint: string): number {
    return this.#layers.findLastIndex(layer => layer.savepoint === savepoint);
  }

  #journalOf(table: string): TableJournal {
    return getOrCreate(this.#top.tables, table, () => new TableJournal());
  }

  #tables(): Map<string, TableJournal[]> {
    const tables = new Map<string, TableJournal[]>();
    for (const layer of this.#layers) {
      for (const [table, journal] of layer.tables) {
        getOrCreate(tables, table, () => []).push(journal);
      }
    }
    return tables;
  }

  #rowOf(state: RowState | undefined): Row | undefined {
    if (typeof state !== 'object') {
      return state && UNKNOWN_ROW;
    }
    this.#xid = state.xid;
    return state.row;
  }

  /** The positions of columns that stay known. All rows of a statement have the same. */
  #without(positions: Row['positions'], unknown: ReadonlySet<string>): Row['positions'] {
    if (this.#known?.of !== positions || this.#known.without !== unknown) {
      const left = new Map([...positions].filter(([column]) => !unknown.has(storedColumn(column))));
      this.#known = { of: positions, without: unknown, left };
    }
    return this.#known.left;
  }

  #add(table: string, journal: TableJournal, pair: RowPair): void {
    const parts =
      this.#layers.length === 1 ? [journal] : this.#layers.flatMap(layer => layer.tables.get(table) ?? []);
    if (parts.some(part => part.wide)) {
      return;
    }
    journal.add(pair);
    const tooMany = sum(parts.map(part => part.rows)) > this.#limits.rows;
    if (tooMany || sum(parts.map(part => part.characters)) > this.#limits.characters) {
      journal.widen();
    }
  }
}

const UNKNOWN_ROW: Row = { positions: new Map(), values: [], kinds: new Map(), stored: [] };

function newLayer(savepoint: string | undefined): Layer {
  return { savepoint, tables: new Map() };
}

function absorb(earlier: Layer, later: Layer): void {
  for (const [table, journal] of later.tables) {
    getOrCreate(earlier.tables, table, () => new TableJournal()).absorb(journal);
  }
}

function getOrCreate<K, V>(map: Map<K, V>, key: K, create: () => V): V {
  let value = map.get(key);
  if (value === undefined) {
    value = create();
    map.set(key, value);
  }
  return value;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
