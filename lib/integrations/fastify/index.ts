import type { FastifyReply, FastifyRequest, onSendHookHandler, preHandlerHookHandler } from 'fastify';
import type { Samples } from '../answers.js';
import { hideConditions } from '../http/capture.js';
import { headOf, messageOf, setMessage } from '../http/head.js';
import { describeRequest } from '../http/serve.js';
import type { Answer } from '../views/answer.js';
import { type HeaderFields, normaliseFields, ofThisBody } from '../views/fields.js';
import type { ViewOptions } from '../views/options.js';
import { type Decision, View, type ViewRun } from '../views/view.js';
import { placeOf } from './place.js';

export { invalidateView } from '../views/invalidate.js';
export type { ViewOptions } from '../views/options.js';

/** Options of a route. */
export interface CachedRoute {
  preHandler: preHandlerHookHandler;
  onSend: onSendHookHandler<any>;
}

/**
 * Options of a route whose responses are cached for some time.
 *
 * ```ts
 * fastify.get('/about', cachedView({ timeout: 60 }), async () => about());
 * ```
 */
export function cachedView(options: ViewOptions<FastifyRequest>): CachedRoute {
  return hooks(new View('cachedView()', undefined, options));
}

/**
 * Options of a route whose responses are cached until a row of the samples changes.
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

/** A running handler, between the two hooks. */
interface Running {
  readonly viewRun: ViewRun<FastifyRequest>;
  finish(decision?: Decision): void;
}

function hooks(view: View<FastifyRequest>): CachedRoute {
  const running = new WeakMap<FastifyRequest, Running>();
  /** stored responses that pass through the hooks */
  const hits = new WeakMap<FastifyRequest, Answer>();

  return {
    // with a callback, so that the handler runs within `serve()`
    preHandler(request, reply, done) {
      const before = fieldsOf(reply);
      const viewRun = running.has(request)
        ? undefined
        : view.begin(describeRequest(request, request.raw, request.body, before, placeOf(request)));
      if (!viewRun) {
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
        const finish = (decision?: Decision) => {
          showConditions();
          decided.resolve(decision);
        };
        const head = headOf(reply.raw);
        void head.then(() => finish()); // the client has gone, or the response was sent without Fastify
        running.set(request, { viewRun, finish });
        done();
        const decision = await decided.promise;
        return decision && viewRun.confirm(decision, await head);
      };
      viewRun.serve(run).then(stored => {
        if (stored && !reply.sent) {
          const answer = viewRun.respondWith(stored, before);
          hits.set(request, answer);
          setAnswer(reply, answer);
          // Fastify would send null as JSON
          reply.send(isBodiless(answer) ? undefined : Buffer.from(answer.body));
        }
      }, done);
    },

    onSend(request, reply, payload, done) {
      const hit = hits.get(request);
      if (hit) {
        // the stored body includes the changes of other hooks, which must not be applied twice
        setAnswer(reply, { ...hit, headers: ofThisBody(fieldsOf(reply), hit.headers) });
        done(null, isBodiless(hit) ? null : Buffer.from(hit.body));
        return;
      }
      const handled = running.get(request);
      const body = bytesOf(payload);
      running.delete(request);
      if (!handled || !body) {
        handled?.finish();
        done(null, payload);
        return;
      }
      const status = reply.statusCode;
      const message = messageOf(reply.raw, status);
      const decision = handled.viewRun.decide({ status, message, fields: fieldsOf(reply), body });
      const { send, keep } = decision;
      if (keep || send.status !== status) {
        setAnswer(reply, send);
      }
      handled.finish(decision);
      done(null, send.status === 304 ? null : payload);
    },
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
      reply.removeHeader(name); // otherwise Fastify appends cookies
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
