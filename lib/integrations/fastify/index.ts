import type { FastifyReply, FastifyRequest, onSendHookHandler, preHandlerHookHandler } from 'fastify';
import type { Samples } from '../answers.js';
import { hideConditions } from '../http/capture.js';
import type { Answer, HeaderFields } from '../views/answer.js';
import { addedFields, mergeFields, normaliseFields } from '../views/fields.js';
import type { ViewOptions } from '../views/options.js';
import { View, type Visit } from '../views/view.js';

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
  readonly visit: Visit<FastifyRequest>;
  readonly before: HeaderFields;
  over(kept?: Answer): void;
}

function hooks(view: View<FastifyRequest>): CachedRoute {
  const running = new WeakMap<FastifyRequest, Running>();

  return {
    // with a callback, so that the handler runs where the cache expects it: within `serve()`
    preHandler(request, reply, done) {
      const visit = visitOf(request);
      if (!view.concerns(visit) || running.has(request)) {
        done();
        return;
      }
      const run = () => {
        if (visit.method === 'HEAD') {
          done();
          return Promise.resolve(undefined);
        }
        const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
        const showConditions = hideConditions(request.raw);
        const over = (kept?: Answer) => {
          showConditions();
          resolve(kept);
        };
        reply.raw.once('close', () => over()); // gone, or answered past Fastify
        running.set(request, { visit, before: fieldsOf(reply), over });
        done();
        return promise;
      };
      view.serve(visit, run).then(answer => {
        if (answer && !reply.sent) {
          sendKept(reply, answer);
        }
      }, done);
    },

    onSend(request, reply, payload, done) {
      const handled = running.get(request);
      const body = bytesOf(payload);
      running.delete(request);
      if (!handled || !body) {
        handled?.over();
        done(null, payload);
        return;
      }
      const given = { status: reply.statusCode, headers: addedFields(handled.before, fieldsOf(reply)), body };
      const { send, keep } = view.decide(handled.visit, given);
      if (keep || send.status !== given.status) {
        for (const name of Object.keys(fieldsOf(reply))) {
          if (name in given.headers && send.headers[name] === undefined) {
            reply.removeHeader(name);
          }
        }
        setAnswer(reply, send);
      }
      handled.over(keep);
      done(null, send.status === 304 ? null : payload);
    },
  };
}

/** @internal */
export function sendKept(reply: FastifyReply, answer: Answer): void {
  setAnswer(reply, answer);
  // null would be sent as JSON
  reply.send(answer.status === 204 || answer.status === 304 ? undefined : Buffer.from(answer.body));
}

/** @internal */
export function visitOf(request: FastifyRequest): Visit<FastifyRequest> {
  const { method, headers, protocol, host, originalUrl } = request;
  const address = { scheme: protocol, host: host ?? '', target: originalUrl };
  return { method, headers: { ...headers }, address, request };
}

function setAnswer(reply: FastifyReply, { status, headers }: Answer): void {
  reply.code(status);
  if (headers['content-length'] === undefined) {
    reply.removeHeader('content-length');
  }
  const present = fieldsOf(reply);
  for (const [name, value] of Object.entries(mergeFields(present, headers))) {
    if (value !== present[name]) {
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
