import type { Context, Middleware, Next } from 'koa';
import type { Samples } from '../answers.js';
import { hideConditions } from '../http/capture.js';
import type { Answer, HeaderFields } from '../views/answer.js';
import { addedFields, mergeFields, normaliseFields } from '../views/fields.js';
import type { ViewOptions } from '../views/options.js';
import { View } from '../views/view.js';

export { invalidateView } from '../views/invalidate.js';
export type { ViewOptions } from '../views/options.js';

/**
 * Middleware that keeps the answers of what comes after it for some time.
 *
 * ```ts
 * router.get('/about', cachedView({ timeout: 60 }), about);
 * ```
 */
export function cachedView(options: ViewOptions<Context>): Middleware {
  return middleware(new View('cachedView()', undefined, options));
}

/**
 * Middleware that keeps the answers of what comes after it until the data changes that the samples stand for.
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
  return async (context: Context, next: Next) => {
    const { method, protocol, host, originalUrl: target } = context;
    const headers = { ...context.headers };
    const visit = { method, headers, address: { scheme: protocol, host, target }, request: context };
    if (!view.concerns(visit)) {
      return next();
    }
    let running: Promise<Answer | undefined> | undefined;
    const handle = async () => {
      const before = normaliseFields(context.response.headers);
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
      const after = normaliseFields(context.response.headers);
      const given = { status: context.status, headers: addedFields(before, after), body };
      const { send, keep } = view.decide(visit, given);
      if (send.status === given.status) {
        const { 'content-length': _, ...fields } = send.headers;
        setFields(context, keep ? fields : {}); // the body stays what it is, for other middleware to look at
      } else {
        answerWith(context, send);
      }
      return keep;
    };
    const answer = await view.serve(visit, () => {
      running = handle();
      const gone = new Promise<undefined>(resolve => context.res.once('close', () => resolve(undefined)));
      return Promise.race([running, gone]); // nobody waits for a handler that nobody waits for
    });
    await running;
    if (answer) {
      answerWith(context, answer);
    }
  };
}

/** The bytes of what Koa is about to send, or `undefined` if it is a stream or is sent by somebody else. */
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
    return context.status === 204 ? new Uint8Array() : undefined; // else Koa makes one up, of the status
  }
  const isStream =
    [Blob, ReadableStream, Response].some(type => body instanceof type) || 'pipe' in Object(body);
  const json = isStream ? undefined : JSON.stringify(body);
  return json === undefined ? undefined : Buffer.from(json);
}

function answerWith(context: Context, { status, headers, body }: Answer): void {
  // before the fields, since Koa sets some by the body; and the status again, since it does so with that, too
  context.status = status;
  context.body = status === 204 || status === 304 ? null : Buffer.from(body);
  context.status = status;
  if (headers['content-type'] === undefined) {
    context.remove('content-type');
  }
  setFields(context, headers);
}

function setFields(context: Context, fields: HeaderFields): void {
  const present = normaliseFields(context.response.headers);
  for (const [name, value] of Object.entries(mergeFields(present, fields))) {
    if (value !== present[name]) {
      context.set(name, value as string | string[]);
    }
  }
}
