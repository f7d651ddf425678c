import { IsolationLevel } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { withGranularity } from '../../../../lib/config/granularity.js';
import { type CacheopsOptions, cacheops, getCacheops } from '../../../../lib/index.js';
import { IMAGE_COLUMN } from '../../../../lib/sql/rewrite.js';
import { freshDatabase } from '../../../support/servers.js';
import { answerOf, isSingle } from './answer.js';
import { type Action, type Question, type Turn, WRITERS } from './arbitrary.js';
import { DEFERRED_KEY, entities, SEED, TABLES } from './shop.js';
import { StoppingStore } from './stopping_store.js';
import { Task } from './task.js';

type Em = MikroORM['em'];

interface Writer {
  readonly em: Em;
  saved: boolean;
  /** the end of its transaction */
  ending?: Task<void>;
}

interface Reading {
  readonly question: Question;
  readonly task: Task<string>;
  /** the database's answers since the question was asked */
  readonly accepted: Set<string>;
  isChecked: boolean;
}

const ISOLATION = {
  committed: IsolationLevel.READ_COMMITTED,
  repeatable: IsolationLevel.REPEATABLE_READ,
};

/** Options of the slow readers: processes that share a store may invalidate with different precision. */
const SETTINGS: readonly CacheopsOptions[] = [
  {},
  { maxIn: 1, maxConjunctions: 2 },
  withGranularity({}, 'equality'),
];

/**
 * Several processes on one store and one database. Only the process that is advanced runs: a process that waits stands
 * still, and a statement that would wait for a lock fails.
 */
export class World {
  readonly #store = new StoppingStore();
  readonly #plain: MikroORM;
  readonly #writing: MikroORM;
  readonly #reading: MikroORM;
  readonly #slow: readonly MikroORM[];
  #asked = 0;
  #writers: (Writer | undefined)[] = [];
  #readings: (Reading | undefined)[] = [];
  #questions: (Question | undefined)[] = [];
  #truths = new Map<Question, string>();
  readonly #log: string[] = [];

  static async create(): Promise<World> {
    const clientUrl = await freshDatabase('open');
    const plain = await MikroORM.init({ entities, clientUrl });
    await plain.schema.create();
    await plain.em.execute(DEFERRED_KEY);
    await plain.em.execute(
      `do $$ begin execute format('alter database %I set lock_timeout = 4', current_database()); end $$`,
    );
    return new World(plain, clientUrl);
  }

