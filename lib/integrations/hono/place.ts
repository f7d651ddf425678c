import type { Context } from 'hono';
import { type Place, textOf } from '../views/place.js';

/** The place of a middleware among the matching handlers. */
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

/** Hono wraps the handlers of a mounted application that has its own error handler. */
function own(handler: unknown): unknown {
  const inner = (handler as { __COMPOSED_HANDLER?: unknown } | undefined)?.__COMPOSED_HANDLER;
  return inner === undefined ? handler : own(inner);
}
