import type { Transaction } from '@mikro-orm/core';
import type { MikroORM, SqlEntityManager } from '@mikro-orm/postgresql';
import { deferred } from '../../support/deferred.js';

export type Isolation = 'read committed' | 'repeatable read' | 'serializable';

/** How a transaction begins. Inside another one, the first and the last kind create a savepoint. */
export type Opening = 'transactional' | 'requires_new' | 'begin' | 'kysely' | 'prepared';

export type Outcome = 'commit' | 'rollback';

/** How a transaction changes a setting. What `set` changes is restored at its end, for the next user of the connection. */
export type SettingHow = 'set' | 'set local' | 'set_config';

export interface Setting {
  readonly name: string;
  readonly value: string;
}

/** An open transaction, or a savepoint in it. */
interface Frame {
  readonly em: SqlEntityManager;
  end(outcome: Outcome): Promise<void>;
  /** makes it a prepared transaction, which any session can decide as planned, and returns its name */
  prepare?(planned: Outcome): Promise<string>;
}

/** More frames would need more connections than the pool has. */
const MAX_FRAMES = 3;

/** A program at work: its EntityManager, and its open transactions, nested in each other. */
export class Session {
  readonly orm: MikroORM;
  #em: SqlEntityManager;
  readonly #frames: Frame[] = [];
  /** what settings were before `set` changed them, by frame */
  readonly #set = new WeakMap<Frame, Setting[]>();
  readonly #hasPrepared: boolean;

  /** @param hasPrepared whether the database has prepared transactions */
  constructor(orm: MikroORM, hasPrepared: boolean) {
    this.orm = orm;
    this.#hasPrepared = hasPrepared;
    this.#em = orm.em.fork();
  }

  get em(): SqlEntityManager {
    return this.#frames.at(-1)?.em ?? this.#em;
  }

  get context(): Transaction | undefined {
    return this.em.getTransactionContext();
  }

  async open(how: Opening, isolationLevel: Isolation | undefined): Promise<void> {
    if (this.#frames.length < MAX_FRAMES) {
      this.#frames.push(await this.#begin(how, isolationLevel));
    }
  }

  /** Ends the innermost transaction. Rolls it back if it cannot be committed. */
  async close(outcome: Outcome): Promise<void> {
    await this.#restoreSettings(outcome);
    await this.#frames.pop()?.end(outcome);
  }

  /** Prepares the only open transaction, and returns its name. */
  async prepare(): Promise<string | undefined> {
    await this.#restoreSettings('commit');
    return this.#frames.pop()?.prepare?.('commit');
  }

  get canPrepare(): boolean {
    return this.#hasPrepared && this.#frames.at(-1)?.prepare !== undefined;
  }

  /** Changes a setting in the innermost transaction. */
  async change(how: SettingHow, { name, value }: Setting): Promise<void> {
    const frame = this.#frames.at(-1);
    if (!frame) {
      return;
    }
    if (how === 'set_config') {
      await frame.em.execute('select set_config(?, ?, true)', [name, value.replaceAll("'", '')]);
      return;
    }
    if (how === 'set') {
      const [row] = await frame.em.execute<Setting[]>('select current_setting(?) as value', [name]);
      this.#set.set(frame, [{ name, value: row!.value }, ...(this.#set.get(frame) ?? [])]);
    }
    await frame.em.execute(`${how} ${name} = ${value}`);
  }

  /** Also before a rollback, because PREPARE TRANSACTION keeps settings. */
  async #restoreSettings(outcome: Outcome): Promise<void> {
    const frame = this.#frames.at(-1);
    try {
      for (const { name, value } of (frame && this.#set.get(frame)) ?? []) {
        await frame!.em.execute('select set_config(?, ?, false)', [name, value]);
      }
    } catch (error) {
      if (outcome === 'commit') {
        throw error;
      }
    }
  }

  /** Ends the work after an error: the state of the EntityManager is undefined, and the transaction has failed. */
  async giveUp(): Promise<void> {
    await this.#restoreSettings('rollback');
    const frame = this.#frames.pop();
    if (frame) {
      await frame.end('rollback').catch(() => undefined);
    }
    if (this.#frames.length === 0) {
      this.#em = this.orm.em.fork();
    }
  }

