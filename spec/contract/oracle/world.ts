import { setTimeout } from 'node:timers/promises';
import type { MikroORM, SqlEntityManager } from '@mikro-orm/postgresql';
import { type Cacheops, cacheops, type ErrorEvent, getCacheops } from '../../../lib/index.js';
import { type Attempt, attempt, isConflict, isOrdinary, isUnreadable, nameOf } from './attempt.js';
import type { Backend } from './backends.js';
import type { Database } from './databases.js';
import { brief } from './describe_step.js';
import { difference } from './difference.js';
import { type History, type ReadStep, SESSIONS, type Step, type WriteStep } from './history.js';
import { ObservedStore, SharedState, type Stopped } from './observed_store.js';
import { initialise, prepare } from './orms.js';
import { performRead } from './perform_read.js';
import { performWrite } from './perform_write.js';
import type { Read } from './reads.js';
import { RowOrder } from './row_order.js';
import { RESET } from './seed.js';
import { type Isolation, type Opening, type Outcome, Session, type Setting, within } from './session.js';
import { ZONES } from './settings.js';
import { Shadow } from './shadow.js';
import { pendingChanges, snapshot } from './snapshot.js';
import { Tally } from './tally.js';
import { isSameSnapshot } from './unordered.js';
import { vary } from './vary.js';
import { HOOKED, VERSIONS } from './versions.js';

/** The database and the cache disagree, or an unexpected error occurred. */
export class Disagreement extends Error {}

interface Parts {
  readonly database: Database;
  /** with a cache, as in several processes, each of another version */
  readonly orms: readonly MikroORM[];
  /** without a cache, one of each version */
  readonly references: readonly MikroORM[];
  readonly backend: Backend | undefined;
  readonly shared: SharedState;
  readonly shadow: Shadow;
  readonly order: RowOrder;
  /** what new connections of an ORM, and of its reference, are set to */
  readonly hooked: (readonly Setting[])[];
  /** whether the database has prepared transactions */
  readonly hasPrepared: boolean;
}

/** One of the ORMs audits itself now and then. */
const AUDITED = 1;
const AUDIT = { audit: { share: 0.1 } };

/** A step that takes longer, in milliseconds, is assumed to wait for a slow reader. */
const PATIENCE = 200;

/** ORMs with a cache, and as many without, on the same database. */
export class World {
  readonly tally = new Tally();
  readonly #parts: Parts;
  #sessions: Session[] = [];
  #slow: Stopped[] = [];
  /** names of prepared transactions */
  #undecided: string[] = [];
  readonly #errors: ErrorEvent[] = [];
  readonly #mismatches: string[] = [];

  private constructor(parts: Parts) {
    this.#parts = parts;
    for (const { events } of this.handles) {
      events.on('error', error => this.#errors.push(error));
      events.on('mismatch', ({ entity, op }) => this.#mismatches.push(`${op} ${entity}`));
    }
  }

  /** @param backend if omitted, no ORM has a cache */
  static async create(database: Database, backend?: Backend): Promise<World> {
    await prepare(database);
    const shared = new SharedState();
    const shadow = new Shadow();
    const order = new RowOrder();
    const orms: MikroORM[] = [];
    const references: MikroORM[] = [];
    const hooked = [...HOOKED];
    for (const i of VERSIONS.keys()) {
      const cache =
        backend &&
        cacheops({ store: new ObservedStore(backend.storeOf(i), shared), ...(i === AUDITED && AUDIT) });
      const orm = await initialise(database, i, () => hooked[i]!, ...(cache ? [cache] : []));
      const reference = await initialise(database, i, () => hooked[i]!);
      shadow.follow(orm);
      order.follow(orm);
      order.follow(reference);
      orms.push(orm);
      references.push(reference);
    }
    const [row] = await orms[0]!.em
      .getConnection()
      .execute<{ max: string }[]>(`select current_setting('max_prepared_transactions') as max`);
    const hasPrepared = row!.max !== '0';
    return new World({ database, orms, references, backend, shared, shadow, order, hooked, hasPrepared });
  }

  get handles(): Cacheops[] {
    return this.#parts.backend ? this.#parts.orms.map(getCacheops) : [];
  }

  async play({ queries, steps }: History, onStep: (step: Step) => void = () => {}): Promise<void> {
    await this.#reset();
    this.tally.histories++;
    for (const step of steps) {
      onStep(step);
      this.tally.steps++;
      await this.#waitFor(this.#step(step, queries));
      await this.#idle();
      this.#checkErrors();
    }
    await this.#end();
    await this.#audit(queries);
  }

  async close(): Promise<void> {
    await this.#end();
    const { database, orms, references } = this.#parts;
    await Promise.all([...orms, ...references].map(orm => orm.close(true)));
    await database.end();
  }

  /** Repeats all queries after all work has ended. */
  async #audit(queries: readonly Read[]): Promise<void> {
    for (const session of this.#sessions) {
      for (const read of queries) {
        this.tally.reads++;
        await this.#readFresh(session, read);
      }
    }
  }

  async #step(step: Step, queries: readonly Read[]): Promise<void> {
    switch (step.kind) {
      case 'read':
        return this.#read(step, vary(queries[step.query]!, step.variant));
      case 'write':
        return this.#write(step);
      case 'open':
        return this.#transact(step.session, session => this.#open(session, step.how, step.isolation));
      case 'close':
        return this.#transact(step.session, session => session.close(step.outcome));
      case 'prepare':
        return this.#prepare(step.session);
      case 'decide':
        return this.#decide(step.session, step.pick, step.outcome);
      case 'setting':
        return this.#transact(step.session, session => session.change(step.how, step.setting));
      case 'reconnect':
        return this.#reconnect(step.session, step.settings);
      case 'zone':
        await this.#goOn();
        process.env.TZ = step.zone;
        return;
      case 'slow reader':
        return this.#startSlowReader(step.session, queries[step.query]!);
      case 'go on':
        return this.#goOn();
      case 'hold':
        this.#parts.shared[step.what === 'fills' ? 'holdsFills' : 'holdsSettles'] = true;
        return;
      case 'evict': {
        const keys = [...this.#parts.shared.keys];
        for (const n of step.keys) {
          if (keys.length > 0) {
            await this.#parts.backend?.evict(keys[n % keys.length]!);
          }
        }
        return;
      }
      case 'evict all':
        return this.#parts.backend?.evictAll();
    }
  }

  async #read({ session: index, em }: ReadStep, read: Read): Promise<void> {
    const session = this.#actor(index);
    this.tally.reads++;
    const failed = em === 'fresh' ? await this.#readFresh(session, read) : await this.#readOwn(session, read);
    if (failed && session.context) {
      await session.giveUp();
    }
  }

