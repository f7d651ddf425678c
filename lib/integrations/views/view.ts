import type { EntityManager } from '@mikro-orm/core';
import { CacheopsError } from '../../config/error.js';
import {
  answerDecoded,
  checkSamples,
  entityManagerOf,
  resolveSamples,
  type Samples,
  told,
} from '../answers.js';
import { type Address, addressKey, targetName } from './address.js';
import { type Answer, decodeAnswer, encodeAnswer, FORMAT, type StoredAnswer } from './answer.js';
import { type Asked, answerFor, etagOf, fieldsNow, published } from './conditional.js';
import { changesOf, fieldOf, type HeaderFields, itemsOf } from './fields.js';
import { type ResolvedViewOptions, resolveViewOptions, type ViewOptions } from './options.js';
import { nameOfPlace, type Place } from './place.js';
import { hasUnknownFields } from './request_fields.js';
import { whyNotRepeated, whyNotShared } from './storable.js';

/** A request, as far as views look at it. */
export interface Visit<R> extends Asked {
  readonly address: Address;
  /** it has a body, or a certificate of the client */
  readonly hasMore: boolean;
  /** the fields that stand on the response before the view runs */
  readonly present: HeaderFields;
  /** which handler it is that answers; `undefined` if that is not certain: then nothing is cached */
  readonly place: Place | undefined;
  /** what else of the request has chosen the handler, beside its address */
  readonly chosen?: unknown;
  /** names of the request's fields that have chosen the handler */
  readonly choosing?: readonly string[];
  /** what the user's functions are given */
  readonly request: R;
}

/** A whole answer that a handler gave. */
export interface Given {
  readonly status: number;
  readonly message?: string | undefined;
  /** all fields of the response */
  readonly fields: HeaderFields;
  readonly body: Uint8Array;
}

/** What becomes of an answer that a handler gave. */
export interface Decision {
  /** for this request: perhaps a 304 */
  readonly send: Answer;
  /** for other requests, if it is for them, and if its head is sent as it is expected: see {@link Entered.confirm} */
  readonly keep: StoredAnswer | undefined;
}

/** The first part of a response, as it was sent. */
export interface Head {
  readonly status: number;
  readonly fields: HeaderFields;
}

/** Fields that name one client. They are in the key only if the option `vary` says so. */
const CREDENTIALS = ['authorization', 'cookie'];

/** What a request must not have, since the answer may then be another. */
const CONDITIONS_OF_OTHERS = ['range', 'if-range', 'if-match', 'if-unmodified-since', 'upgrade'];

/** So many fields are put into the key on the word of answers' `Vary`. */
const MAX_LEARNED = 16;

/**
 * A handler whose answers are kept. It knows nothing of frameworks: those find out what was asked, have the handler
 * run, and send what is given to them.
 *
 * Order, as for queries: the lease first, the handler second, the fill third. So what a handler reads while it is
 * being changed is never served.
 */
export class View<R> {
  readonly samples: Samples<[R]> | undefined;
  readonly options: ResolvedViewOptions<R>;
  /** names of the request's fields that the option `vary` gives */
  readonly vary: ReadonlySet<string>;
  /** names that answers have given in `Vary`: in the key of the requests that follow */
  readonly learned = new Set<string>();
  readonly what: string;

  /**
   * @param what for messages
   * @throws CacheopsError if an option is wrong, or if there is nothing to say how long answers are kept
   */
  constructor(what: string, samples: Samples<[R]> | undefined, options: ViewOptions<R>) {
    this.what = what;
    this.samples = samples;
    this.options = resolveViewOptions(options, what);
    this.vary = new Set(this.options.vary.keys());
    if (samples !== undefined) {
      checkSamples([samples], what);
    } else if (this.options.timeout === undefined) {
      throw new CacheopsError(`${what}: nothing says how long. Give a timeout, in seconds.`);
    }
  }

  /** Lets a request in; `undefined` if such a one does not use the cache at all. */
  enter(visit: Visit<R>): Entered<R> | undefined {
    const { method, headers, present, hasMore, choosing = [] } = visit;
    const passes =
      (method !== 'GET' && method !== 'HEAD') ||
      hasMore ||
      CONDITIONS_OF_OTHERS.some(name => headers[name] !== undefined) ||
      itemsOf(String(headers['cache-control'] ?? '')).includes('no-store') ||
      CREDENTIALS.some(name => headers[name] !== undefined && !this.vary.has(name));
    if (passes) {
      return undefined;
    }
    const keyed = new Set([...this.vary, ...this.learned, ...choosing, ...this.#learnable(present)]);
    // what is known to be for this client alone comes from the handler
    return whyNotShared(200, present, keyed) === undefined ? new Entered(this, visit, keyed) : undefined;
  }

  /** Puts the fields that answers vary by into the key of the requests that follow. */
  learn(fields: HeaderFields): void {
    for (const name of this.#learnable(fields)) {
      if (this.learned.size < MAX_LEARNED) {
        this.learned.add(name);
      }
    }
  }

  #learnable(fields: HeaderFields): string[] {
    return itemsOf(fieldOf(fields, 'vary')).filter(name => name !== '*' && !CREDENTIALS.includes(name));
  }
}

/** A request that uses the cache. */
export class Entered<R> {
  readonly #view: View<R>;
  readonly #visit: Visit<R>;
  /** names of the request's fields that are in the key */
  readonly #keyed: ReadonlySet<string>;
  #reason: string | undefined;

  constructor(view: View<R>, visit: Visit<R>, keyed: ReadonlySet<string>) {
    this.#view = view;
    this.#visit = visit;
    this.#keyed = keyed;
  }

