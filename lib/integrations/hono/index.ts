import type { Context, MiddlewareHandler } from 'hono';
import type { Samples } from '../answers.js';
import type { Answer, HeaderFields } from '../views/answer.js';
import { addedFields, mergeFields } from '../views/fields.js';
import type { ViewOptions } from '../views/options.js';
import { View, type Visit } from '../views/view.js';
import { whole } from './whole.js';

export { invalidateView } from '../views/invalidate.js';
export type { ViewOptions } from '../views/options.js';

/**
 * Middleware that keeps the answers of what comes after it for some time.
 *
 * ```ts
 * app.get('/about', cachedView({ timeout: 60 }), c => c.html(about()));
 * ```
 */
export function cachedView(options: ViewOptions<Context>): MiddlewareHandler {
  return middleware(new View('cachedView()', undefined, options));
}

/**
 * Middleware that keeps the answers of what comes after it until the data changes that the samples stand for.
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
  return async (context, next) => {
    const visit = visitOf(context);
    if (!view.concerns(visit)) {
      return next();
    }
    const before = fieldsOf(context.res.headers);
    let running: Promise<Answer | undefined> | undefined;
    const handle = async () => {
      await next();
      if (context.error || visit.method === 'HEAD') {
        return undefined;
      }
      const body = await whole(context.res);
      if (!(body instanceof Uint8Array)) {
        replace(context, body);
        return undefined;
      }
      const after = fieldsOf(context.res.headers);
      const given = { status: context.res.status, headers: addedFields(before, after), body };
      const { send, keep } = view.decide(visit, given);
      const isSame = send.status === given.status;
      const rest = isSame ? after : withoutFields(after, given.headers);
      replace(context, responseOf(isSame && !keep ? { ...given, headers: {} } : send, rest));
      return keep;
    };
    const answer = await view.serve(visit, () => {
      running = handle();
      return Promise.race([running, goneOf(context)]); // nobody waits for a handler that nobody waits for
    });
    await running;
    if (answer) {
      replace(context, responseOf(answer, before));
    }
    return undefined;
  };
}

/** Resolves when the client has gone. */
function goneOf({ req }: Context): Promise<undefined> {
  return new Promise(resolve => {
    req.raw.signal.addEventListener('abort', () => resolve(undefined), { once: true });
  });
}

function visitOf(context: Context): Visit<Context> {
  const { req } = context;
  const { protocol, host } = new URL(req.url);
  const target = req.url.slice(req.url.indexOf('/', protocol.length + 2));
  const address = { scheme: protocol.slice(0, -1), host, target };
  return { method: req.method, headers: req.header(), address, request: context };
}

/** Hono would add the fields of the response that was there to those of the new one. */
function replace(context: Context, response: Response): void {
  context.res = undefined;
  context.res = response;
}

function responseOf({ status, headers, body }: Answer, present: HeaderFields): Response {
  const fields = new Headers();
  for (const [name, value] of Object.entries(mergeFields(present, headers))) {
    for (const each of typeof value === 'string' ? [value] : value) {
      fields.append(name, each);
    }
  }
  const isBodiless = status === 204 || status === 304;
  return new Response(isBodiless ? null : (body as Uint8Array<ArrayBuffer>), { status, headers: fields });
}

function fieldsOf(headers: Headers): HeaderFields {
  const cookies = headers.getSetCookie();
  return { ...Object.fromEntries(headers), ...(cookies.length > 0 && { 'set-cookie': cookies }) };
}

function withoutFields(fields: HeaderFields, without: HeaderFields): HeaderFields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !(name in without)));
}
