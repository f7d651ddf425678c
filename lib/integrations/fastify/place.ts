import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Place } from '../views/place.js';

/** Routes of one server by their paths, for servers in which a path has only one of GET. */
type Routes = Map<string, object>;

/** `undefined`: constraints may choose between several. */
const routes = new WeakMap<object, Routes | undefined>();

/**
 * Which route it is. Fastify allows only one of a path, unless constraints choose between several. It tells neither
 * the constraints of a route nor the handler's own text.
 */
export function placeOf({ server, routeOptions: { url = '', config } }: FastifyRequest): Place {
  const known = routesOf(server);
  if (!known) {
    return { parts: [config], describe: () => undefined };
  }
  // one for GET and HEAD, which are two routes to Fastify
  const route = known.get(url) ?? {};
  known.set(url, route);
  return { parts: [route], describe: () => `Fastify ${url}` };
}

function routesOf(server: FastifyInstance): Routes | undefined {
  // plugins have instances of their own, and the same server
  const key = server.server;
  if (!routes.has(key)) {
    routes.set(key, isPlain(server) ? new Map() : undefined);
  }
  return routes.get(key);
}

/** Of a strategy in use Fastify does not tell whether it is its own, so that any constraint counts. */
function isPlain(server: FastifyInstance): boolean {
  return (
    !/\{"/.test(server.printRoutes({ commonPrefix: false })) &&
    !['host', 'version'].some(name => server.hasConstraintStrategy(name))
  );
}
