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
        const field = (name: string) => context.get(name) || undefined;
        if (context.path !== route.path || (route.role ?? field('x-role')) !== field('x-role')) {
          return next();
        }
        context.set((route.before?.(field) ?? {}) as Record<string, string>);
        await view(context, () => answer(route, context));
        context.set((route.late?.(field) ?? {}) as Record<string, string>);
      });
    }
    return listen(createServer(app.callback()));
  },
};

async function answer({ page }: Route, context: Context): Promise<void> {
  const {
    status = 200,
    message,
    headers = {},
    body,
  } = await page({
    method: context.method,
    field: name => context.get(name) || undefined,
    remove: name => context.remove(name),
  });
  context.status = status;
  context.body = body ?? null;
  context.status = status;
  if (message !== undefined) {
    context.message = message;
  }
  context.set(headers as Record<string, string>);
}

function viewOf({ samples, options }: Route) {
  return samples === undefined ? cachedView(options as never) : cachedViewAs(samples as never, options);
}

describeViews(framework);
