import type { Transaction } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { DatabaseConnection } from 'kysely';
import { Journal, type JournalLimits } from '../../changes/journal.js';
import type { IsolationLevel, SessionEffects, TableName } from '../../sql/statement.js';
import type { Writer } from '../../store/store.js';
import { isHarmless, type Settings } from '../catalog/settings.js';
import type { Catalog } from '../catalog/table.js';
import type { PoolSettings } from './pool_settings.js';

/** Which settings of a session differ from those that the catalog was read with. */
export interface Changes {
  readonly role: boolean;
  readonly searchPath: boolean;
  /** the default isolation of its transactions */
  readonly isolation: boolean;
  /** how string constants are read; then no statement can be analysed */
  readonly syntax: boolean;
  /** settings that change results: time zone, formats … */
  readonly answers: boolean;
  /** names of custom settings (`app.tenant`), which functions and policies may read */
  readonly own: readonly string[];
}

/** The reason in events. */
export const NON_DEFAULT_SETTINGS = 'a session with settings of its own';

const NO_CHANGES: Changes = {
  role: false,
  searchPath: false,
  isolation: false,
  syntax: false,
  answers: false,
  own: [],
};

/** Settings with a field of their own in {@link Changes}. A name with a dot is a custom setting. */
const WITH_OWN_FIELD =
  /\.|^(role|session_authorization|search_path|default_transaction_isolation|transaction_\w+|set_config)$/;

/** The state of one physical connection to the database. */
export class Session {
  transaction: TransactionState | undefined;
  /** a statement may have changed its settings: they must be read again */
  settingsUnknown = false;
  readonly #pool: PoolSettings;
  readonly #always: Changes;
  /** as they were when it was opened; `undefined` if unknown */
  #settings: Settings | undefined;
  #changes: Changes;
  /** the changes that PostgreSQL has reported by itself since the settings were read */
  readonly #reported = new Map<string, string>();

  /**
   * @param pool the settings of other sessions of the pool
   * @param always what may change at any time without a statement that is seen
   */
  constructor(pool: PoolSettings, always: Partial<Changes> = {}) {
    this.#pool = pool;
    this.#always = { ...NO_CHANGES, ...always };
    this.#changes = this.#always;
  }

  get settings(): Settings | undefined {
    return this.#settings;
  }

  /** Whether no statement is known to have changed its settings, and no transaction is open. */
  get isUnchanged(): boolean {
    return this.#changes === this.#always && this.transaction === undefined;
  }

  /** Called with the settings of the new session, before any statement of the application. */
  open(settings: Settings): void {
    this.#settings = settings;
    this.#changes = this.#always;
    this.#reported.clear();
  }

  /**
   * Called if PostgreSQL reports that a setting has changed, for any reason. It does so for some settings only: time zone,
   * formats of dates and intervals, encoding …
   */
  report(name: string, value: string): void {
    const key = name.toLowerCase();
    if (!isHarmless(key)) {
      this.#reported.set(key, value);
    }
  }

  /** Whether no reported setting differs from those that were read. */
  get isAsRead(): boolean {
    const values = this.#settings?.values;
    return (
      this.#reported.size === 0 || [...this.#reported].every(([name, value]) => values?.[name] === value)
    );
  }

