import type { Context } from 'koa';
import { type Place, textOf } from '../views/place.js';

/** A route of `@koa/router`: the parts that are read here. */
interface Layer {
  readonly path: unknown;
  readonly methods?: unknown;
  readonly stack: readonly object[];
}

/**
 * The place of a middleware: in matching routes of `@koa/router`, or among the middleware of the application.
 * `undefined` if it has several places, and it is unknown which of them the request has reached.
 */
export function placeOf(middleware: object, context: Context, next: unknown): Place | undefined {
  const layers = (context as { matched?: readonly Layer[] }).matched ?? [];
  const inRoutes = layers.flatMap((layer, i) =>
    positionsIn(layer.stack, middleware).map(position => ({ layers: layers.slice(i), position })),
  );
  const all = context.app.middleware as readonly object[];
  const inApplication = positionsIn(all, middleware);
  if (inRoutes.length + inApplication.length > 1) {
    return undefined;
  }
  const [route] = inRoutes;
  if (route) {
    return {
      parts: [middleware, ...route.layers],
      describe: () => `Koa ${JSON.stringify([route.position, route.layers.map(describeLayer)])}`,
    };
  }
  const [position] = inApplication;
  if (position !== undefined) {
    const following = all.slice(position + 1);
    return {
      parts: [middleware, ...following],
      describe: () => `Koa ${JSON.stringify(following.map(describeMiddleware))}`,
    };
  }
  return { parts: [middleware], describe: () => undefined, hint: String(next) };
}

function positionsIn(list: readonly object[], middleware: object): number[] {
  return list.flatMap((each, i) => (each === middleware ? [i] : []));
}

function describeLayer({ path, methods, stack }: Layer): unknown {
  return [textOf(path), methods ?? null, stack.map(textOf)];
}

/** A router is one middleware with a list of routes. */
function describeMiddleware(middleware: object): unknown {
  const { router } = middleware as { router?: { stack?: readonly Layer[] } };
  return [textOf(middleware), router?.stack?.map(describeLayer) ?? null];
}
