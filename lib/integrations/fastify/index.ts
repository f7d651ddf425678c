import type { FastifyReply, FastifyRequest, onSendHookHandler, preHandlerHookHandler } from 'fastify';
import type { Samples } from '../answers.js';
import { hideConditions } from '../http/capture.js';
import { headOf, messageOf, setMessage } from '../http/head.js';
import { hasMore } from '../views/address.js';
import type { Answer } from '../views/answer.js';
import { type HeaderFields, normaliseFields, ofThisBody } from '../views/fields.js';
import type { ViewOptions } from '../views/options.js';
import type { Place } from '../views/place.js';
import { type Decision, type Entered, View, type Visit } from '../views/view.js';
import { placeOf } from './place.js';

export { invalidateView } from '../views/invalidate.js';
export type { ViewOptions } from '../views/options.js';

/** Options of a route. */
export interface CachedRoute {
  preHandler: preHandlerHookHandler;
  onSend: onSendHookHandler<any>;
}

/**
 * Options of a route whose answers are kept for some time.
 *
 * ```ts
 * fastify.get('/about', cachedView({ timeout: 60 }), async () => about());
 * ```
 */
export function cachedView(options: ViewOptions<FastifyRequest>): CachedRoute {
  return hooks(new View('cachedView()', undefined, options));
}

/**
 * Options of a route whose answers are kept until the data changes that the samples stand for.
 *
 * ```ts
 * fastify.get('/articles', cachedViewAs(Article), async () => em.find(Article, {}));
 * fastify.get('/news', { schema, ...cachedViewAs(Article) }, async () => em.find(Article, { category: 1 }));
 * ```
 *
 * @param samples an entity, a class of entities, `{ entity, where }`, a query builder, an array of those, or a
 * function of the request that returns one
 */
export function cachedViewAs(
  samples: Samples<[FastifyRequest]>,
  options: ViewOptions<FastifyRequest> = {},
): CachedRoute {
  return hooks(new View('cachedViewAs()', samples, options));
}

/** A handler that is running, from one hook to the other. */
interface Running {
  readonly entered: Entered<FastifyRequest>;
  over(decision?: Decision): void;
}

function hooks(view: View<FastifyRequest>): CachedRoute {
  const running = new WeakMap<FastifyRequest, Running>();
  /** kept answers on their way through the hooks */
  const hits = new WeakMap<FastifyRequest, Answer>();

  return {
    // with a callback, so that the handler runs where the cache expects it: within `serve()`
    preHandler(request, reply, done) {
      const before = fieldsOf(reply);
      const entered = running.has(request)
        ? undefined
        : view.enter(visitOf(request, before, placeOf(request)));
      if (!entered) {
        done();
        return;
      }
      const run = async () => {
        if (request.method === 'HEAD') {
          done();
          return undefined;
        }
        const decided = Promise.withResolvers<Decision | undefined>();
        const showConditions = hideConditions(request.raw);
        const over = (decision?: Decision) => {
          showConditions();
          decided.resolve(decision);
        };
        const head = headOf(reply.raw);
        void head.then(() => over()); // gone, or answered past Fastify
        running.set(request, { entered, over });
        done();
        const decision = await decided.promise;
        return decision && entered.confirm(decision, await head);
      };
      entered.serve(run).then(stored => {
        if (stored && !reply.sent) {
          const answer = entered.over(stored, before);
          hits.set(request, answer);
          setAnswer(reply, answer);
          // null would be sent as JSON
          reply.send(isBodiless(answer) ? undefined : Buffer.from(answer.body));
        }
      }, done);
    },

    onSend(request, reply, payload, done) {
      const hit = hits.get(request);
      if (hit) {
        // other hooks have made something of the kept body, which is what they have made once already
        setAnswer(reply, { ...hit, headers: ofThisBody(fieldsOf(reply), hit.headers) });
        done(null, isBodiless(hit) ? null : Buffer.from(hit.body));
        return;
      }
      const handled = running.get(request);
      const body = bytesOf(payload);
      running.delete(request);
      if (!handled || !body) {
        handled?.over();
        done(null, payload);
        return;
      }
      const status = reply.statusCode;
      const message = messageOf(reply.raw, status);
      const decision = handled.entered.decide({ status, message, fields: fieldsOf(reply), body });
      const { send, keep } = decision;
      if (keep || send.status !== status) {
        setAnswer(reply, send);
      }
      handled.over(decision);
      done(null, send.status === 304 ? null : payload);
    },
  };
}

/** @internal */
export function visitOf(
  request: FastifyRequest,
  present: HeaderFields,
  place: Place | undefined,
): Visit<FastifyRequest> {
  const { method, headers, protocol, host, originalUrl } = request;
  return {
    method,
    headers: { ...headers },
    address: { scheme: protocol, host: host ?? '', target: originalUrl },
    hasMore: hasMore(request.raw, request.body),
    present,
    place,
    request,
  };
}

function isBodiless({ status }: Answer): boolean {
  return status === 204 || status === 304;
}

/** @internal */
export function setAnswer(reply: FastifyReply, { status, message, headers }: Answer): void {
  reply.code(status);
  setMessage(reply.raw, message);
  const present = fieldsOf(reply);
  for (const name of Object.keys(present)) {
    if (headers[name] === undefined) {
      reply.removeHeader(name);
      reply.raw.removeHeader(name);
    }
  }
  for (const [name, value] of Object.entries(headers)) {
    if (value !== present[name]) {
      reply.removeHeader(name); // cookies would be added
      reply.header(name, value);
    }
  }
}

/** @internal */
export function fieldsOf(reply: FastifyReply): HeaderFields {
  return normaliseFields(reply.getHeaders() as never);
}

function bytesOf(payload: unknown): Uint8Array | undefined {
  if (typeof payload === 'string') {
    return Buffer.from(payload);
  }
  if (payload === null || payload === undefined) {
    return new Uint8Array();
  }
  return payload instanceof Uint8Array ? payload : undefined;
}