  /** Reads with new EntityManagers, so that everything about their results can be compared. */
  async #readFresh(session: Session, read: Read): Promise<boolean> {
    const { context } = session;
    const { backend, order } = this.#parts;
    const { result: cached, found: rows } = await order.record(() =>
      readAndDescribe(within(session.em, context), read, backend !== undefined),
    );
    const readPlain = () => readAndDescribe(within(this.#referenceOf(session).em, context), read, false);
    const plain = await readPlain();
    if (isConflictOf(cached) || isConflictOf(plain)) {
      this.tally.skipped++;
      return true;
    }
    if ('error' in cached && 'error' in plain) {
      this.tally.failedReads++;
      // the first error has ended the transaction, so the second error differs
      if (context) {
        return true;
      }
    }
    // the database may fail on a row that cannot be in the result; the cache need not ask again because of it
    if (!('error' in cached) && 'error' in plain && isUnreadable(plain.error)) {
      this.tally.unreadable++;
      return true;
    }
    const found = describeAttempt(cached);
    const expected = describeAttempt(plain);
    const isSame = (other: string) => found === other || isSameSnapshot(found, other, isOrdered(read));
    if (!isSame(expected) && !isSame(describeAttempt(await order.impose(rows, readPlain)))) {
      throw new Disagreement(
        `Asked ${brief(read)}
the cache gives another result than the database.
${difference(found, expected)}`,
      );
    }
    return 'error' in cached;
  }

  /** Reads with the session's own EntityManager: compares the rows, and the writes of a flush. */
  async #readOwn({ em }: Session, read: Read): Promise<boolean> {
    const clean = pendingChanges(em).length === 0;
    const { result, differences } = await this.#parts.shadow.watch(() =>
      attempt(() => performRead(em, read, this.#parts.backend !== undefined)),
    );
    if ('error' in result && isConflict(result.error)) {
      this.tally.skipped++;
      return true;
    }
    if (differences.length > 0) {
      throw new Disagreement(`The cache gives other rows than the database.\n${differences.join('\n')}`);
    }
    const pending = clean ? pendingChanges(em) : [];
    if (pending.length > 0) {
      throw new Disagreement(`After a read, a flush ${pending.join('\n')}`);
    }
    return 'error' in result;
  }

  async #write({ session: index, write }: WriteStep): Promise<void> {
    this.tally.writes++;
    await this.#transact(index, session => performWrite(session.em, write));
  }

