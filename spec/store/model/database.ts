import {
  type Dependency,
  type EntryAddress,
  type Scheme,
  type TableChange,
  WHOLE_TABLE,
} from '../../../lib/store/store.js';
import { dropping, scheme } from '../words.js';

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
  /** whether the writer can tell what it touches */
  readonly traceable: boolean;
}

/** The rows of a table that satisfy any of these conjunctions, for each table. */
export interface ModelQuery {
  readonly tables: readonly { readonly table: string; readonly anyOf: readonly Partial<Row>[] }[];
}

/** A database small enough to be seen through: READ COMMITTED, with row locks. */
export class ModelDatabase {
  readonly #rows = new Map<string, Row>();
  readonly #locks = new Map<string, ModelTransaction>();
  readonly running = new Set<ModelTransaction>();

  select({ tables }: ModelQuery): string {
    return JSON.stringify(
      tables.map(({ table, anyOf }) =>
        [...this.#rows]
          .filter(
            ([place, row]) => place.startsWith(`${table}/`) && anyOf.some(wanted => matches(row, wanted)),
          )
          .map(([, row]) => row)
          .sort((x, y) => x.id.localeCompare(y.id)),
      ),
    );
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
          changes.every(({ traceable }) => traceable)
            ? dropping(
                changes
                  .flatMap(({ before, after }) => [before, after])
                  .filter(row => row !== undefined)
                  .map(row => encode(asked, row)),
              )
            : undefined,
      };
    });
  }
}

/** @param key of the entry */
export function addressOf(key: string, { tables }: ModelQuery): EntryAddress {
  return {
    key,
    tables: tables.map(({ table, anyOf }) => ({ table, dependencies: anyOf.map(dependencyOf) })),
  };
}

function dependencyOf(wanted: Partial<Row>): Dependency {
  const columns = Object.keys(wanted).sort();
  const compared = columns.length > 0 ? scheme(...columns) : WHOLE_TABLE;
  return { scheme: compared, values: encode(compared, wanted) };
}

function encode({ columns }: Scheme, row: Partial<Row>): string {
  return columns.map(column => row[column as keyof Row]).join();
}

function matches(row: Row, wanted: Partial<Row>): boolean {
  return Object.entries(wanted).every(([column, value]) => row[column as keyof Row] === value);
}
