import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type Place, textOf } from '../views/place.js';

/** Servers by whether path, host and `Accept-Version` alone, which are in the key, choose the route of a GET. */
const plain = new WeakMap<object, boolean>();

/**
 * Which route it is. Fastify allows only one of a path, unless constraints choose between several. It tells neither
 * the constraints nor the handler's own text.
 */
export function placeOf(request: FastifyRequest): Place {
  const { server, routeOptions } = request;
  const { config, url } = routeOptions;
  return {
    parts: [config],
    describe: () =>
      isPlain(server) ? `Fastify ${JSON.stringify([url ?? null, textOf(config.url)])}` : undefined,
  };
}

function isPlain(server: FastifyInstance): boolean {
  let known = plain.get(server);
  if (known === undefined) {
    const names = server.printRoutes({ commonPrefix: false }).matchAll(/"([^"\\]+)":/g);
    known =
      [...names].every(([, name]) => name === 'host' || name === 'version') &&
      !['host', 'version'].some(name => server.hasConstraintStrategy(name));
    plain.set(server, known);
  }
  return known;
}