  /** The changes of the session and of the open transaction. */
  get changes(): Changes {
    const { transaction } = this;
    return transaction?.changes ? both(this.#changes, transaction.changes) : this.#changes;
  }

  begin(isolation: IsolationLevel | undefined, limits: JournalLimits): void {
    this.transaction = new TransactionState(isolation, limits);
  }

  /**
   * Called if a transaction is open after a statement that contains several. It may be the same transaction as before or
   * another one, with any isolation.
   */
  continue(limits: JournalLimits): void {
    this.transaction ??= new TransactionState(undefined, limits);
    this.transaction.isolation = 'serializable';
    this.transaction.wrote = true;
    this.transaction.journal.loseSavepoints();
  }

  /** @param local until the end of the transaction; otherwise for good, because a rollback that undoes it is not followed */
  apply(effects: SessionEffects | undefined, local = false): void {
    if (!effects) {
      return;
    }
    const changes = changesBy(effects);
    if (local && this.transaction) {
      this.transaction.changes = both(this.transaction.changes ?? NO_CHANGES, changes);
    } else if (!isNothing(changes)) {
      this.#changes = both(this.#changes, changes);
      // settings that may change at any time are not worth reading
      this.settingsUnknown = isChanged(this.#changes) && !this.#always.role;
    }
  }

  /** Called with the present settings of the session. */
  refresh(now: Settings): void {
    const { own, isolation } = this.#changes;
    const before = this.#settings;
    const isIn = this.transaction !== undefined;
    const changes = {
      role: now.user !== before?.user,
      searchPath: now.path !== before?.path || !now.isUnderstood,
      // the isolation of the open transaction may have changed instead of the default
      isolation: now.isolation !== before?.isolation || (isIn && isolation),
      syntax: !now.isStandard,
      answers: now.digest !== before?.digest,
      // the digest lacks custom settings that the session has set
      own,
    };
    this.#changes = isNothing(changes) ? this.#always : both(this.#always, changes);
    // a setting may be local to the transaction, which cannot be seen: they are read again after its end
    this.settingsUnknown = isChanged(this.#changes) && isIn;
  }

  /** Whether statements have changed settings for longer than a transaction, and a query may have another result for it. */
  get deviates(): boolean {
    const { role, searchPath, syntax, answers } = this.#changes;
    return this.#changes !== this.#always && (role || searchPath || syntax || answers);
  }

  /** Whether statements have set custom settings for longer than a transaction. */
  get hasLastingOwnSettings(): boolean {
    return this.#changes.own.length > 0;
  }

  /** Whether it may answer a query differently than other sessions of the pool. */
  get hasNonDefaultSettings(): boolean {
    const { role, searchPath, syntax, answers } = this.changes;
    return role || searchPath || syntax || answers || !this.#isOfPool || !this.isAsRead;
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

  /** Whether its statements can be analysed: string constants are read as in standard SQL. */
  get isReadable(): boolean {
    return !this.changes.syntax && (this.#settings ? this.#settings.isStandard : this.#always.answers);
  }

  /** Whether a name without a schema resolves to the same table as in the catalog. */
  resolvesBy(catalog: Catalog): boolean {
    return !this.changes.searchPath && !this.changes.role && this.#settings?.path === catalog.path.join();
  }

  /**
   * Whether it has custom settings that are not in the key. A result of a function or policy that reads them
   * (`current_setting('app.tenant')`) must not be shared.
   *
   * @param known names in the key, in lower case
   */
  hasOwnSettings(known: ReadonlySet<string>): boolean {
    return !this.changes.own.every(name => known.has(name));
  }

  /** Whether a query here sees exactly what is committed now. */
  get seesCommitted(): boolean {
    return !this.transaction || (!this.transaction.ddl && this.isReadCommitted(false));
  }

  /**
   * Whether each statement of the open transaction has a snapshot of its own.
   *
   * @param byDefault used if the default isolation of the session is unknown
   */
  isReadCommitted(byDefault: boolean): boolean {
    const isDefault = this.#settings?.isolation.startsWith('read') ?? byDefault;
    return (this.transaction?.isolation?.startsWith('read') ?? isDefault) && !this.changes.isolation;
  }

  /**
   * Why the open transaction may not use the shared cache, if it may not.
   *
   * @param readCommitted transactions are READ COMMITTED by default
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
    answers: !effects.settings?.every(name => isHarmless(name) || WITH_OWN_FIELD.test(name)),
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
  /** `undefined`: the default. Where it is not known, the highest */
  isolation: IsolationLevel | undefined;
  /** settings that last until its end */
  changes: Changes | undefined;
  /** the catalog that its first statement was analysed by */
  catalog: Catalog | undefined;
  /** what triggers of its statements, also deferred ones, change in the settings of the session */
  effects: SessionEffects | undefined;
  /** it has changed the schema */
  ddl = false;
  /** it has sent a statement that is not a plain query */
  wrote = false;
  /** full names of the tables that its statements wrote to, or tried to write to */
  readonly tables = new Set<string>();
  /** names of the entities that the unit of work announced, with their tables */
  readonly announced = new Map<string, readonly TableName[]>();
  /** the writer of its marks, once it has marked */
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

/** The session behind a transaction context of the ORM; `undefined` if its connection is not tracked. */
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

/** Names of the custom settings that the ORM sets from the session context, which is in the key. */
export function settingsInKey(em: SqlEntityManager): ReadonlySet<string> {
  const { variables = {} } = em.getSessionContext() ?? {};
  return new Set(Object.keys(variables).map(name => name.toLowerCase()));
}

/** The part of kysely's controlled transaction that is used. */
interface TransactionContext {
  getExecutor(): {
    provideConnection<T>(consumer: (connection: DatabaseConnection) => Promise<T>): Promise<T>;
  };
}
