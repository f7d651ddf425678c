import type { Transaction } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { DatabaseConnection } from 'kysely';
import { Journal, type JournalLimits } from '../../changes/journal.js';
import type { IsolationLevel, SessionEffects, TableName } from '../../sql/statement.js';
import type { Writer } from '../../store/store.js';
import { isHarmless, type Settings } from '../catalog/settings.js';
import type { Catalog } from '../catalog/table.js';
import type { PoolSettings } from './pool_settings.js';

/** Which settings of a session are not those that the catalog was read with. */
export interface Changes {
  readonly role: boolean;
  readonly searchPath: boolean;
  /** how isolated its transactions are by default */
  readonly isolation: boolean;
  /** how string constants are read: no statement is understood */
  readonly syntax: boolean;
  /** what the same query is answered: time zone, formats … */
  readonly answers: boolean;
  /** the user's own (`app.tenant`), by name: plain queries do not see them, but functions may */
  readonly own: readonly string[];
}

/** Why it is not like others. */
export const NON_DEFAULT_SETTINGS = 'a session with settings of its own';

const NO_CHANGES: Changes = {
  role: false,
  searchPath: false,
  isolation: false,
  syntax: false,
  answers: false,
  own: [],
};

/** Settings of which more is said than that they change answers. What is named with a dot is the user's own. */
const TOLD_APART =
  /\.|^(role|session_authorization|search_path|default_transaction_isolation|transaction_\w+|set_config)$/;

/** What is known of one physical connection to the database. */
export class Session {
  transaction: TransactionState | undefined;
  /** whether it is worth asking the session itself what its settings are */
  settingsUnknown = false;
  readonly #pool: PoolSettings;
  readonly #always: Changes;
  /** with which it came up; `undefined`: not known */
  #settings: Settings | undefined;
  #changes: Changes;

  /**
   * @param pool what the sessions of its pool are like
   * @param always what may change at any time, without a statement that is seen
   */
  constructor(pool: PoolSettings, always: Partial<Changes> = {}) {
    this.#pool = pool;
    this.#always = { ...NO_CHANGES, ...always };
    this.#changes = this.#always;
  }

  get settings(): Settings | undefined {
    return this.#settings;
  }

  /** Whether it is as it came up, as far as that is known. */
  get isUnchanged(): boolean {
    return this.#changes === this.#always && this.transaction === undefined;
  }

  /** It has told what it is like, before a statement of the user's could change it. */
  open(settings: Settings): void {
    this.#settings = settings;
    this.#changes = this.#always;
  }

