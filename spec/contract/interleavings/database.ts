export interface Row {
  readonly id: string;
  readonly category: string;
  readonly title: string;
}

export interface Transaction {
  readonly xid: number;
  readonly id: string;
  readonly before: Row | undefined;
  /** without it the row is deleted */
  readonly after: Row | undefined;
  status: 'in progress' | 'committed' | 'aborted';
}

/** As `pg_current_snapshot()`. Mind `xmax`: a transaction may be running that is newer. */
export interface Snapshot {
  /** the oldest transaction in progress */
  readonly xmin: number;
  /** the one after the newest transaction that has ended */
  readonly xmax: number;
}

const FIRST_XID = 100;

/** As much of PostgreSQL as the protocol sees: one table, READ COMMITTED, locks on rows, and ids of transactions. */
export class TinyDatabase {
  readonly #rows: Map<string, Row>;
  readonly #transactions: Transaction[] = [];

  constructor(rows: readonly Row[]) {
    this.#rows = new Map(rows.map(row => [row.id, row]));
  }

  get(id: string): Row | undefined {
    return this.#rows.get(id);
  }

  /** What a statement that starts now gives. */
  select(anyOf: readonly Partial<Row>[]): string {
    const rows = [...this.#rows.values()].filter(row => anyOf.some(wanted => matches(row, wanted)));
    return JSON.stringify(rows.sort((x, y) => x.id.localeCompare(y.id)));
  }

  isLocked(id: string): boolean {
    return this.#transactions.some(transaction => transaction.id === id && isRunning(transaction));
  }

  /** A transaction that has written this row, which must not be locked. */
  write(id: string, after: Row | undefined): Transaction {
    const xid = this.nextXid;
    const transaction: Transaction = { xid, id, before: this.#rows.get(id), after, status: 'in progress' };
    this.#transactions.push(transaction);
    return transaction;
  }

  commit(transaction: Transaction): void {
    const { id, after } = transaction;
    if (after) {
      this.#rows.set(id, after);
    } else {
      this.#rows.delete(id);
    }
    transaction.status = 'committed';
  }

  abort(transaction: Transaction): void {
    transaction.status = 'aborted';
  }

  /** As `pg_xact_status()`. */
  status(xid: number): Transaction['status'] {
    return this.#transactions[xid - FIRST_XID]!.status;
  }

  get snapshot(): Snapshot {
    const ended = this.#transactions.filter(transaction => !isRunning(transaction));
    const xmax = Math.max(FIRST_XID - 1, ...ended.map(({ xid }) => xid)) + 1;
    const running = this.#transactions.filter(isRunning);
    return { xmin: Math.min(xmax, ...running.map(({ xid }) => xid)), xmax };
  }

  /** Who is given it, and so every id before it was given out, is known to who asks for one of his own. */
  get nextXid(): number {
    return FIRST_XID + this.#transactions.length;
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
