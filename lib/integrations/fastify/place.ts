import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Place } from '../views/place.js';

/** Routes of a server by path, if each path has only one GET route. */
type Routes = Map<string, object>;

/** `undefined` for servers with constraints. */
const routes = new WeakMap<object, Routes | undefined>();

/**
 * Identifies the route by its path, which has only one route unless there are constraints. Fastify reveals neither the
 * constraints of a route nor the handler's text.
 */
export function placeOf({ server, routeOptions: { url = '', config } }: FastifyRequest): Place {
  const known = routesOf(server);
  if (!known) {
    return { parts: [config], describe: () => undefined };
  }
  // the same for GET and HEAD, which are two routes in Fastify
  const route = known.get(url) ?? {};
  known.set(url, route);
  return { parts: [route], describe: () => `Fastify ${url}` };
}

function routesOf(server: FastifyInstance): Routes | undefined {
  // plugins have their own instances of the same server
  const key = server.server;
  if (!routes.has(key)) {
    routes.set(key, isPlain(server) ? new Map() : undefined);
  }
  return routes.get(key);
}

/** Without constraints of any kind, because Fastify does not show whether a strategy is its own. */
function isPlain(server: FastifyInstance): boolean {
  return (
    !/\{"/.test(server.printRoutes({ commonPrefix: false })) &&
    !['host', 'version'].some(name => server.hasConstraintStrategy(name))
  );
}
