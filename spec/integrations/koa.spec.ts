import { createServer } from 'node:http';
import Koa, { type Context } from 'koa';
import { cachedView, cachedViewAs } from '../../lib/integrations/koa/index.js';
import { type Framework, listen, nextRequestId, type Route } from './support/site.js';
import { describeViews } from './support/views.js';

const framework: Framework = {
  name: 'Koa',
  field: (context: Context, name) => context.get(name) || undefined,
  async serve(routes) {
    const app = new Koa();
    app.silent = true;
    app.use(async (context, next) => {
      context.set('x-request', nextRequestId());
      await next();
    });
    for (const route of routes) {
      const view = viewOf(route);
      app.use(async (context, next) => {
        await (context.path === route.path ? view(context, () => answer(route, context)) : next());
      });
    }
    return listen(createServer(app.callback()));
  },
};

async function answer({ page }: Route, context: Context): Promise<void> {
  const {
    status = 200,
    headers = {},
    body,
  } = await page({
    method: context.method,
    field: name => context.get(name) || undefined,
  });
  context.status = status;
  context.body = body ?? null;
  context.status = status;
  context.set(headers as Record<string, string>);
}

function viewOf({ samples, options }: Route) {
  return samples === undefined ? cachedView(options as never) : cachedViewAs(samples as never, options);
}

describeViews(framework);
