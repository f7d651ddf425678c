import type { EntityManager } from '@mikro-orm/core';
import { CacheopsError } from '../../config/index.js';
import { answer, checkSamples, entityManagerOf, resolveSamples, type Samples, told } from '../answers.js';
import { type Address, addressKey, targetName } from './address.js';
import { type Answer, decodeAnswer, encodeAnswer, FORMAT } from './answer.js';
import { type Asked, aged, answerFor, published } from './conditional.js';
import { type ResolvedViewOptions, resolveViewOptions, type ViewOptions } from './options.js';
import { whyNotStored } from './storable.js';

/** A request, as far as views look at it. */
export interface Visit<R> extends Asked {
  readonly address: Address;
  /** what the user's functions are given */
  readonly request: R;
}

/** What becomes of an answer that a handler gave. */
export interface Decision {
  /** for this request: perhaps a 304 */
  readonly send: Answer;
  /** for all others, if it is for them */
  readonly keep: Answer | undefined;
}

/**
 * A handler whose answers are kept. It knows nothing of frameworks: those find out what was asked, have the handler
 * run, and send what is given to them.
 *
 * Order, as for queries: the lease first, the handler second, the fill third. So what a handler reads while it is
 * being changed is never served.
 */
export class View<R> {
  readonly #samples: Samples<[R]> | undefined;
  readonly #options: ResolvedViewOptions<R>;
  readonly #vary: ReadonlySet<string>;
  readonly #what: string;

  /**
   * @param what for messages
   * @throws CacheopsError if an option is wrong, or if there is nothing to say how long answers are kept
   */
  constructor(what: string, samples: Samples<[R]> | undefined, options: ViewOptions<R>) {
    this.#what = what;
    this.#samples = samples;
    this.#options = resolveViewOptions(options, what);
    this.#vary = new Set(this.#options.vary.keys());
    if (samples !== undefined) {
      checkSamples([samples], what);
    } else if (this.#options.timeout === undefined) {
      throw new CacheopsError(`${what}: nothing says how long. Give a timeout, in seconds.`);
    }
  }

  /** Whether such a request uses the cache at all. */
  concerns({ method, headers }: Asked): boolean {
    return (
      (method === 'GET' || method === 'HEAD') &&
      headers.range === undefined &&
      headers.upgrade === undefined &&
      (headers.authorization === undefined || this.#vary.has('authorization'))
    );
  }

  /**
   * Returns the answer that is kept, or has the handler run and returns `undefined`.
   *
   * @param run runs the handler and sends what it answers; resolves with what to keep
   * @param em of the request; default: that of the options, or of the current `RequestContext`
   */
  async serve(
    visit: Visit<R>,
    run: () => Promise<Answer | undefined>,
    em?: EntityManager,
  ): Promise<Answer | undefined> {
    const { timeout } = this.#options;
    const request = {
      kind: 'view' as const,
      name: `GET ${visit.address.target}`, // a HEAD is answered from what a GET has left
      key: this.#key(visit),
      tags: [['url', targetName(visit.address.target)]] as const,
      ...(this.#samples !== undefined && {
        samples: resolveSamples(this.#samples, [visit.request], this.#what),
      }),
      ...(timeout !== undefined && { timeout }),
    };
    const manager = entityManagerOf(em ?? this.#options.orm, this.#what);
    const outcome = await answer(manager, request, async () => {
      const kept = await run();
      return { value: undefined, payload: kept && encodeAnswer({ ...kept, made: Date.now() }) };
    });
    return outcome.source === 'cache'
      ? answerFor(visit, aged(decodeAnswer(outcome.payload), Date.now()))
      : undefined;
  }

  /** @param given by the handler; without the fields that were there before it ran */
  decide(asked: Asked, given: Answer): Decision {
    const keeps =
      asked.method === 'GET' &&
      given.body.byteLength <= this.#options.maxBody &&
      whyNotStored(given, this.#vary) === undefined;
    const answer = keeps ? published(given, this.#vary) : given;
    return { send: answerFor(asked, answer), keep: keeps ? answer : undefined };
  }

  #key({ address, headers, request }: Visit<R>): string {
    const fields = [...this.#options.vary].map(([name, pick]) => [
      name,
      told(pick ? pick(request) : headers[name], `${this.#what}: vary: ${name}`),
    ]);
    const extra = told(this.#options.extra(request), `${this.#what}: extra`);
    return JSON.stringify([FORMAT, addressKey(address), fields, extra]);
  }
}
