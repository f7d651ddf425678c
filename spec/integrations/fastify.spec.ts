import type { IncomingMessage } from 'node:http';
import { expect } from 'chai';
import fastify, { type FastifyRequest } from 'fastify';
import { cachedView, cachedViewAs } from '../../lib/integrations/fastify/index.js';
import { startBlog } from '../orm/support/blog.js';
import { ask, type Framework, nextRequestId, type Route } from './support/site.js';
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
  deriveConstraint: (request: IncomingMessage) => request.headers['user-agent'] as string,
};

const framework: Framework = {
  name: 'Fastify',
  field: (request: FastifyRequest, name) => request.headers[name] as string | undefined,
  async serve(routes) {
    const app = fastify({
      forceCloseConnections: true,
      routerOptions: { constraints: { role } },
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

describe('views of Fastify', () => {
  for (const isConstrained of [true, false]) {
    it(`are stored ${isConstrained ? 'for each route of a path separately' : 'by GET for HEAD'}`, async () => {
      const { orm, cache } = await startBlog();
      const view = () => cachedView({ timeout: 60, orm });
      const app = fastify({ forceCloseConnections: true });
      let runs = 0;
      const make = (body: string) => async () => `${body} ${++runs}`;
      if (isConstrained) {
        for (const version of ['1.0.0', '2.0.0']) {
          app.get('/page', { constraints: { version }, ...view() }, make(version));
        }
        app.get('/page', { constraints: { host: 'a.example' }, ...view() }, make('a'));
      }
      app.get('/page', view(), make('any'));
      const url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/page`;
      const expected: [Record<string, string>, string][] = isConstrained
        ? [
            [{ 'accept-version': '1.x' }, '1.0.0 1'],
            [{ 'accept-version': '2.x' }, '2.0.0 2'],
            [{ host: 'a.example' }, 'a 3'],
            [{}, 'any 4'],
          ]
        : [[{}, 'any 1']];
      try {
        for (const [headers, text] of expected) {
          for (const method of isConstrained ? ['GET', 'GET'] : ['GET', 'HEAD', 'GET']) {
            const { body } = await ask(url, headers, method);
            expect(body.toString()).to.equal(method === 'GET' ? text : '');
            await cache.idle();
          }
        }
        expect(runs).to.equal(expected.length);
      } finally {
        await app.close();
        await orm.close(true);
      }
    });
  }

  it('apply the changes of hooks once, also to a stored response', async () => {
    const { orm, cache } = await startBlog();
    const app = fastify({ forceCloseConnections: true });
    app.addHook('onSend', async (_request, _reply, payload) => `${payload}!`);
    app.get('/page', cachedView({ timeout: 60, orm }), async () => 'x');
    const url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/page`;
    try {
      for (const age of [undefined, '0']) {
        const { headers, body } = await ask(url);
        expect([body.toString(), headers.age]).to.deep.equal(['x!', age]);
        await cache.idle();
      }
    } finally {
      await app.close();
      await orm.close(true);
    }
  });

  it('are separate for addresses that the server has rewritten', async () => {
    const { orm, cache } = await startBlog();
    const rewriteUrl = ({ headers }: IncomingMessage) => `/${headers['user-agent']}`;
    const app = fastify({ forceCloseConnections: true, rewriteUrl });
    let runs = 0;
    app.get<{ Params: { role: string } }>('/:role', cachedView({ timeout: 60, orm }), async request => {
      runs++;
      return request.params.role;
    });
    const url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/page`;
    try {
      for (const role of ['admin', 'guest', 'admin', 'guest']) {
        const { body } = await ask(url, { 'user-agent': role });
        expect(body.toString()).to.equal(role);
        await cache.idle();
      }
      expect(runs).to.equal(2);
    } finally {
      await app.close();
      await orm.close(true);
    }
  });
});
