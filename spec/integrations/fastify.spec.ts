import fastify, { type FastifyRequest } from 'fastify';
import { cachedView, cachedViewAs } from '../../lib/integrations/fastify/index.js';
import { type Framework, nextRequestId, type Route } from './support/site.js';
import { describeViews } from './support/views.js';

const framework: Framework = {
  name: 'Fastify',
  field: (request: FastifyRequest, name) => request.headers[name] as string | undefined,
  async serve(routes) {
    const app = fastify({ forceCloseConnections: true });
    app.addHook('onRequest', async (_request, reply) => {
      reply.header('x-request', nextRequestId());
    });
    for (const route of routes) {
      app.route({
        method: ['GET', 'HEAD', 'POST'],
        url: route.path,
        ...viewOf(route),
        handler: async (request, reply) => {
          const {
            status = 200,
            headers = {},
            body,
          } = await route.page({
            method: request.method,
            field: name => request.headers[name] as string | undefined,
          });
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
