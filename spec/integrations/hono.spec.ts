import type { Server } from 'node:http';
import { Readable } from 'node:stream';
import { createAdaptorServer } from '@hono/node-server';
import { expect } from 'chai';
import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { cachedView, cachedViewAs } from '../../lib/integrations/hono/index.js';
import { startBlog } from '../orm/support/blog.js';
import { ask, type Fields, type Framework, listen, nextRequestId, type Route } from './support/site.js';
import { describeViews } from './support/views.js';

const framework: Framework = {
  name: 'Hono',
  withoutMessage: true,
  field: (context: Context, name) => context.req.header(name),
  async serve(routes) {
    // an application for each role, as there is one for each host
    const roles = [...new Set([...routes.map(({ role }) => role), undefined])];
    const applications = roles.map(role => ({
      role,
      app: applicationOf(routes.filter(route => route.role === role)),
    }));
    const fetch = (request: Request, env: object) => {
      const asked = request.headers.get('user-agent');
      const { app } = applications.find(({ role }) => role === asked) ?? applications.at(-1)!;
      return app.fetch(request, env);
    };
    return listen(createAdaptorServer({ fetch }) as Server);
  },
};

function applicationOf(routes: readonly Route[]): Hono {
  const app = new Hono();
  app.onError((_error, context) => context.text('failed', 500));
  app.use(async (context, next) => {
    context.header('x-request', nextRequestId());
    await next();
  });
  for (const route of routes) {
    const set = (context: Context, fields: Fields) => {
      for (const [name, value] of Object.entries(fields)) {
        for (const each of [value].flat()) {
          context.header(name, each, { append: true });
        }
      }
    };
    app.use(route.path, async (context, next) => {
      const field = (name: string) => context.req.header(name);
      set(context, route.before?.(field) ?? {});
      await next();
      for (const [name, value] of Object.entries(route.late?.(field) ?? {})) {
        context.header(name, String(value));
      }
    });
    app.all(route.path, viewOf(route), async context => {
      const reply = await route.page({
        method: context.req.method,
        field: name => context.req.header(name),
        remove: name => context.res.headers.delete(name),
      });
      const { status = 200, headers = {}, body = '' } = reply;
      for (const [name, value] of Object.entries(headers)) {
        context.header(name, undefined);
        set(context, { [name]: value });
      }
      context.status(status as ContentfulStatusCode);
      if (body instanceof Readable) {
        return context.body(Readable.toWeb(body) as ReadableStream);
      }
      if (typeof body === 'string') {
        return status === 204 ? context.body(null) : context.text(body);
      }
      return Buffer.isBuffer(body) ? context.body(body as Buffer<ArrayBuffer>) : context.json(body);
    });
  }
  return app;
}

function viewOf({ samples, options }: Route) {
  return samples === undefined ? cachedView(options as never) : cachedViewAs(samples as never, options);
}

describeViews(framework);

describe('views of Hono', () => {
  it('are separate for paths that the application has chosen', async () => {
    const { orm, cache } = await startBlog();
    let runs = 0;
    const app = new Hono({ getPath: request => `/${request.headers.get('user-agent')}` });
    app.get('/:role', cachedView({ timeout: 60, orm }), context => {
      runs++;
      return context.text(context.req.param('role'));
    });
    const site = await listen(createAdaptorServer({ fetch: app.fetch }) as Server);
    try {
      for (const role of ['admin', 'guest', 'admin', 'guest']) {
        const { body } = await ask(`${site.origin}/page`, { 'user-agent': role });
        expect(body.toString()).to.equal(role);
        await cache.idle();
      }
      expect(runs).to.equal(2);
    } finally {
      await site.close();
      await orm.close(true);
    }
  });
});
