import type { Transaction } from '@mikro-orm/core';
import type { DatabaseConnection } from 'kysely';
import { Journal, type JournalLimits } from '../changes/journal.js';
import type { IsolationLevel, SessionEffects, TableName } from '../changes/statement.js';
import type { Writer } from '../store/store.js';

/** What is known of one physical connection to the database. */
export class Session {
  transaction: TransactionState | undefined;
  /** its role is not the one that the catalog was read with */
  roleChanged = false;
  searchPathChanged = false;
  /** what its transactions' isolation is by default is not known */
  isolationChanged = false;
  /** string constants may be read in another way: no statement is understood */
  syntaxChanged = false;

  begin(isolation: IsolationLevel | undefined, limits: JournalLimits): TransactionState {
    this.transaction = new TransactionState(isolation, limits);
    return this.transaction;
  }

  apply(effects: SessionEffects | undefined): void {
    if (effects) {
      this.roleChanged ||= effects.changesRole;
      this.searchPathChanged ||= effects.changesSearchPath;
      this.isolationChanged ||= effects.changesIsolation;
      this.syntaxChanged ||= effects.changesSyntax;
    }
  }

  /**
   * Why the transaction that is open here may not use the shared cache, if it may not.
   *
   * @param readCommitted whether that is what transactions are by default
   */
  whyNotCached(readCommitted: boolean): string | undefined {
    if (this.roleChanged || this.searchPathChanged || this.syntaxChanged) {
      return 'a session with settings of its own';
    }
    const { transaction } = this;
    if (!transaction) {
      return 'a transaction that cannot be seen';
    }
    if (transaction.wrote) {
      return 'a transaction that has written';
    }
    const { isolation } = transaction;
    const committed = isolation ? isolation.startsWith('read') : readCommitted && !this.isolationChanged;
    return committed ? undefined : 'a transaction with a snapshot of its own';
  }
}

/** One transaction, from BEGIN to its end. */
export class TransactionState {
  readonly journal: Journal;
  readonly isolation: IsolationLevel | undefined;
  /** it has sent something that is not a plain query */
  wrote = false;
  /** full names of the tables that its statements wrote to, or tried to */
  readonly tables = new Set<string>();
  /** the entities that the unit of work said it would write, by name, with their tables */
  readonly announced = new Map<string, readonly TableName[]>();
  /** what it was marked as, once it was */
  writer: Writer | undefined;

  constructor(isolation: IsolationLevel | undefined, limits: JournalLimits) {
    this.isolation = isolation;
    this.journal = new Journal(limits);
  }
}

const sessions = new WeakMap<DatabaseConnection, Session>();
const sessionsByContext = new WeakMap<object, Session>();

export function trackSession(connection: DatabaseConnection): Session {
  const session = new Session();
  sessions.set(connection, session);
  return session;
}

/** The session behind a transaction context of the ORM, or `undefined` if it is none of this extension's. */
export async function sessionOf(ctx: Transaction): Promise<Session | undefined> {
  const context = ctx as unknown as TransactionContext;
  let session = sessionsByContext.get(context);
  if (!session) {
    session = await context.getExecutor().provideConnection(async connection => sessions.get(connection));
    if (session) {
      sessionsByContext.set(context, session);
    }
  }
  return session;
}

/** A controlled transaction of kysely, as far as it is looked at. */
interface TransactionContext {
  getExecutor(): {
    provideConnection<T>(consumer: (connection: DatabaseConnection) => Promise<T>): Promise<T>;
  };
}
