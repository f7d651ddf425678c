import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { cachedView, cachedViewAs, type Handler } from '../../lib/integrations/http/index.js';
import { type Framework, listen, nextRequestId, type Route } from './support/site.js';
import { describeViews } from './support/views.js';

const framework: Framework = {
  name: 'node:http',
  field: (request: IncomingMessage, name) => request.headers[name] as string | undefined,
  async serve(routes) {
    const handlers = new Map(routes.map(route => [route.path, viewOf(route)(handlerOf(route))]));
    return listen(
      createServer(async (request, response) => {
        response.setHeader('x-request', nextRequestId());
        try {
          await handlers.get(request.url!.split('?')[0]!)!(request, response);
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
    const reply = await page({ method, field: name => fields[name] as string | undefined });
    const { status = 200, headers = {}, body = '' } = reply;
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
