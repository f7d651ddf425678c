import type { EntryAddress, TableChange } from '../../../lib/store/store.js';
import { schemeOf } from '../../../lib/values/encode.js';
import type { Dependency } from '../../../lib/values/scheme.js';
import { touchedBy, valuesOf } from '../steps.js';

export interface Row {
  readonly id: string;
  readonly a: string;
  readonly b: string;
}

/** A row as a transaction leaves it; without values it is deleted. */
export interface RowWrite {
  readonly table: string;
  readonly id: string;
  readonly values: Pick<Row, 'a' | 'b'> | undefined;
  /** the writer knows what it touches */
  readonly traceable: boolean;
  /** the writer does not know its row deltas */
  readonly vague: boolean;
}

/** The rows of a table that satisfy any of these conjunctions, for each table; or how many they are. */
export interface ModelQuery {
  readonly tables: readonly TableQuery[];
  readonly counts?: boolean;
}

export interface TableQuery {
  readonly table: string;
  readonly anyOf: readonly Partial<Row>[];
  /** what rows have to satisfy beside, and readers test themselves */
  readonly tested?: Partial<Row>;
}

/** A database small enough to be seen through: READ COMMITTED, with row locks. */
export class ModelDatabase {
  readonly #rows = new Map<string, Row>();
  readonly #locks = new Map<string, ModelTransaction>();
  readonly running = new Set<ModelTransaction>();

  select({ tables, counts }: ModelQuery): string {
    const results = tables.map(({ table, anyOf, tested = {} }) =>
      [...this.#rows]
        .filter(([place]) => place.startsWith(`${table}/`))
        .map(([, row]) => row)
        .filter(row => anyOf.some(wanted => matches(row, { ...wanted, ...tested })))
        .sort((x, y) => x.id.localeCompare(y.id)),
    );
    return JSON.stringify(counts ? results.map(rows => rows.length) : results);
  }

  /** A transaction that has made these writes, or nothing if it would have to wait for a lock. */
  begin(writes: readonly RowWrite[]): ModelTransaction | undefined {
    const places = new Map(writes.map(write => [`${write.table}/${write.id}`, write]));
    if ([...places.keys()].some(place => this.#locks.has(place))) {
      return undefined;
    }
    const changes = [...places].map(([place, write]) => ({
      place,
      table: write.table,
      traceable: write.traceable,
      vague: write.vague,
      before: this.#rows.get(place),
      after: write.values && { id: write.id, ...write.values },
    }));
    const transaction = new ModelTransaction(changes);
    for (const place of places.keys()) {
      this.#locks.set(place, transaction);
    }
    this.running.add(transaction);
    return transaction;
  }

  commit(transaction: ModelTransaction): void {
    for (const { place, after } of transaction.changes) {
      if (after) {
        this.#rows.set(place, after);
      } else {
        this.#rows.delete(place);
      }
    }
    this.rollback(transaction);
  }

  rollback(transaction: ModelTransaction): void {
    for (const { place } of transaction.changes) {
      this.#locks.delete(place);
    }
    this.running.delete(transaction);
  }
}

interface RowChange {
  readonly place: string;
  readonly table: string;
  readonly traceable: boolean;
  readonly vague: boolean;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

export class ModelTransaction {
  readonly id: string = crypto.randomUUID();

  constructor(readonly changes: readonly RowChange[]) {}

  get tables(): string[] {
    return [...new Set(this.changes.map(({ table }) => table))];
  }

  /** What a writer says of it to a store. */
  tableChanges(): TableChange[] {
    return this.tables.map(table => {
      const changes = this.changes.filter(change => change.table === table);
      return {
        table,
        touched: asked =>
          changes.every(({ traceable }) => traceable) ? touchedBy(asked, changes) : undefined,
      };
    });
  }
}

/** @param key of the entry */
export function addressOf(key: string, { tables, counts }: ModelQuery): EntryAddress {
  return {
    key,
    tables: tables.map(({ table, anyOf, tested }) => ({
      table,
      dependencies: anyOf.map(wanted => dependencyOf(wanted, tested, counts)),
    })),
  };
}

function dependencyOf(wanted: Partial<Row>, tested: Partial<Row> = {}, counts = false): Dependency {
  const scheme = schemeOf(Object.keys(wanted), counts ? [] : undefined, Object.keys(tested));
  return { scheme, values: valuesOf(scheme, wanted) };
}

function matches(row: Row, wanted: Partial<Row>): boolean {
  return Object.entries(wanted).every(([column, value]) => row[column as keyof Row] === value);
}
