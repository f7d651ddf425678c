import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { cachedView, cachedViewAs, type Handler } from '../../lib/integrations/http/index.js';
import { type Framework, listen, nextRequestId, type Route, setLate } from './support/site.js';
import { describeViews } from './support/views.js';

const framework: Framework = {
  name: 'node:http',
  field: (request: IncomingMessage, name) => request.headers[name] as string | undefined,
  async serve(routes) {
    const handlers = routes.map(route => ({ route, handler: viewOf(route)(handlerOf(route)) }));
    return listen(
      createServer(async (request, response) => {
        const field = (name: string) => request.headers[name] as string | undefined;
        const [path] = request.url!.split('?');
        const { route, handler } = handlers.find(
          ({ route: { path: own, role } }) => own === path && (role ?? field('x-role')) === field('x-role'),
        )!;
        response.setHeader('x-request', nextRequestId());
        setLate(response, () => route.late?.(field));
        for (const [name, value] of Object.entries(route.before?.(field) ?? {})) {
          response.setHeader(name, value);
        }
        try {
          await handler(request, response);
        } catch {
          response.writeHead(500).end();
        }
      }),
    );
  },
};

function handlerOf({ page }: Route): Handler {
  return async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', headers: fields } = request;
    const reply = await page({
      method,
      field: name => fields[name] as string | undefined,
      remove: name => response.removeHeader(name),
    });
    const { status = 200, message, headers = {}, body = '' } = reply;
    if (message !== undefined) {
      response.statusMessage = message;
    }
    if (body instanceof Readable) {
      response.writeHead(status, headers);
      body.pipe(response);
    } else if (typeof body === 'string' || Buffer.isBuffer(body)) {
      response.writeHead(status, headers).end(body);
    } else {
      response.setHeader('content-type', 'application/json');
      response.writeHead(status, headers).end(JSON.stringify(body));
    }
  };
}

function viewOf({ samples, options }: Route) {
  return samples === undefined ? cachedView(options as never) : cachedViewAs(samples as never, options);
}

describeViews(framework);
