import { DEFINITION, type Query } from './query.js';

export interface Row {
  readonly id: string;
  readonly category: string;
  readonly title: string;
}

export interface Transaction {
  readonly xid: number;
  readonly id: string;
  readonly before: Row | undefined;
  /** if omitted, the row is deleted */
  readonly after: Row | undefined;
  status: 'in progress' | 'committed' | 'aborted';
}

const FIRST_XID = 100;

/** The part of PostgreSQL that the protocol uses: one table, READ COMMITTED, row locks and transaction ids. */
export class TinyDatabase {
  #rows: ReadonlyMap<string, Row>;
  /** the rows after each commit so far */
  readonly #past: ReadonlyMap<string, Row>[];
  readonly #transactions: Transaction[] = [];

  constructor(rows: readonly Row[]) {
    this.#rows = new Map(rows.map(row => [row.id, row]));
    this.#past = [this.#rows];
  }

  /** Counts the commits. */
  get now(): number {
    return this.#past.length - 1;
  }

  get(id: string): Row | undefined {
    return this.#rows.get(id);
  }

  /** Whether the definition is visible now. */
  get isDefined(): boolean {
    return this.#rows.has(DEFINITION.id);
  }

  /** The result of a statement that starts now. */
  select(query: Omit<Query, 'address'>): string {
    return this.#selectFrom(this.#rows, query);
  }

  /** The results since a time, each different from the one before. */
  selectSince(time: number, query: Query): string[] {
    const results = this.#past.slice(time).map(rows => this.#selectFrom(rows, query));
    return results.filter((result, i) => result !== results[i - 1]);
  }

  #selectFrom(
    all: ReadonlyMap<string, Row>,
    { anyOf, tested, counts, joins, redefined }: Omit<Query, 'address'>,
  ): string {
    const meant = redefined && this.isDefined ? redefined.anyOf : anyOf;
    const sets = meant.map(wanted => [...all.values()].filter(row => matches(row, { ...wanted, ...tested })));
    if (joins) {
      return JSON.stringify(sets.reduce((product, rows) => product * rows.length, 1));
    }
    const rows = [...new Set(sets.flat())];
    return JSON.stringify(counts ? rows.length : rows.sort((x, y) => x.id.localeCompare(y.id)));
  }

  isLocked(id: string): boolean {
    return this.#transactions.some(transaction => transaction.id === id && isRunning(transaction));
  }

  /** Starts a transaction that writes this row. The row must not be locked. */
  write(id: string, after: Row | undefined): Transaction {
    const xid = FIRST_XID + this.#transactions.length;
    const transaction: Transaction = { xid, id, before: this.#rows.get(id), after, status: 'in progress' };
    this.#transactions.push(transaction);
    return transaction;
  }

  commit(transaction: Transaction): void {
    const { id, after } = transaction;
    const others = [...this.#rows].filter(([other]) => other !== id);
    this.#rows = new Map(after ? [...others, [id, after]] : others);
    this.#past.push(this.#rows);
    transaction.status = 'committed';
  }

  abort(transaction: Transaction): void {
    transaction.status = 'aborted';
  }

  /** As `pg_xact_status()`. */
  status(xid: number): Transaction['status'] {
    return this.#transactions[xid - FIRST_XID]!.status;
  }

  /** As in a snapshot: one more than the newest ended transaction. A newer one may be running. */
  get xmax(): number {
    const ended = this.#transactions.filter(transaction => !isRunning(transaction));
    return Math.max(FIRST_XID - 1, ...ended.map(({ xid }) => xid)) + 1;
  }

  /** The open transactions that hold a writer's lock on the table. */
  get running(): number[] {
    return this.#transactions.filter(isRunning).map(({ xid }) => xid);
  }

  get state(): unknown {
    return [[...this.#rows.values()].sort((x, y) => x.id.localeCompare(y.id)), this.#transactions];
  }
}

function matches(row: Row, wanted: Partial<Row>): boolean {
  return Object.entries(wanted).every(([column, value]) => row[column as keyof Row] === value);
}

function isRunning({ status }: Transaction): boolean {
  return status === 'in progress';
}