  async #transact(index: number, work: (session: Session) => Promise<unknown>): Promise<void> {
    const session = this.#actor(index);
    const result = await attempt(() => work(session));
    if ('error' in result) {
      this.tally.fail(nameOf(result.error));
      if (!isOrdinary(result.error)) {
        throw new Disagreement(`A write failed unexpectedly: ${result.error}`, {
          cause: result.error,
        });
      }
      await session.giveUp();
    }
  }

  async #startSlowReader(index: number, read: Read): Promise<void> {
    // in a single session, it would read uncommitted changes of other programs
    if (this.#parts.database.isSingle) {
      return;
    }
    const em = within(this.#sessions[index]!.em, undefined);
    const reading = () => attempt(() => performRead(em, read, this.#parts.backend !== undefined));
    this.#slow.push(await this.#parts.shared.stopAfterLease(reading));
  }

  /**
   * Waits for the work. If it takes long, it waits for a slow reader of the same query: then the slow reader goes on.
   */
  async #waitFor(work: Promise<void>): Promise<void> {
    if (this.#slow.length > 0) {
      const isWaiting = await Promise.race([work.then(() => false), setTimeout(PATIENCE, true)]);
      if (isWaiting) {
        await this.#goOn();
      }
    }
    await work;
  }

  async #goOn(): Promise<void> {
    await this.#parts.shared.release();
    for (const { gate, done } of this.#slow.splice(0)) {
      gate.open();
      await done;
    }
  }

  /** The cache must not fail, nor report a mismatch that no comparison finds. */
  #checkErrors(): void {
    const [mismatch] = this.#mismatches.splice(0);
    if (mismatch) {
      throw new Disagreement(`The audit says that the cache was wrong: ${mismatch}`);
    }
    const [error] = this.#errors.splice(0).filter(each => !isOfTheDatabase(each));
    if (error) {
      throw new Disagreement(`The cache failed to ${error.operation}: ${error.error}`, {
        cause: error.error,
      });
    }
  }

  /** Waits for background work, so that a history always runs the same way. */
  async #idle(): Promise<void> {
    // background queries may wait for the only session
    if (this.#parts.database.isSingle && this.#sessions.some(({ context }) => context)) {
      return;
    }
    await Promise.all(this.handles.map(handle => handle.idle()));
  }

  /** The session that makes a step. If all share one database session, it is the one with an open transaction. */
  #actor(index: number): Session {
    const open = this.#parts.database.isSingle && this.#sessions.find(({ context }) => context);
    return open || this.#sessions[index]!;
  }

  /**
   * A second transaction needs a second database session. Entities loaded before `em.begin()` join its transaction.
   * Entities loaded before a callback may query outside its transaction, and block on it.
   */
  async #open(session: Session, how: Opening, isolation: Isolation | undefined): Promise<void> {
    if (!this.#parts.database.isSingle) {
      await session.open(how, isolation);
    } else if (!session.context) {
      await session.open('begin', isolation);
    }
  }

  /** Another session prepares its transaction if this one has none. */
  async #prepare(index: number): Promise<void> {
    const sessions = [...this.#sessions.slice(index), ...this.#sessions.slice(0, index)];
    const found = sessions.find(({ canPrepare }) => canPrepare);
    if (found) {
      await this.#transact(this.#sessions.indexOf(found), async session => {
        const name = await session.prepare();
        this.#undecided.push(...(name ? [name] : []));
      });
    }
  }

  async #decide(index: number | undefined, pick: number, outcome: Outcome): Promise<void> {
    const [name] = this.#undecided.splice(pick % this.#undecided.length || 0, 1);
    if (name) {
      const { orms, references } = this.#parts;
      const { em } = index === undefined ? references[0]! : orms[index]!;
      await em.getConnection().execute(`${outcome} prepared '${name}'`);
    }
  }

  async #reconnect(index: number, settings: readonly Setting[]): Promise<void> {
    const { database, orms, references, hooked } = this.#parts;
    if (database.isSingle || hooked[index] === settings) {
      return;
    }
    await this.#goOn();
    await this.#sessions[index]?.abandon();
    hooked[index] = settings;
    await Promise.all([orms[index]!.reconnect(), references[index]!.reconnect()]);
  }

  #referenceOf({ orm }: Session): MikroORM {
    return this.#parts.references[this.#parts.orms.indexOf(orm)]!;
  }

  async #end(): Promise<void> {
    await this.#goOn();
    for (const session of this.#sessions) {
      await session.abandon();
    }
    while (this.#undecided.length > 0) {
      await this.#decide(undefined, 0, 'rollback');
    }
    await this.#idle();
    await this.#parts.shared.reset();
  }

  async #reset(): Promise<void> {
    await this.#end();
    process.env.TZ = ZONES[0];
    for (const [index, settings] of HOOKED.entries()) {
      await this.#reconnect(index, settings);
    }
    await this.#parts.references[0]!.em.getConnection().executeDump(RESET);
    if (this.#parts.backend) {
      // keeps the stamp of the catalog, which has not changed
      await getCacheops(this.#parts.orms[0]!).invalidateAll();
    }
    this.#sessions = Array.from(
      { length: SESSIONS },
      (_, i) => new Session(this.#parts.orms[i]!, this.#parts.hasPrepared),
    );
  }
}

function isOrdered(read: Read): boolean {
  return 'options' in read
    ? read.options.orderBy !== undefined
    : 'orderBy' in read && read.orderBy !== undefined && !read.join;
}

async function readAndDescribe(em: SqlEntityManager, read: Read, cached: boolean): Promise<Attempt> {
  return attempt(async () => snapshot(em, await performRead(em, read, cached)));
}

function isConflictOf(result: Attempt): boolean {
  return 'error' in result && isConflict(result.error);
}

function describeAttempt(result: Attempt): string {
  return 'error' in result
    ? `an error: ${nameOf(result.error)}, ${String(result.error).split('\n')[0]}`
    : String(result.value);
}

/** An audit may fail on a lock timeout or an unreadable value, like any other query. */
function isOfTheDatabase({ operation, error }: ErrorEvent): boolean {
  return operation === 'audit' && (isConflict(error) || isUnreadable(error));
}
