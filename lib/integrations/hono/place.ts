import type { Context } from 'hono';
import { type Place, textOf } from '../views/place.js';

/** Where a middleware stands among the handlers that match, all of which Hono tells. */
export function placeOf(middleware: object, context: Context, next: unknown): Place {
  const { matchedRoutes: routes } = context.req; // 'hono/route' is not in all versions 4
  const position = context.req.routeIndex;
  const route = routes[position];
  return route && own(route.handler) === middleware
    ? {
        parts: routes,
        describe: () =>
          `Hono ${JSON.stringify([
            position,
            routes.map(({ method, path, handler }) => [method, path, textOf(own(handler))]),
          ])}`,
        hint: String(position),
      }
    : { parts: [middleware, ...routes], describe: () => undefined, hint: String(next) };
}

/** A handler of an application with an error handler of its own is wrapped when it is put into another one. */
function own(handler: unknown): unknown {
  const inner = (handler as { __COMPOSED_HANDLER?: unknown } | undefined)?.__COMPOSED_HANDLER;
  return inner === undefined ? handler : own(inner);
}
