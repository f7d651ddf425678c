import { STATUS_CODES } from 'node:http';
import type { Context, Middleware, Next } from 'koa';
import type { Samples } from '../answers.js';
import { hideConditions } from '../http/capture.js';
import { headOf, messageOf, setMessage } from '../http/head.js';
import { describeRequest } from '../http/serve.js';
import type { Answer } from '../views/answer.js';
import { fieldOf, type HeaderFields, normaliseFields } from '../views/fields.js';
import type { ViewOptions } from '../views/options.js';
import { type Decision, View } from '../views/view.js';
import { placeOf } from './place.js';

export { invalidateView } from '../views/invalidate.js';
export type { ViewOptions } from '../views/options.js';

/**
 * Middleware that caches the responses of the handlers after it for some time.
 *
 * ```ts
 * router.get('/about', cachedView({ timeout: 60 }), about);
 * ```
 */
export function cachedView(options: ViewOptions<Context>): Middleware {
  return middleware(new View('cachedView()', undefined, options));
}

/**
 * Middleware that caches the responses of the handlers after it until a row of the samples changes.
 *
 * ```ts
 * router.get('/articles', cachedViewAs(Article), async ctx => { ctx.body = await em.find(Article, {}); });
 * ```
 *
 * @param samples an entity, a class of entities, `{ entity, where }`, a query builder, an array of those, or a
 * function of the context that returns one
 */
export function cachedViewAs(samples: Samples<[Context]>, options: ViewOptions<Context> = {}): Middleware {
  return middleware(new View('cachedViewAs()', samples, options));
}

function middleware(view: View<Context>): Middleware {
  const handler: Middleware = async (context: Context, next: Next) => {
    const { body } = context.request as { body?: unknown };
    const present = normaliseFields(context.response.headers);
    const place = placeOf(handler, context, next);
    const viewRun = context.headerSent
      ? undefined
      : view.begin(describeRequest(context, context.req, body, present, place));
    if (!viewRun) {
      return next();
    }
    const handle = async (): Promise<Decision | undefined> => {
      const showConditions = hideConditions(context.req);
      try {
        await next();
      } finally {
        showConditions();
      }
      const body = bodyOf(context);
      if (!body) {
        return undefined;
      }
      const fields = normaliseFields(context.response.headers);
      const { status } = context;
      const decision = viewRun.decide({ status, message: messageOf(context.res, status), fields, body });
      const { send, keep } = decision;
      if (send.status !== status) {
        answerWith(context, send);
      } else if (keep) {
        setFields(context, send.headers); // the body stays as it is, for other middleware
      }
      return decision;
    };
    const stored = await viewRun.serveAsMiddleware(handle, () => headOf(context.res));
    if (stored) {
      answerWith(context, viewRun.respondWith(stored, normaliseFields(context.response.headers)));
    }
  };
  return handler;
}

/** The bytes that Koa is about to send; `undefined` for a stream, or if the handler sends the response itself. */
function bodyOf(context: Context): Uint8Array | undefined {
  const { body } = context;
  if (context.respond === false || context.headerSent) {
    return undefined;
  }
  if (typeof body === 'string') {
    return Buffer.from(body);
  }
  if (body instanceof Uint8Array) {
    return body;
  }
  if (body === null || body === undefined) {
    return context.status === 204 ? new Uint8Array() : undefined; // otherwise Koa sends a text for the status
  }
  const isStream =
    [Blob, ReadableStream, Response].some(type => body instanceof type) || 'pipe' in Object(body);
  const json = isStream ? undefined : JSON.stringify(body);
  return json === undefined ? undefined : Buffer.from(json);
}

function answerWith(context: Context, { status, message, headers, body }: Answer): void {
  // before the fields, because setting the body changes some of them, and the status
  context.status = status;
  context.body = status === 204 || status === 304 ? null : Buffer.from(body);
  context.status = status;
  setMessage(context.res, message ?? STATUS_CODES[status]);
  setFields(context, headers);
  const length = fieldOf(headers, 'content-length');
  if (length !== undefined) {
    context.set('content-length', length); // for HEAD, the length of the body that is not sent
  }
}

/** Replaces all fields of a response, except the length, which Koa sets. */
function setFields(context: Context, fields: HeaderFields): void {
  const present = normaliseFields(context.response.headers);
  for (const name of Object.keys(present)) {
    if (fields[name] === undefined && name !== 'content-length') {
      context.remove(name);
    }
  }
  for (const [name, value] of Object.entries(fields)) {
    if (value !== present[name] && name !== 'content-length') {
      context.set(name, value as string | string[]);
    }
  }
}
