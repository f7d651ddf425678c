import type { Server } from 'node:http';
import { Readable } from 'node:stream';
import { createAdaptorServer } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import { cachedView, cachedViewAs } from '../../lib/integrations/hono/index.js';
import { type Framework, listen, nextRequestId, type Route } from './support/site.js';
import { describeViews } from './support/views.js';

const framework: Framework = {
  name: 'Hono',
  field: (context: Context, name) => context.req.header(name),
  async serve(routes) {
    const app = new Hono();
    app.onError((_error, context) => context.text('failed', 500));
    app.use(async (context, next) => {
      context.header('x-request', nextRequestId());
      await next();
    });
    for (const route of routes) {
      app.all(route.path, viewOf(route), async context => {
        const reply = await route.page({
          method: context.req.method,
          field: name => context.req.header(name),
        });
        const { status = 200, headers = {}, body = '' } = reply;
        for (const [name, value] of Object.entries(headers)) {
          for (const each of [value].flat()) {
            context.header(name, each, { append: true });
          }
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
    return listen(createAdaptorServer(app) as Server);
  },
};

function viewOf({ samples, options }: Route) {
  return samples === undefined ? cachedView(options as never) : cachedViewAs(samples as never, options);
}

describeViews(framework);
