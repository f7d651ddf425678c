import type { EntityManager } from '@mikro-orm/core';
import { CacheopsError } from '../../config/error.js';
import {
  answerDecoded,
  checkSamples,
  entityManagerOf,
  keyTextOf,
  resolveSamples,
  type Samples,
} from '../answers.js';
import { type Address, addressKey, targetName } from './address.js';
import { type Answer, decodeAnswer, encodeAnswer, FORMAT, type StoredAnswer } from './answer.js';
import { type Asked, answerFor, etagOf, fieldsNow, published } from './conditional.js';
import { changesOf, fieldOf, type HeaderFields, itemsOf } from './fields.js';
import { type ResolvedViewOptions, resolveViewOptions, type ViewOptions } from './options.js';
import { nameOfPlace, type Place } from './place.js';
import { hasUnknownFields } from './request_fields.js';
import { whyNotRepeated, whyNotShared } from './storable.js';

/** The parts of a request that a view uses. */
export interface ViewRequest<R> extends Asked {
  readonly address: Address;
  /** it has a body or a client certificate */
  readonly hasMore: boolean;
  /** the fields of the response before the view runs */
  readonly present: HeaderFields;
  /** identifies the handler; `undefined` if it is ambiguous: then nothing is cached */
  readonly place: Place | undefined;
  /** the value that selected the handler, in addition to the address */
  readonly chosen?: unknown;
  /** names of the request's fields that selected the handler */
  readonly choosing?: readonly string[];
  /** the argument of the user's functions */
  readonly request: R;
}

/** The whole response of a handler. */
export interface HandlerResponse {
  readonly status: number;
  readonly message?: string | undefined;
  /** all fields of the response */
  readonly fields: HeaderFields;
  readonly body: Uint8Array;
}

/** What to send and what to store of a handler's response. */
export interface Decision {
  /** for this request; may be a 304 */
  readonly send: Answer;
  /** for other requests, if it may be shared; still to be confirmed by {@link ViewRun.confirm} */
  readonly keep: StoredAnswer | undefined;
}

/** The head of a response, as it was sent. */
export interface Head {
  readonly status: number;
  readonly fields: HeaderFields;
}

/** Fields that identify one client. They are part of the key only if the option `vary` names them. */
const CREDENTIALS = ['authorization', 'cookie'];

/** Fields that change the response, so that requests with them bypass the cache. */
const BYPASSING_FIELDS = ['range', 'if-range', 'if-match', 'if-unmodified-since', 'upgrade'];

/** The most fields that `Vary` of responses adds to the key. */
const MAX_LEARNED = 16;

/**
 * A handler whose responses are cached, independent of frameworks. The integrations describe the request, run the
 * handler, and send the response.
 *
 * The order is that of queries: lease, handler, fill. So rows that change while a handler reads them are never served.
 */
export class View<R> {
  readonly samples: Samples<[R]> | undefined;
  readonly options: ResolvedViewOptions<R>;
  /** names of the request's fields in the option `vary` */
  readonly vary: ReadonlySet<string>;
  /** names that responses had in `Vary`: part of the key of later requests */
  readonly learned = new Set<string>();
  readonly what: string;

  /**
   * @param what for messages
   * @throws CacheopsError if an option is wrong, or if there are neither samples nor a timeout
   */
  constructor(what: string, samples: Samples<[R]> | undefined, options: ViewOptions<R>) {
    this.what = what;
    this.samples = samples;
    this.options = resolveViewOptions(options, what);
    this.vary = new Set(this.options.vary.keys());
    if (samples !== undefined) {
      checkSamples([samples], what);
    } else if (this.options.timeout === undefined) {
      throw new CacheopsError(`${what}: there is no timeout. Give one, in seconds.`);
    }
  }