  async abandon(): Promise<void> {
    while (this.#frames.length > 0) {
      await this.giveUp();
    }
  }

  #begin(how: Opening, isolationLevel: Isolation | undefined): Promise<Frame> {
    const options = isolationLevel && !this.context ? { isolationLevel } : {};
    switch (how) {
      case 'transactional':
        return callback(this.em, options);
      case 'requires_new':
        return callback(this.em, {
          ...(isolationLevel && { isolationLevel }),
          propagation: 'requires_new' as const,
        });
      case 'begin':
        return this.context ? callback(this.em, {}) : begin(this.em, options);
      case 'kysely':
        return this.context ? savepoint(this.em) : kysely(this.em, isolationLevel);
      case 'prepared':
        return this.context || !this.#hasPrepared
          ? this.#begin('begin', isolationLevel)
          : prepared(this.em, options);
    }
  }
}

const ROLLBACK = new Error('rolled back on purpose');

/** `em.transactional()`, whose callback runs until the frame ends. */
async function callback(
  outer: SqlEntityManager,
  options: NonNullable<Parameters<SqlEntityManager['transactional']>[1]>,
): Promise<Frame> {
  const begun = deferred<SqlEntityManager>();
  const ending = deferred();
  const done = outer.transactional(async em => {
    begun.resolve(em as SqlEntityManager);
    await ending.promise;
  }, options);
  done.catch(begun.reject);
  return {
    em: await begun.promise,
    async end(outcome) {
      if (outcome === 'commit') {
        ending.resolve();
        await done;
      } else {
        ending.reject(ROLLBACK);
        await done.catch(error => {
          if (error !== ROLLBACK) {
            throw error;
          }
        });
      }
    },
  };
}

async function begin(em: SqlEntityManager, options: object): Promise<Frame> {
  await em.begin(options);
  const end = async (outcome: Outcome) => {
    if (outcome === 'rollback') {
      return em.rollback();
    }
    try {
      await em.commit();
    } catch (error) {
      await em.rollback();
      throw error;
    }
  };
  const prepare = async (outcome: Outcome) => {
    const name = crypto.randomUUID();
    try {
      if (outcome === 'commit') {
        await em.flush();
      }
      await em.execute(`prepare transaction '${name}'`);
    } catch (error) {
      await em.rollback();
      throw error;
    }
    // this session has nothing left to commit or to roll back
    await end(outcome);
    return name;
  };
  return { em, end, prepare };
}

/** A two-phase transaction: another session decides it. */
async function prepared(em: SqlEntityManager, options: object): Promise<Frame> {
  const { prepare, ...frame } = await begin(em, options);
  return {
    ...frame,
    async end(outcome) {
      await em.getConnection().execute(`${outcome} prepared '${await prepare!(outcome)}'`);
    },
  };
}

/** A transaction that kysely begins. The ORM works in it through an option. */
async function kysely(outer: SqlEntityManager, isolation: Isolation | undefined): Promise<Frame> {
  const start = outer.getKysely().startTransaction();
  const transaction = await (isolation ? start.setIsolationLevel(isolation) : start).execute();
  return {
    em: within(outer, transaction as never),
    async end(outcome) {
      await (outcome === 'commit' ? transaction.commit() : transaction.rollback()).execute();
    },
  };
}

let savepoints = 0;

async function savepoint(outer: SqlEntityManager): Promise<Frame> {
  const name = `kysely${savepoints++}`;
  const transaction = outer.getTransactionContext<any>();
  const inner = await transaction.savepoint(name).execute();
  return {
    em: within(outer, inner),
    async end(outcome) {
      await (outcome === 'commit' ? inner.releaseSavepoint(name) : inner.rollbackToSavepoint(name)).execute();
    },
  };
}

/** An EntityManager of the same ORM, inside a transaction or outside. */
export function within(em: SqlEntityManager, context: Transaction | undefined): SqlEntityManager {
  const fork = em.fork({ clear: true });
  fork.setTransactionContext(context as never);
  return fork;
}
