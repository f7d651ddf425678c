import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Samples } from '../answers.js';
import { hasMore } from '../views/address.js';
import type { ViewOptions } from '../views/options.js';
import { claimPlace, textOf } from '../views/place.js';
import { View } from '../views/view.js';
import { fieldsOf } from './head.js';
import { addressOf, serveView } from './serve.js';

export { invalidateView } from '../views/invalidate.js';
export type { ViewOptions } from '../views/options.js';

export type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

/**
 * Caches the responses of a handler of `node:http` for some time.
 *
 * ```ts
 * createServer(cachedView({ timeout: 60, orm })(async (request, response) => response.end(await page())));
 * ```
 */
export function cachedView(options: ViewOptions<IncomingMessage>): (handler: Handler) => Handler {
  return wrap(new View('cachedView()', undefined, options));
}

/**
 * Caches the responses of a handler of `node:http` until a row of the samples changes.
 *
 * @param samples an entity, a class of entities, `{ entity, where }`, a query builder, an array of those, or a
 * function of the request that returns one
 */
export function cachedViewAs(
  samples: Samples<[IncomingMessage]>,
  options: ViewOptions<IncomingMessage> = {},
): (handler: Handler) => Handler {
  return wrap(new View('cachedViewAs()', samples, options));
}

function wrap(view: View<IncomingMessage>): (handler: Handler) => Handler {
  return handler => {
    const place = { parts: [handler], describe: () => `node:http ${textOf(handler)}` };
    claimPlace(place);
    return (request, response) => {
      const { method = '', headers } = request;
      const viewRequest = {
        method,
        headers: { ...headers },
        address: addressOf(request),
        hasMore: hasMore(request),
        present: fieldsOf(response),
        place,
        request,
      };
      return serveView(view, viewRequest, request, response, () => handler(request, response));
    };
  };
}
