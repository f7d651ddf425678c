import type { IncomingMessage } from 'node:http';
import fastify, { type FastifyRequest } from 'fastify';
import { cachedView, cachedViewAs } from '../../lib/integrations/fastify/index.js';
import { type Framework, nextRequestId, type Route } from './support/site.js';
import { describeViews } from './support/views.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    late?: Route['late'];
  }
}

/** Routes chosen by a field of the request. */
const role = {
  name: 'role',
  storage() {
    const handlers = new Map<string, any>();
    return {
      get: (key: string) => handlers.get(key) ?? null,
      set: (key: string, handler: unknown) => void handlers.set(key, handler),
      empty: () => handlers.clear(),
    };
  },
  validate() {},
  deriveConstraint: (request: IncomingMessage) => request.headers['x-role'] as string,
};

const framework: Framework = {
  name: 'Fastify',
  field: (request: FastifyRequest, name) => request.headers[name] as string | undefined,
  async serve(routes) {
    const app = fastify({
      forceCloseConnections: true,
      constraints: { role },
    });
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('x-request', nextRequestId());
    });
    app.addHook('onSend', async (request, reply) => {
      reply.headers(request.routeOptions.config.late?.(name => request.headers[name] as string) ?? {});
    });
    for (const route of routes) {
      app.route({
        method: ['GET', 'HEAD', 'POST'],
        url: route.path,
        config: { late: route.late },
        ...(route.role !== undefined && { constraints: { role: route.role } }),
        onRequest: async (request, reply) => {
          reply.headers(route.before?.(name => request.headers[name] as string) ?? {});
        },
        ...viewOf(route),
        handler: async (request, reply) => {
          const {
            status = 200,
            message,
            headers = {},
            body,
          } = await route.page({
            method: request.method,
            field: name => request.headers[name] as string | undefined,
            remove: name => void reply.removeHeader(name),
          });
          if (message !== undefined) {
            reply.raw.statusMessage = message;
          }
          return reply.code(status).headers(headers).send(body);
        },
      });
    }
    const origin = await app.listen({ port: 0, host: '127.0.0.1' });
    return { origin, close: () => app.close() };
  },
};

function viewOf({ samples, options }: Route) {
  return samples === undefined ? cachedView(options as never) : cachedViewAs(samples as never, options);
}

describeViews(framework);