  private constructor(plain: MikroORM, clientUrl: string) {
    this.#plain = plain;
    const profiles = { '*': { ops: 'all', timeout: 60 } } as const;
    const join = (options: CacheopsOptions = {}) =>
      new MikroORM({
        entities,
        clientUrl,
        debug: ['cacheops'] as never,
        logger: message => {
          this.#asked += message.includes(IMAGE_COLUMN) ? 1 : 0;
        },
        extensions: [cacheops({ store: this.#store, profiles, ...options })],
      });
    this.#writing = join();
    this.#reading = join();
    this.#slow = SETTINGS.map(options => join(options));
    for (const orm of [this.#reading, ...this.#slow]) {
      const connection = orm.driver.getConnection('write') as unknown as Record<
        string,
        (...args: any[]) => any
      >;
      const { executeQuery } = connection;
      connection.executeQuery = async (...args) => {
        const result = await Task.untilDone(executeQuery!.apply(connection, args));
        await Task.mayStop();
        return result;
      };
    }
  }

  async close(): Promise<void> {
    for (const orm of [this.#writing, this.#reading, ...this.#slow, this.#plain]) {
      await orm.close(true);
    }
  }

  /** How often an entry was revalidated after deltas that did not matter, and how often that took a query. */
  get tally(): { revalidated: number; asked: number } {
    const all = [this.#reading, ...this.#slow].map(orm => getCacheops(orm).stats().revalidated);
    return { revalidated: all.reduce((total, each) => total + each, 0), asked: this.#asked };
  }

  /** @throws AssertionError if an answer differs from the database's */
  async check(questions: readonly Question[], turns: readonly Turn[]): Promise<void> {
    await this.#reset(questions);
    let { visibleChanges } = this.#store;
    try {
      for (const { action, times, looks } of turns) {
        for (let i = 0; i < times; i++) {
          await this.#do(action);
        }
        if (this.#store.visibleChanges !== visibleChanges) {
          for (const question of looks) {
            await this.#look(this.#reading, question);
          }
          await getCacheops(this.#reading).idle();
          visibleChanges = this.#store.visibleChanges;
        }
      }
    } finally {
      await this.#end();
    }
    for (const orm of [this.#reading, ...this.#slow, this.#reading]) {
      for (const question of questions.keys()) {
        await this.#look(orm, question);
      }
      await getCacheops(orm).idle();
    }
  }

  async #reset(questions: readonly Question[]): Promise<void> {
    await this.#plain.em.execute(`truncate ${TABLES.join(', ')}; ${SEED}`);
    await this.#store.clear();
    this.#log.length = 0;
    this.#writers = Array.from({ length: WRITERS }, () => undefined);
    this.#readings = SETTINGS.map(() => undefined);
    this.#truths.clear();
    this.#questions = [];
    for (const question of questions) {
      const isUnderstood = await this.#truth(question).then(
        () => true,
        () => false,
      );
      this.#questions.push(isUnderstood ? question : undefined);
    }
    for (const question of questions.keys()) {
      await this.#look(this.#reading, question);
    }
    await getCacheops(this.#reading).idle();
  }

  async #end(): Promise<void> {
    for (const writer of this.#writers) {
      if (writer?.ending) {
        await writer.ending.finish();
      } else {
        await writer?.em.rollback();
      }
    }
    await this.#changed();
    for (const reading of this.#readings) {
      await reading?.task.finish();
    }
    for (const reading of this.#readings) {
      await this.#compare(reading);
    }
    for (const orm of [this.#writing, this.#reading, ...this.#slow]) {
      await getCacheops(orm).idle();
    }
  }

  async #do(action: Action): Promise<void> {
    this.#log.push(JSON.stringify(action));
    switch (action.type) {
      case 'slow':
        return this.#read(action.reader, action.question);
      case 'look':
        return this.#look(this.#reading, action.question, action.isolation);
      case 'autocommit':
        for (const sql of action.write) {
          await this.#send(this.#writing.em.fork(), sql);
          await this.#changed();
        }
        return;
      default:
        return this.#write(action);
    }
  }

  async #write(action: Extract<Action, { writer: number }>): Promise<void> {
    const writer = this.#writers[action.writer];
    if (writer?.ending) {
      await writer.ending.advance();
      await this.#changed();
      if (writer.ending.isOver) {
        await writer.ending.finish();
        this.#writers[action.writer] = undefined;
      }
      return;
    }
    if (action.type === 'write') {
      const { em } = writer ?? (await this.#begin(action.writer, action.repeatable));
      for (const sql of action.write) {
        await em.execute('savepoint statement');
        const isDone = await this.#send(em, sql);
        await em.execute(isDone ? 'release savepoint statement' : 'rollback to savepoint statement');
      }
      return;
    }
    if (!writer) {
      return;
    }
    switch (action.type) {
      case 'commit':
        writer.ending = await Task.start(() => commit(writer.em));
        await this.#changed();
        return;
      case 'rollback':
        this.#writers[action.writer] = undefined;
        return writer.em.rollback();
      case 'savepoint':
        writer.saved = true;
        await writer.em.execute('savepoint kept');
        return;
      default:
        if (writer.saved) {
          await writer.em.execute(
            action.type === 'undo' ? 'rollback to savepoint kept' : 'release savepoint kept',
          );
          writer.saved = action.type === 'undo';
        }
    }
  }

  async #begin(index: number, repeatable: boolean): Promise<Writer> {
    const em = this.#writing.em.fork();
    await em.begin({ isolationLevel: ISOLATION[repeatable ? 'repeatable' : 'committed'] });
    const writer: Writer = { em, saved: false };
    this.#writers[index] = writer;
    return writer;
  }

  /** @returns whether the statement succeeded without waiting */
  async #send(em: Em, sql: string): Promise<boolean> {
    const isDone = await em.execute(sql).then(
      () => true,
      () => false,
    );
    this.#log.push(`  ${isDone ? '' : 'not '}done: ${sql}`);
    return isDone;
  }

  async #read(index: number, asked: number): Promise<void> {
    const reading = this.#readings[index];
    if (reading) {
      await reading.task.advance();
      await this.#compare(reading);
      if (reading.task.isOver) {
        await reading.task.finish();
        this.#readings[index] = undefined;
      }
      return;
    }
    const question = this.#questions[asked];
    if (question) {
      const accepted = new Set([await this.#truth(question)]);
      const task = await Task.start(() => answerOf(this.#slow[index]!.em.fork(), question));
      this.#readings[index] = { question, task, accepted, isChecked: false };
    }
  }

  async #compare(reading: Reading | undefined): Promise<void> {
    if (reading?.task.hasEnded && !reading.isChecked) {
      reading.isChecked = true;
      const { question, task, accepted } = reading;
      const answer = await task.answer;
      if (isSingle(question)) {
        expect(answer, this.#describe(question)).to.be.oneOf([...accepted]);
      }
    }
  }

  async #look(
    orm: MikroORM,
    asked: number,
    isolation: Extract<Action, { type: 'look' }>['isolation'] = 'none',
  ): Promise<void> {
    const question = this.#questions[asked];
    if (question) {
      const em = orm.em.fork();
      const answer =
        isolation === 'none'
          ? await answerOf(em, question)
          : await em.transactional(inner => answerOf(inner, question), {
              isolationLevel: ISOLATION[isolation],
            });
      expect(answer, this.#describe(question)).to.equal(await this.#truth(question));
    }
  }

  /** The database's current answer. */
  async #truth(question: Question): Promise<string> {
    let truth = this.#truths.get(question);
    if (truth === undefined) {
      truth = await answerOf(this.#plain.em.fork(), question);
      this.#truths.set(question, truth);
    }
    return truth;
  }

  /** Called when a transaction may have been committed. */
  async #changed(): Promise<void> {
    this.#truths.clear();
    for (const reading of this.#readings) {
      if (reading && !reading.isChecked) {
        reading.accepted.add(await this.#truth(reading.question));
      }
    }
  }

  #describe(question: Question): string {
    return [JSON.stringify(question), ...this.#log].join('\n');
  }
}

async function commit(em: Em): Promise<void> {
  try {
    await em.commit();
  } catch {
    await em.rollback(); // the store has its mark, but the COMMIT failed
  }
}
