import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import express, { type Request, type RequestHandler } from 'express';
import { cachedView, cachedViewAs } from '../../lib/integrations/express/index.js';
import { type Framework, listen, nextRequestId, type Route, setLate } from './support/site.js';
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
    if (role !== undefined && field('x-role') !== role) {
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
