import { wrap } from '@mikro-orm/core';
import { getCacheops, type ReadEvent } from '../lib/index.js';
import { claimEqual } from './claim.js';
import type { Orm } from './database.js';
import { type Answer, inWords, type Question } from './questions.js';

export interface Reply {
  readonly question: Question;
  /** in words */
  readonly answer: string;
  /** the whole answer, to compare it with later ones */
  readonly plain: unknown;
  readonly source: ReadEvent['source'];
  /** its dependencies, as in the `read` event */
  readonly dependencies: readonly string[];
  /** milliseconds */
  readonly duration: number;
}

/** Runs each query twice, with and without the cache. Both answers must be the same. */
export class Interview {
  /** all replies so far */
  readonly replies: Reply[] = [];
  /** durations without the cache, in milliseconds */
  readonly uncached = new Map<Question, number[]>();
  readonly #orm: Orm;
  readonly #interruption: AbortSignal;
  #reads: ReadEvent[] = [];

  constructor(orm: Orm, interruption: AbortSignal) {
    this.#orm = orm;
    this.#interruption = interruption;
    getCacheops(orm).events.on('read', event => this.#reads.push(event));
  }

  async ask(question: Question): Promise<Reply> {
    this.#interruption.throwIfAborted();
    const asked = await this.#put(question, {});
    const control = await this.#put(question, { cacheops: false });
    claimEqual(`${question.title}, past the cache`, control.read.source, 'database');
    claimEqual(
      `${question.title}, from the ${asked.read.source}`,
      plain(asked.answer),
      plain(control.answer),
    );
    const durations = this.uncached.get(question) ?? [];
    this.uncached.set(question, [...durations, control.duration]);
    const reply: Reply = {
      question,
      answer: inWords(asked.answer),
      plain: plain(asked.answer),
      source: asked.read.source,
      dependencies: asked.read.dependencies ?? [],
      duration: asked.duration,
    };
    this.replies.push(reply);
    return reply;
  }

  async #put(question: Question, options: { cacheops?: false }) {
    const em = this.#orm.em.fork();
    this.#reads = [];
    const started = performance.now();
    const answer = await question.ask(em, options);
    const duration = performance.now() - started;
    claimEqual(`${question.title}: number of reads`, this.#reads.length, 1);
    return { answer, duration, read: this.#reads[0]! };
  }
}

function plain(answer: Answer): unknown {
  if (typeof answer === 'number' || answer === null) {
    return answer;
  }
  return 'name' in answer ? wrap(answer).toObject() : answer.map(city => wrap(city).toObject());
}