  /**
   * Returns the answer that is kept, or has the handler run and returns `undefined`.
   *
   * @param run runs the handler and sends what it answers; resolves with what to keep
   * @param em of the request; default: that of the options, or of the current `RequestContext`
   */
  async serve(
    run: () => Promise<StoredAnswer | undefined>,
    em?: EntityManager,
  ): Promise<StoredAnswer | undefined> {
    const { options, samples, what } = this.#view;
    const { address, request } = this.#visit;
    const { timeout } = options;
    const wanted = {
      kind: 'view' as const,
      name: `GET ${address.target}`, // a HEAD is answered from what a GET has left
      key: this.#key(),
      tags: [['url', targetName(address.target)]] as const,
      obstacle: this.#obstacle(),
      ...(samples !== undefined && { samples: resolveSamples(samples, [request], what) }),
      ...(timeout !== undefined && { timeout }),
    };
    const manager = entityManagerOf(em ?? options.orm, what);
    return answerDecoded(manager, wanted, decodeAnswer, async () => {
      const kept = await run();
      const reason = this.#reason;
      return {
        value: undefined,
        payload: kept && encodeAnswer(kept),
        ...(reason !== undefined && { reason }),
      };
    });
  }

  /**
   * The same for middleware, where other middleware has a hand in the answer after this one: it is kept when it is sent.
   * Rejects as the handler does.
   *
   * @param handle runs the handler; resolves with what becomes of its answer, if anything of it may be kept
   * @param headSent resolves when the head of the answer is sent; with `undefined` when the client has gone
   */
  async serveAsMiddleware(
    handle: () => Promise<Decision | undefined>,
    headSent: () => Promise<Head | undefined>,
  ): Promise<StoredAnswer | undefined> {
    const handled = Promise.withResolvers<undefined>();
    let isRunning = false;
    const serving = this.serve(async () => {
      isRunning = true;
      const head = headSent();
      const running = handle();
      running.then(() => handled.resolve(undefined), handled.reject);
      const gone = head.then(() => undefined); // an answer that is sent is waited for no longer, either
      const decision = await Promise.race([running, gone]);
      return decision && this.confirm(decision, await head);
    });
    const stored = await Promise.race([handled.promise, serving]);
    if (isRunning) {
      serving.catch(() => undefined); // it has failed as the handler has, or after the answer
      return handled.promise;
    }
    return stored;
  }

  /** What becomes of an answer that the handler gave. */
  decide({ status, message, fields, body }: Given): Decision {
    const { options, vary } = this.#view;
    const changes = changesOf(this.#visit.present, fields);
    this.#view.learn(fields);
    const reason =
      this.#visit.method !== 'GET'
        ? this.#visit.method
        : body.byteLength > options.maxBody
          ? 'larger than maxBody'
          : (whyNotShared(status, fields, this.#keyed) ?? whyNotRepeated(changes, this.#keyed));
    if (reason !== undefined) {
      this.#reason = reason;
      return { send: answerFor(this.#visit, { status, message, headers: fields, body }), keep: undefined };
    }
    const etag: HeaderFields =
      fields.etag === undefined && status === 200 ? { etag: etagOf(fields, body) } : {};
    const headers = published({ ...fields, ...etag }, vary);
    return {
      send: answerFor(this.#visit, { status, message, headers, body }),
      keep: {
        status,
        message,
        changes: { ...changes, set: { ...changes.set, ...etag } },
        body: Buffer.from(body), // a copy, because the handler may use its own again
        made: Date.now(),
      },
    };
  }

  /** What to keep of an answer, whose head was sent like this. Other middleware may have had a hand in it. */
  confirm({ send, keep }: Decision, head: Head | undefined): StoredAnswer | undefined {
    if (!keep) {
      return undefined;
    }
    if (!head) {
      this.#reason = 'the client has gone';
      return undefined;
    }
    this.#view.learn(head.fields);
    const { 'cache-control': control, ...others } = head.fields;
    // the one that was decided to be sent may be our own word
    const isOurs = control !== undefined && control === send.headers['cache-control'];
    this.#reason =
      head.status === send.status
        ? whyNotShared(keep.status, isOurs ? others : head.fields, this.#keyed)
        : `status ${head.status}`;
    return this.#reason === undefined ? keep : undefined;
  }

  /**
   * A kept answer for this request.
   *
   * @param present the fields that stand on the response
   */
  over(stored: StoredAnswer, present: HeaderFields): Answer {
    const { status, message, body } = stored;
    const headers = published(fieldsNow(stored, present, Date.now()), this.#view.vary);
    return answerFor(this.#visit, { status, message, headers, body });
  }

  #obstacle(): string | undefined {
    const { headers, place } = this.#visit;
    if (!place) {
      return 'a view at several places';
    }
    return hasUnknownFields(headers, this.#keyed)
      ? 'a field of the request that is not in the key'
      : undefined;
  }

  #key(): string {
    const { options, what } = this.#view;
    const { address, headers, place, chosen, request } = this.#visit;
    const fields = [...this.#keyed].sort().map(name => {
      const pick = options.vary.get(name);
      return [name, told(pick ? pick(request) : headers[name], `${what}: vary: ${name}`)];
    });
    const extra = told(options.extra(request), `${what}: extra`);
    const where = place && nameOfPlace(place);
    const version = told(chosen, `${what}: version`);
    return JSON.stringify([FORMAT, where, addressKey(address, headers), version, fields, extra]);
  }
}
