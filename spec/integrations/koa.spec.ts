import { createServer } from 'node:http';
import { expect } from 'chai';
import Koa, { type Context, type Middleware } from 'koa';
import { cachedView, cachedViewAs } from '../../lib/integrations/koa/index.js';
import { startBlog } from '../orm/support/blog.js';
import { ask, type Framework, listen, nextRequestId, type Route } from './support/site.js';
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
        if (context.path !== route.path || (route.role ?? field('user-agent')) !== field('user-agent')) {
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

describe('views of Koa', () => {
  it('share nothing between two applications, and store nothing at two places of one application', async () => {
    const { orm, cache } = await startBlog();
    const view = () => cachedView({ timeout: 60, orm });
    let runs = 0;
    const page = (body: string): Middleware => {
      return context => {
        context.body = `${body} ${++runs}`;
      };
    };
    const shared = view();
    const sites: [Koa, string][] = [
      [new Koa().use(view()).use(page('one')), 'one'],
      [new Koa().use(view()).use(page('two')), 'two'],
      [
        new Koa()
          .use(shared)
          .use((_context, next) => next())
          .use(shared)
          .use(page('three')),
        'three',
      ],
    ];
    const handlers = sites.map(([app]) => app.callback());
    const site = await listen(
      createServer((request, response) =>
        handlers[Number(request.headers['user-agent'])]!(request, response),
      ),
    );
    try {
      for (const _ of [1, 2, 3]) {
        for (const [i, [, body]] of sites.entries()) {
          const got = await ask(`${site.origin}/page`, { 'user-agent': String(i) });
          expect(got.body.toString()).to.match(new RegExp(`^${body} `));
          await cache.idle();
        }
      }
      expect(runs).to.be.within(2 + 3, 3 + 3);
    } finally {
      await site.close();
      await orm.close(true);
    }
  });

  it('are separate for addresses that middleware has rewritten', async () => {
    const { orm, cache } = await startBlog();
    let runs = 0;
    const app = new Koa()
      .use((context, next) => {
        context.path = `/${context.get('user-agent')}`;
        return next();
      })
      .use(cachedView({ timeout: 60, orm }))
      .use(context => {
        runs++;
        context.body = context.path;
      });
    const site = await listen(createServer(app.callback()));
    try {
      for (const role of ['admin', 'guest', 'admin', 'guest']) {
        const { body } = await ask(`${site.origin}/page`, { 'user-agent': role });
        expect(body.toString()).to.equal(`/${role}`);
        await cache.idle();
      }
      expect(runs).to.equal(2);
    } finally {
      await site.close();
      await orm.close(true);
    }
  });
});