  /** Those of the session, and those that last until the end of the transaction. */
  get changes(): Changes {
    const { transaction } = this;
    return transaction?.changes ? both(this.#changes, transaction.changes) : this.#changes;
  }

  begin(isolation: IsolationLevel | undefined, limits: JournalLimits): void {
    this.transaction = new TransactionState(isolation, limits);
  }

  /**
   * A transaction is open after statements that have controlled it without being seen one by one. It may be the one
   * that was open before, or another one, of any isolation.
   */
  continue(limits: JournalLimits): void {
    this.transaction ??= new TransactionState(undefined, limits);
    this.transaction.isolation = 'serializable';
    this.transaction.wrote = true;
    this.transaction.journal.loseSavepoints();
  }

  /** @param local until the end of the transaction; else for good, for whether a rollback undoes it is not followed */
  apply(effects: SessionEffects | undefined, local = false): void {
    if (!effects) {
      return;
    }
    const changes = changesBy(effects);
    if (local && this.transaction) {
      this.transaction.changes = both(this.transaction.changes ?? NO_CHANGES, changes);
    } else if (!isNothing(changes)) {
      this.#changes = both(this.#changes, changes);
      // what varies anyway need not be asked for
      this.settingsUnknown = isChanged(this.#changes) && !this.#always.role;
    }
  }

  /** The session has told what its settings are now. */
  settle(now: Settings): void {
    const { own, isolation } = this.#changes;
    const before = this.#settings;
    const isIn = this.transaction !== undefined;
    const changes = {
      role: now.user !== before?.user,
      searchPath: now.path !== before?.path || !now.isUnderstood,
      // that of the open transaction may have been set, and not the default
      isolation: now.isolation !== before?.isolation || (isIn && isolation),
      syntax: !now.isStandard,
      answers: now.digest !== before?.digest,
      // the user's own settings it does not list
      own,
    };
    this.#changes = isNothing(changes) ? this.#always : both(this.#always, changes);
    // what lasts until the end of a transaction may be among it
    this.settingsUnknown = isChanged(this.#changes) && isIn;
  }

  /** Whether what it answers may be other than what another session would be answered. */
  get hasNonDefaultSettings(): boolean {
    const { role, searchPath, syntax, answers } = this.changes;
    return role || searchPath || syntax || answers || !this.#isOfPool;
  }

  get #isOfPool(): boolean {
    const settings = this.#settings;
    const { current } = this.#pool;
    return (
      settings?.isUnderstood === true &&
      settings.digest === current?.digest &&
      settings.loaded === current.loaded
    );
  }

  /** Whether its statements can be understood: they are when string constants are read as the standard says. */
  get isReadable(): boolean {
    return !this.changes.syntax && (this.#settings ? this.#settings.isStandard : this.#always.answers);
  }

  /** Whether a name without a schema means the same table to it as to whoever has read the catalog. */
  resolvesBy(catalog: Catalog): boolean {
    return !this.changes.searchPath && !this.changes.role && this.#settings?.path === catalog.path.join();
  }

  /**
   * Whether it has settings of the user's own, of which others do not know: what a function, or a query that nobody
   * looks into, finds by them (`current_setting('app.tenant')`, row-level security) is for nobody else.
   *
   * @param known names, in lower case, of those that are in the key
   */
  hasOwnSettings(known: ReadonlySet<string>): boolean {
    return !this.changes.own.every(name => known.has(name));
  }

  /** Whether what is asked here now is answered by what is committed by now, and by nothing else. */
  get seesCommitted(): boolean {
    return !this.transaction || (!this.transaction.ddl && this.isReadCommitted(false));
  }

  /**
   * Whether each statement of the transaction that is open here sees what is committed by then.
   *
   * @param byDefault whether transactions do
   */
  isReadCommitted(byDefault: boolean): boolean {
    const isDefault = this.#settings?.isolation.startsWith('read') ?? byDefault;
    return (this.transaction?.isolation?.startsWith('read') ?? isDefault) && !this.changes.isolation;
  }

  /**
   * Why the transaction that is open here may not use the shared cache, if it may not.
   *
   * @param readCommitted whether that is what transactions are by default
   */
  whyNotCached(readCommitted: boolean): string | undefined {
    if (this.hasNonDefaultSettings) {
      return NON_DEFAULT_SETTINGS;
    }
    const { transaction } = this;
    if (!transaction) {
      return 'a transaction that cannot be seen';
    }
    if (transaction.wrote) {
      return 'a transaction that has written';
    }
    return this.isReadCommitted(readCommitted) ? undefined : 'a transaction with a snapshot of its own';
  }
}

export function changesBy(effects: SessionEffects): Changes {
  return {
    role: effects.changesRole,
    searchPath: effects.changesSearchPath,
    isolation: effects.changesIsolation,
    syntax: effects.changesSyntax,
    answers: !effects.settings?.every(name => isHarmless(name) || TOLD_APART.test(name)),
    own: effects.settings?.filter(name => name.includes('.')) ?? [],
  };
}

function isChanged({ role, searchPath, syntax, answers, isolation }: Changes): boolean {
  return role || searchPath || syntax || answers || isolation;
}

function isNothing(changes: Changes): boolean {
  return !isChanged(changes) && changes.own.length === 0;
}

function both(a: Changes, b: Changes): Changes {
  return {
    role: a.role || b.role,
    searchPath: a.searchPath || b.searchPath,
    isolation: a.isolation || b.isolation,
    syntax: a.syntax || b.syntax,
    answers: a.answers || b.answers,
    own: b.own.length === 0 ? a.own : [...new Set([...a.own, ...b.own])],
  };
}

/** One transaction, from BEGIN to its end. */
export class TransactionState {
  readonly journal: Journal;
  /** where it is not known, the highest */
  isolation: IsolationLevel | undefined;
  /** settings that last until its end */
  changes: Changes | undefined;
  /** by which its statements were understood, the first at least */
  catalog: Catalog | undefined;
  /** what triggers of its statements do to settings, also those that are deferred until COMMIT */
  effects: SessionEffects | undefined;
  /** it has changed the schema */
  ddl = false;
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

export function registerSession(connection: DatabaseConnection, session: Session): void {
  sessions.set(connection, session);
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

/** Names of the settings that the ORM makes of the session context, which is in the key. */
export function settingsInKey(em: SqlEntityManager): ReadonlySet<string> {
  const { variables = {} } = em.getSessionContext() ?? {};
  return new Set(Object.keys(variables).map(name => name.toLowerCase()));
}

/** A controlled transaction of kysely, as far as it is looked at. */
interface TransactionContext {
  getExecutor(): {
    provideConnection<T>(consumer: (connection: DatabaseConnection) => Promise<T>): Promise<T>;
  };
}