  /** `undefined` if the request bypasses the cache. */
  begin(viewRequest: ViewRequest<R>): ViewRun<R> | undefined {
    const { method, headers, present, hasMore, choosing = [] } = viewRequest;
    const passes =
      (method !== 'GET' && method !== 'HEAD') ||
      hasMore ||
      BYPASSING_FIELDS.some(name => headers[name] !== undefined) ||
      itemsOf(String(headers['cache-control'] ?? '')).includes('no-store') ||
      CREDENTIALS.some(name => headers[name] !== undefined && !this.vary.has(name));
    if (passes) {
      return undefined;
    }
    const keyed = new Set([...this.vary, ...this.learned, ...choosing, ...this.#learnable(present)]);
    // a response for one client only comes from the handler
    return whyNotShared(200, present, keyed) === undefined
      ? new ViewRun(this, viewRequest, keyed)
      : undefined;
  }

  /** Adds the fields in `Vary` to the key of later requests. */
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
export class ViewRun<R> {
  readonly #view: View<R>;
  readonly #viewRequest: ViewRequest<R>;
  /** names of the request's fields that are in the key */
  readonly #keyed: ReadonlySet<string>;
  #reason: string | undefined;

  constructor(view: View<R>, viewRequest: ViewRequest<R>, keyed: ReadonlySet<string>) {
    this.#view = view;
    this.#viewRequest = viewRequest;
    this.#keyed = keyed;
  }

  /**
   * Returns the stored response; or runs the handler and returns `undefined`.
   *
   * @param run runs the handler and sends its response; resolves with the response to store
   * @param em of the request; default: the one of the options, or of the current `RequestContext`
   */
  async serve(
    run: () => Promise<StoredAnswer | undefined>,
    em?: EntityManager,
  ): Promise<StoredAnswer | undefined> {
    const { options, samples, what } = this.#view;
    const { address, request } = this.#viewRequest;
    const { timeout } = options;
    const wanted = {
      kind: 'view' as const,
      name: `GET ${address.target}`, // the response to a GET also answers HEAD
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
   * The same for middleware: stores the response after it is sent, because outer middleware may still change it.
   * Rejects if the handler does.
   *
   * @param handle runs the handler; resolves with the decision about its response, if that may be stored
   * @param headSent resolves when the head of the response is sent; with `undefined` if the client has gone
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
      const gone = head.then(() => undefined); // the client has gone, or the response is sent already
      const decision = await Promise.race([running, gone]);
      return decision && this.confirm(decision, await head);
    });
    const stored = await Promise.race([handled.promise, serving]);
    if (isRunning) {
      serving.catch(() => undefined); // it fails together with the handler, or after the response
      return handled.promise;
    }
    return stored;
  }

  /** Decides what to send and what to store of the handler's response. */
  decide({ status, message, fields, body }: HandlerResponse): Decision {
    const { options, vary } = this.#view;
    const changes = changesOf(this.#viewRequest.present, fields);
    this.#view.learn(fields);
    const reason =
      this.#viewRequest.method !== 'GET'
        ? this.#viewRequest.method
        : body.byteLength > options.maxBody
          ? 'larger than maxBody'
          : (whyNotShared(status, fields, this.#keyed) ??
            whyNotRepeated(changes, this.#keyed, options.fields));
    if (reason !== undefined) {
      this.#reason = reason;
      return {
        send: answerFor(this.#viewRequest, { status, message, headers: fields, body }),
        keep: undefined,
      };
    }
    const etag: HeaderFields =
      fields.etag === undefined && status === 200 ? { etag: etagOf(fields, body) } : {};
    const headers = published({ ...fields, ...etag }, vary);
    return {
      send: answerFor(this.#viewRequest, { status, message, headers, body }),
      keep: {
        status,
        message,
        changes: { ...changes, set: { ...changes.set, ...etag } },
        body: Buffer.from(body), // a copy, because the handler may reuse its buffer
        made: Date.now(),
      },
    };
  }

  /** Decides again after the head was sent, because other middleware may have changed it. */
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
    // our own `no-cache` does not prevent storing
    const isOurs = control !== undefined && control === send.headers['cache-control'];
    this.#reason =
      head.status === send.status
        ? whyNotShared(keep.status, isOurs ? others : head.fields, this.#keyed)
        : `status ${head.status}`;
    return this.#reason === undefined ? keep : undefined;
  }

  /**
   * The response to this request from a stored one.
   *
   * @param present the present fields of the response
   */
  respondWith(stored: StoredAnswer, present: HeaderFields): Answer {
    const { status, message, body } = stored;
    const headers = published(fieldsNow(stored, present, Date.now()), this.#view.vary);
    return answerFor(this.#viewRequest, { status, message, headers, body });
  }

  #obstacle(): string | undefined {
    const { headers, place } = this.#viewRequest;
    if (!place) {
      return 'a view at several places';
    }
    return hasUnknownFields(headers, this.#keyed)
      ? 'a field of the request that is not in the key'
      : undefined;
  }

  #key(): string {
    const { options, what } = this.#view;
    const { address, headers, place, chosen, request } = this.#viewRequest;
    const fields = [...this.#keyed].sort().map(name => {
      const pick = options.vary.get(name);
      return [name, keyTextOf(pick ? pick(request) : headers[name], `${what}: vary: ${name}`)];
    });
    const extra = keyTextOf(options.extra(request), `${what}: extra`);
    const where = place && nameOfPlace(place);
    const version = keyTextOf(chosen, `${what}: version`);
    return JSON.stringify([FORMAT, where, addressKey(address, headers), version, fields, extra]);
  }
}
