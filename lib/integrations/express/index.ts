import type { Request, RequestHandler, Response } from 'express';
import type { Samples } from '../answers.js';
import { fieldsOf } from '../http/head.js';
import { serveView } from '../http/serve.js';
import { hasMore } from '../views/address.js';
import type { ViewOptions } from '../views/options.js';
import type { Place } from '../views/place.js';
import { View, type Visit } from '../views/view.js';
import { placeOf } from './place.js';

export { invalidateView } from '../views/invalidate.js';
export type { ViewOptions } from '../views/options.js';

/**
 * Middleware that keeps the answers of what comes after it for some time.
 *
 * ```ts
 * app.get('/about', cachedView({ timeout: 60 }), (req, res) => res.render('about'));
 * ```
 */
export function cachedView(options: ViewOptions<Request>): RequestHandler {
  return middleware(new View('cachedView()', undefined, options));
}

/**
 * Middleware that keeps the answers of what comes after it until the data changes that the samples stand for.
 *
 * ```ts
 * app.get('/articles', cachedViewAs(Article), async (req, res) => res.json(await em.find(Article, {})));
 * ```
 *
 * @param samples an entity, a class of entities, `{ entity, where }`, a query builder, an array of those, or a
 * function of the request that returns one
 */
export function cachedViewAs(
  samples: Samples<[Request]>,
  options: ViewOptions<Request> = {},
): RequestHandler {
  return middleware(new View('cachedViewAs()', samples, options));
}

function middleware(view: View<Request>): RequestHandler {
  const handle: RequestHandler = (request, response, next) => {
    // what the handlers throw goes to `next` by itself; here arrives what is wrong with samples, extra or vary
    const visit = visitOf(request, response, placeOf(handle, request, next));
    serveView(view, visit, request, response, () => next()).catch(next);
  };
  return handle;
}

/** @internal */
export function visitOf(request: Request, response: Response, place: Place | undefined): Visit<Request> {
  const { method, headers, protocol, host, originalUrl } = request;
  return {
    method,
    headers: { ...headers },
    address: { scheme: protocol, host: host ?? '', target: originalUrl },
    hasMore: hasMore(request, request.body),
    present: fieldsOf(response),
    place,
    request,
  };
}
