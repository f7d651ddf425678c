import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import express, { type Express, type Request, type RequestHandler } from 'express';
import { cachedView, cachedViewAs } from '../../lib/integrations/express/index.js';
import { startBlog } from '../orm/support/blog.js';
import type { Started } from '../orm/support/start.js';
import {
  ask,
  type Framework,
  listen,
  nextRequestId,
  type Route,
  type Site,
  setLate,
} from './support/site.js';
import { describeViews } from './support/views.js';

const framework: Framework = {
  name: 'Express',
  field: (request: Request, name) => request.get(name),
  async serve(routes) {
    const app = express();
    app.set('env', 'test'); // errors are not printed
    app.use((_request, response, next) => {
      response.set('x-request', nextRequestId());
      next();
    });
    for (const route of routes) {
      app.all(route.path, prepare(route), viewOf(route), async (request, response) => {
        const {
          status = 200,
          message,
          headers = {},
          body,
        } = await route.page({
          method: request.method,
          field: name => request.get(name),
          remove: name => response.removeHeader(name),
        });
        response.status(status).set(headers);
        if (message !== undefined) {
          response.statusMessage = message;
        }
        if (body instanceof Readable) {
          body.pipe(response);
        } else {
          response.send(body);
        }
      });
    }
    return listen(createServer(app));
  },
};

function prepare({ role, before, late }: Route): RequestHandler {
  return (request, response, next) => {
    const field = (name: string) => request.get(name);
    if (role !== undefined && field('user-agent') !== role) {
      next('route');
      return;
    }
    setLate(response, () => late?.(field));
    response.set((before?.(field) ?? {}) as Record<string, string>);
    next();
  };
}

function viewOf({ samples, options }: Route) {
  return samples === undefined ? cachedView(options as never) : cachedViewAs(samples as never, options);
}

describeViews(framework);

describe('views of Express', () => {
  let started: Started;
  let site: Site | undefined;

  before(async () => {
    started = await startBlog();
  });

  beforeEach(() => started.cache.invalidateAll());

  afterEach(async () => {
    await site?.close();
    site = undefined;
  });

  after(() => started.orm.close(true));

  const view = () => cachedView({ timeout: 60, orm: started.orm });
  let runs = 0;
  const page =
    (body: string): RequestHandler =>
    (_request, response) => {
      runs++;
      response.send(body);
    };
  const only =
    (role: string, exit: 'route' | 'router'): RequestHandler =>
    (request, _response, next) =>
      request.get('user-agent') === role ? next() : next(exit);

  /** Asks as several, twice each, in every order; returns how often pages were made. */
  async function askAll(make: () => Express, expected: Record<string, string>): Promise<number> {
    runs = 0;
    const roles = Object.keys(expected);
    for (const order of [roles, [...roles].reverse()]) {
      await started.cache.invalidateAll();
      site = await listen(createServer(make()));
      runs = 0;
      for (const role of [...order, ...order]) {
        const { body } = await ask(`${site.origin}/page`, { 'user-agent': role });
        expect(body.toString()).to.equal(expected[role]);
        await started.cache.idle();
      }
      await site.close();
      site = undefined;
    }
    return runs;
  }

  const all = { admin: 'for admin', editor: 'for editor', guest: 'for guest' };

  it('are separate in two routes of one path that are joined by next("route")', async () => {
    const make = () =>
      express()
        .get('/page', only('admin', 'route'), view(), page('for admin'))
        .get('/page', only('editor', 'route'), view(), page('for editor'))
        .get('/page', view(), page('for guest'));
    expect(await askAll(make, all)).to.equal(3);
  });

  it('may be one view in two routes of one path that are joined by next("route")', async () => {
    const shared = view();
    const make = () =>
      express()
        .get('/page', only('admin', 'route'), shared, page('for admin'))
        .get('/page', only('editor', 'route'), shared, page('for editor'))
        .get('/page', shared, page('for guest'));
    expect(await askAll(make, all)).to.equal(3);
  });

  it('work in routers', async () => {
    const routerOf = (role: string, middleware: RequestHandler) =>
      express
        .Router()
        .use(only(role, 'router'))
        .get('/page', middleware, page(`for ${role}`));
    const shared = view();
    for (const each of [view, () => shared]) {
      const make = () =>
        express()
          .use(routerOf('admin', each()))
          .use(routerOf('editor', each()))
          .get('/page', each(), page('for guest'));
      expect(await askAll(make, all)).to.equal(3);
    }
  });

  it('work before a router', async () => {
    const routerOf = (role: string, middleware: RequestHandler) =>
      express.Router().use(only(role, 'router'), middleware, page(`for ${role}`));
    const make = () =>
      express().use(routerOf('admin', view())).use(routerOf('editor', view())).use(view(), page('for guest'));
    expect(await askAll(make, all)).to.equal(3);
  });

  it('are separate for addresses that middleware has rewritten', async () => {
    const make = () => {
      const pages = express.Router({ mergeParams: true });
      pages.get('/', view(), (request: Request<{ role: string }>, response) => {
        runs++;
        response.send(`for ${request.params.role}`);
      });
      return express()
        .use((request, _response, next) => {
          request.url = `/${request.get('user-agent')}`;
          next();
        })
        .use('/:role', pages);
    };
    expect(await askAll(make, all)).to.equal(3);
  });

  it('store nothing at several places before routers, because the place is ambiguous', async () => {
    const shared = view();
    const routerOf = (role: string) =>
      express.Router().use(only(role, 'router'), shared, page(`for ${role}`));
    const make = () =>
      express().use(routerOf('admin')).use(routerOf('editor')).use(shared, page('for guest'));
    expect(await askAll(make, all)).to.equal(6);
  });

  it('are separate in two applications with the same text', async () => {
    const appOf = (role: string) => express().get('/page', view(), page(`for ${role}`));
    const apps: Record<string, Express> = Object.fromEntries(
      Object.keys(all).map(role => [role, appOf(role)]),
    );
    const make = () =>
      express().use((request, response, next) => apps[request.get('user-agent')!]!(request, response, next));
    expect(await askAll(make, all)).to.be.oneOf([3, 4]);
  });

  it('are separate behind a function that chooses between them', async () => {
    const [admin, guest] = [view(), view()];
    const make = () =>
      express().get('/page', (request, response, next) =>
        request.get('user-agent') === 'admin'
          ? admin(request, response, () => page('for admin')(request, response, next))
          : guest(request, response, () => page('for guest')(request, response, next)),
      );
    expect(await askAll(make, { admin: 'for admin', guest: 'for guest' })).to.equal(2);
  });
});
