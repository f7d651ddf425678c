import type { Request } from 'express';
import { claimPlace, type Place, textOf } from '../views/place.js';

/** A layer of an Express router or route: the parts that are read here. */
interface Layer {
  readonly handle: { readonly stack?: unknown };
  readonly method?: string;
  readonly rawPath?: unknown;
  readonly route?: Route;
}

interface Route {
  readonly path: unknown;
  readonly stack: readonly Layer[];
}

/**
 * The place of a middleware: in a route, or in a router with the layers after it. `undefined` if it has several places,
 * and it is unknown which of them the request has reached.
 */
export function placeOf(middleware: object, request: Request, next: unknown): Place | undefined {
  const stack = stackOf((request.app as { router?: unknown } | undefined)?.router);
  const route = request.route as Route | undefined;
  if (route && positionsIn(ofGet(route), middleware).length > 0) {
    return placeInRoute(route, middleware, stack);
  }
  const found = [...followers(stack, middleware)];
  if (found.length > 1) {
    return undefined;
  }
  const [layers] = found;
  return layers
    ? {
        parts: [middleware, ...layers],
        describe: () => `Express ${JSON.stringify(['use', layers.map(describeLayer)])}`,
      }
    : { parts: [middleware, ...(route ? [route] : [])], describe: () => undefined, hint: String(next) };
}

function placeInRoute(route: Route, middleware: object, stack: readonly Layer[]): Place | undefined {
  const positions = positionsIn(ofGet(route), middleware);
  if (positions.length > 1) {
    return undefined;
  }
  const placeIn = (each: Route, position: number): Place => ({
    parts: [each, ...ofGet(each).map(({ handle }) => handle)],
    describe: () => `Express ${JSON.stringify(['route', position, describeRoute(each)])}`,
  });
  return {
    ...placeIn(route, positions[0]!),
    describe() {
      // registers routes with the same text before a request reaches the second of them
      const siblings = [...routesIn(stack)];
      for (const sibling of siblings) {
        if (sibling !== route) {
          claimPlace(placeIn(sibling, positions[0]!));
        }
      }
      return siblings.includes(route) ? placeIn(route, positions[0]!).describe() : undefined;
    },
  };
}

/**
 * The handlers for GET, because only responses to GET are stored. A route for all methods has each handler once per
 * method.
 */
function ofGet({ stack }: Route): readonly Layer[] {
  return stack.filter(({ method }) => method === undefined || method === 'get');
}

function positionsIn(stack: readonly Layer[], middleware: object): number[] {
  return stack.flatMap(({ handle }, i) => (handle === middleware ? [i] : []));
}

function stackOf(router: unknown): readonly Layer[] {
  const stack = (router as { stack?: unknown } | undefined)?.stack;
  return Array.isArray(stack) ? stack : [];
}

function* routesIn(stack: readonly Layer[]): Generator<Route> {
  for (const { route, handle } of stack) {
    if (route) {
      yield route;
    }
    yield* routesIn(route ? route.stack : stackOf(handle));
  }
}

/** For each place of a middleware in a router, the layers after it. */
function* followers(stack: readonly Layer[], middleware: object): Generator<readonly Layer[]> {
  for (const [i, { route, handle }] of stack.entries()) {
    if (handle === middleware) {
      yield stack.slice(i + 1);
    }
    yield* followers(route ? route.stack : stackOf(handle), middleware);
  }
}

function describeRoute(route: Route): unknown {
  return [[route.path].flat().map(textOf), ofGet(route).map(describeLayer)];
}

function describeLayer({ handle, method, rawPath, route }: Layer): unknown {
  return route
    ? describeRoute(route)
    : [method ?? null, [rawPath].flat().map(textOf), textOf(handle), stackOf(handle).map(describeLayer)];
}
