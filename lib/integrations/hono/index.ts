import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Context, MiddlewareHandler } from 'hono';
import type { Samples } from '../answers.js';
import { headOf } from '../http/head.js';
import { hasMore } from '../views/address.js';
import type { Answer } from '../views/answer.js';
import type { HeaderFields } from '../views/fields.js';
import type { ViewOptions } from '../views/options.js';
import type { Place } from '../views/place.js';
import { type Decision, type Head, View, type ViewRequest } from '../views/view.js';
import { placeOf } from './place.js';
import { whole } from './whole.js';

export { invalidateView } from '../views/invalidate.js';
export type { ViewOptions } from '../views/options.js';

/**
 * Middleware that caches the responses of the handlers after it for some time.
 *
 * ```ts
 * app.get('/about', cachedView({ timeout: 60 }), c => c.html(about()));
 * ```
 */
export function cachedView(options: ViewOptions<Context>): MiddlewareHandler {
  return middleware(new View('cachedView()', undefined, options));
}

/**
 * Middleware that caches the responses of the handlers after it until a row of the samples changes.
 *
 * ```ts
 * app.get('/articles', cachedViewAs(Article), async c => c.json(await em.find(Article, {})));
 * ```
 *
 * @param samples an entity, a class of entities, `{ entity, where }`, a query builder, an array of those, or a
 * function of the context that returns one
 */
export function cachedViewAs(
  samples: Samples<[Context]>,
  options: ViewOptions<Context> = {},
): MiddlewareHandler {
  return middleware(new View('cachedViewAs()', samples, options));
}

function middleware(view: View<Context>): MiddlewareHandler {
  const handler: MiddlewareHandler = async (context, next) => {
    const place = placeOf(handler, context, next);
    const before = fieldsOf(context.res.headers);
    const viewRun = view.begin(viewRequestOf(context, before, place));
    if (!viewRun) {
      return next();
    }
    const handle = async (): Promise<Decision | undefined> => {
      await next();
      if (context.error || context.req.method === 'HEAD') {
        return undefined;
      }
      const body = await whole(context.res);
      if (!(body instanceof Uint8Array)) {
        replace(context, body);
        return undefined;
      }
      const { status, statusText } = context.res;
      const fields = fieldsOf(context.res.headers);
      const given = { status, message: statusText || undefined, fields, body };
      const decision = viewRun.decide(given);
      const isAsGiven = decision.send.status === status && !decision.keep;
      replace(context, responseOf(isAsGiven ? { ...decision.send, headers: fields } : decision.send));
      return decision;
    };
    const stored = await viewRun.serveAsMiddleware(handle, () => headSent(context));
    if (stored) {
      replace(context, responseOf(viewRun.respondWith(stored, before)));
    }
    return undefined;
  };
  return handler;
}

/**
 * The head as `@hono/node-server` sends it. Resolves with `undefined` when the client has gone, and on other servers,
 * which do not show what is sent.
 */
function headSent(context: Context): Promise<Head | undefined> {
  const { outgoing } = (context.env ?? {}) as NodeBindings;
  return outgoing ? headOf(outgoing) : Promise.resolve(undefined);
}

function viewRequestOf(context: Context, present: HeaderFields, place: Place): ViewRequest<Context> {
  const { req } = context;
  const { protocol, host } = new URL(req.url);
  const target = req.url.slice(req.url.indexOf('/', protocol.length + 2));
  const headers = req.header();
  const { incoming } = (context.env ?? {}) as NodeBindings;
  return {
    method: req.method,
    headers,
    address: { scheme: protocol.slice(0, -1), host, target, routed: req.path },
    hasMore: hasMore(incoming ?? { headers }),
    present,
    place,
    request: context,
  };
}

/** The environment of `@hono/node-server`. */
interface NodeBindings {
  readonly incoming?: IncomingMessage;
  readonly outgoing?: ServerResponse;
}

/** Clears the response first, because otherwise Hono adds its fields to the new one. */
function replace(context: Context, response: Response): void {
  context.res = undefined;
  context.res = response;
}

function responseOf({ status, message, headers, body }: Answer): Response {
  const fields = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const each of typeof value === 'string' ? [value] : value) {
      fields.append(name, each);
    }
  }
  const isBodiless = status === 204 || status === 304;
  return new Response(isBodiless ? null : (body as Uint8Array<ArrayBuffer>), {
    status,
    statusText: message ?? '',
    headers: fields,
  });
}

function fieldsOf(headers: Headers): HeaderFields {
  const cookies = headers.getSetCookie();
  return { ...Object.fromEntries(headers), ...(cookies.length > 0 && { 'set-cookie': cookies }) };
}
