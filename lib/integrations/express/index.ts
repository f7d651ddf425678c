import type { Request, RequestHandler } from 'express';
import type { Samples } from '../answers.js';
import { fieldsOf } from '../http/head.js';
import { describeRequest, serveView } from '../http/serve.js';
import type { ViewOptions } from '../views/options.js';
import { View } from '../views/view.js';
import { placeOf } from './place.js';

export { invalidateView } from '../views/invalidate.js';
export type { ViewOptions } from '../views/options.js';

/**
 * Middleware that caches the responses of the handlers after it for some time.
 *
 * ```ts
 * app.get('/about', cachedView({ timeout: 60 }), (req, res) => res.render('about'));
 * ```
 */
export function cachedView(options: ViewOptions<Request>): RequestHandler {
  return middleware(new View('cachedView()', undefined, options));
}

/**
 * Middleware that caches the responses of the handlers after it until a row of the samples changes.
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
    // Express passes exceptions of handlers to `next`; only errors in samples, extra or vary arrive here
    const viewRequest = describeRequest(
      request,
      request,
      request.body,
      fieldsOf(response),
      placeOf(handle, request, next),
    );
    serveView(view, viewRequest, request, response, () => next()).catch(next);
  };
  return handle;
}
